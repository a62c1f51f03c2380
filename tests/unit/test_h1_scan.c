/* SPDX-License-Identifier: MIT */
/* test_h1_scan.c - h1_scan.c: where a head ends, and a row for each fault that shows before it
 * does. RFC 9112 2-6; http-rules.md#requests-line-and-framing and http-rules.md#responses */
#include "h1_scan_cut.h"

/* Each text ends with the byte that proves the fault: one byte less is not judged yet. */
static const struct {
    const char *id;
    struct slice in;
    int want;
} faults[] = {
    {"Q3 HTTP/0.9", IN("GET /\r"), ERR_SYNTAX},
    {"Q3 no target", IN("GET\r"), ERR_SYNTAX},
    {"Q3 empty version", IN("GET / \r"), ERR_SYNTAX},
    {"Q3 two spaces before target", IN("GET  "), ERR_SYNTAX},
    {"Q3 two spaces before version", IN("GET /  "), ERR_SYNTAX},
    {"Q3 space after version", IN("GET / HTTP/1.1 "), ERR_SYNTAX},
    {"Q3 tab as separator", IN("GET\t"), ERR_SYNTAX},
    {"Q3 version lower case", IN("GET / h"), ERR_SYNTAX},
    {"Q3 version without minor", IN("GET / HTTP/1\r"), ERR_SYNTAX},
    {"Q3 version of three digits", IN("GET / HTTP/1.11"), ERR_SYNTAX},
    {"Q3 version without dot", IN("GET / HTTP/11"), ERR_SYNTAX},
    {"Q4 method not token", IN("GE("), ERR_SYNTAX},
    {"Q4 method empty", IN(" "), ERR_SYNTAX},
    {"Q4 method with NUL", IN("G\0"), ERR_SYNTAX},
    {"Q4 TLS hello", IN("\x16"), ERR_SYNTAX},
    {"Q4 method over 32", IN("ABCDEFGHIJKLMNOPQRSTUVWXYZABCDEFG"), ERR_SYNTAX},
    {"Q12 fragment", IN("GET /a#"), ERR_SYNTAX},
    {"Q13 CTL in target", IN("GET /\x01"), ERR_SYNTAX},
    {"Q13 NUL in target", IN("GET /\0"), ERR_SYNTAX},
    {"Q13 DEL in target", IN("GET /\x7f"), ERR_SYNTAX},
    {"Q45 0x80 in method", IN("G\x80"), ERR_SYNTAX},
    {"Q45 0x80 in version", IN("GET / \x80"), ERR_SYNTAX},
    {"Q13 tab in target", IN("GET /\t"), ERR_SYNTAX},
    {"Q13 space in target", IN("GET /a b"), ERR_SYNTAX},
    {"Q16 second empty line", IN("\r"), ERR_SYNTAX},
    {"Q31 LF ends request line", IN("GET / HTTP/1.1\n"), ERR_SYNTAX},
    {"Q31 LF ends field line", IN("GET / HTTP/1.1\r\nA: b\n"), ERR_SYNTAX},
    {"Q31 LF as empty line", IN("GET / HTTP/1.1\r\nA: b\r\n\n"), ERR_SYNTAX},
    {"Q31 LF in name", IN("GET / HTTP/1.1\r\nA\n"), ERR_SYNTAX},
    {"Q32 CR ends request line", IN("GET / HTTP/1.1\rA"), ERR_SYNTAX},
    {"Q32 CR in value", IN("GET / HTTP/1.1\r\nA: b\rc"), ERR_SYNTAX},
    {"Q32 CR CR LF", IN("GET / HTTP/1.1\r\nA: b\r\r"), ERR_SYNTAX},
    {"Q32 CR as empty line", IN("GET / HTTP/1.1\r\n\rX"), ERR_SYNTAX},
    {"Q33 NUL in value", IN("GET / HTTP/1.1\r\nA: b\0"), ERR_SYNTAX},
    {"Q33 CTL in value", IN("GET / HTTP/1.1\r\nA: b\x1f"), ERR_SYNTAX},
    {"Q33 DEL in value", IN("GET / HTTP/1.1\r\nA: b\x7f"), ERR_SYNTAX},
    {"Q24 vertical tab in coding", IN("GET / HTTP/1.1\r\nTransfer-Encoding: \x0b"), ERR_SYNTAX},
    {"Q34 name not token", IN("GET / HTTP/1.1\r\nA("), ERR_SYNTAX},
    {"Q34 name with 0x80", IN("GET / HTTP/1.1\r\nA\x80"), ERR_SYNTAX},
    {"Q34 name with NUL", IN("GET / HTTP/1.1\r\nA\0"), ERR_SYNTAX},
    {"Q34 empty name", IN("GET / HTTP/1.1\r\n:"), ERR_SYNTAX},
    {"Q34 space before colon", IN("GET / HTTP/1.1\r\nContent-Length "), ERR_SYNTAX},
    {"Q34 tab before colon", IN("GET / HTTP/1.1\r\nA\t"), ERR_SYNTAX},
    {"Q34 no colon", IN("GET / HTTP/1.1\r\nA\r"), ERR_SYNTAX},
    {"Q35 obs-fold", IN("GET / HTTP/1.1\r\nA: b\r\n "), ERR_SYNTAX},
    {"Q35 obs-fold with tab", IN("GET / HTTP/1.1\r\nA: b\r\n\t"), ERR_SYNTAX},
    {"Q35 space before first field", IN("GET / HTTP/1.1\r\n "), ERR_SYNTAX},
};

static void scan_finds_faults_at_once(void **state)
{
    for (size_t i = 0; i < COUNT(faults); i++) {
        struct slice in = faults[i].in;
        check_scan(faults[i].id, in, true, faults[i].want);
        check_scan(faults[i].id, slice_make(in.ptr, in.len - 1), true, 0);
    }
}

static const struct {
    const char *id;
    struct slice in;
} response_faults[] = {
    {"R1 not HTTP", IN("S")},
    {"R1 ICY", IN("I")},
    {"R1 empty line", IN("\r")},
    {"R1 two digits", IN("HTTP/1.1 20 ")},
    {"R1 four digits", IN("HTTP/1.1 2000")},
    {"R1 letter", IN("HTTP/1.1 2x")},
    {"R1 no status", IN("HTTP/1.1\r")},
    {"R1 two spaces", IN("HTTP/1.1  ")},
    {"R3 NUL in reason", IN("HTTP/1.1 200 O\0")},
    {"R3 LF ends status line", IN("HTTP/1.1 200 OK\n")},
    {"R3 bare CR in reason", IN("HTTP/1.1 200 O\rK")},
    {"R3 NUL in value", IN("HTTP/1.1 200 OK\r\nA: \0")},
    {"R3 CTL in value", IN("HTTP/1.1 200 OK\r\nA: \x02")},
    {"R3 bad name", IN("HTTP/1.1 200 OK\r\nA@")},
    {"R3 empty name", IN("HTTP/1.1 200 OK\r\n:")},
    {"R3 space before colon", IN("HTTP/1.1 200 OK\r\nA ")},
    {"R3 obs-fold", IN("HTTP/1.1 200 OK\r\nA: b\r\n ")},
};

static void scan_finds_faults_of_responses(void **state)
{
    for (size_t i = 0; i < COUNT(response_faults); i++) {
        struct slice in = response_faults[i].in;
        check_scan(response_faults[i].id, in, false, ERR_SYNTAX);
        check_scan(response_faults[i].id, slice_make(in.ptr, in.len - 1), false, 0);
    }
}

/* @before, then @fill @times, then @after. `ends`: the fault shows with the last byte, no sooner.
 */
static const struct {
    const char *id, *before, *fill;
    size_t times;
    const char *after;
    int want; /* 0: the head is complete */
    bool request, ends;
} limits[] = {
    {"Q4 method of 32", "", "A", 32, " / HTTP/1.1\r\n\r\n", 0, true, false},
    {"Q15 target of 8 KiB", "GET /", "a", 8191, " HTTP/1.1\r\n\r\n", 0, true, false},
    {"Q15 target over 8 KiB", "GET /", "a", 8192, "", ERR_URI_TOO_LONG, true, true},
    {"Q45 8 KiB once encoded", "GET /aa", "\xc3\xa4", 1364, "aaaaa HTTP/1.1\r\n\r\n", 0, true,
     false},
    {"Q45 over 8 KiB once encoded", "GET /aa", "\xc3\xa4", 1364, "aaaaaa", ERR_URI_TOO_LONG, true,
     true},
    {"Q45 over 8 KiB by its last byte", "GET /", "\xff", 2731, "", ERR_URI_TOO_LONG, true, true},
    {"Q36 100 fields", "GET / HTTP/1.1\r\n", "A: b\r\n", 100, "\r\n", 0, true, false},
    {"Q36 101 fields", "GET / HTTP/1.1\r\n", "A: b\r\n", 100, "A", ERR_LIMIT, true, true},
    {"Q36 line of 16 KiB", "GET / HTTP/1.1\r\nA: ", "b", 16381, "\r\n\r\n", 0, true, false},
    {"Q36 line over 16 KiB", "GET / HTTP/1.1\r\nA: ", "b", 16382, "", ERR_LIMIT, true, true},
    {"Q36 name over 16 KiB", "GET / HTTP/1.1\r\n", "b", 16385, "", ERR_LIMIT, true, true},
    {"R2 100 fields", "HTTP/1.1 200 OK\r\n", "A: b\r\n", 100, "\r\n", 0, false, false},
    {"R2 101 fields", "HTTP/1.1 200 OK\r\n", "A: b\r\n", 100, "A", ERR_LIMIT, false, true},
    {"R2 reason over 16 KiB", "HTTP/1.1 200 ", "a", 16372, "", ERR_LIMIT, false, true},
};

static char *repeated(const char *before, const char *fill, size_t times, const char *after,
                      size_t *len)
{
    size_t n = strlen(before), each = strlen(fill);
    *len = n + each * times + strlen(after);
    char *text = xcalloc(1, *len + 1);
    memcpy(text, before, n);
    for (size_t i = 0; i < times; i++, n += each)
        memcpy(text + n, fill, each);
    memcpy(text + n, after, strlen(after));
    return text;
}

static void scan_keeps_limits(void **state)
{
    for (size_t i = 0; i < COUNT(limits); i++) {
        size_t len;
        char *text =
            repeated(limits[i].before, limits[i].fill, limits[i].times, limits[i].after, &len);
        bool whole = len > 4 && memcmp(text + len - 4, "\r\n\r\n", 4) == 0;
        ssize_t want = limits[i].want < 0 ? limits[i].want : whole ? (ssize_t)len : 0;
        check_scan(limits[i].id, slice_make(text, len), limits[i].request, want);
        if (limits[i].ends)
            check_scan(limits[i].id, slice_make(text, len - 1), limits[i].request, 0);
        free(text);
    }
}

/* Q36, R2: a head may fill its limit, and is refused as soon as it must go beyond. */
static void scan_keeps_the_limit_of_heads(void **state)
{
    static const char head[] = "GET / HTTP/1.1\r\nA: b\r\n\r\n";
    const size_t len = sizeof head - 1;
    for (size_t max = 1; max <= len + 1; max++) {
        struct h1_limits l = {.head = max, .fields = 100, .field = 100, .target = 100};
        struct h1_scan s = {0};
        ssize_t n = h1_scan_head(&s, slice_make(head, len), &l, true);
        assert_int_equal(n, max >= len ? (ssize_t)len : ERR_LIMIT);
        assert_true(n > 0 || s.offset == max);
        struct h1_scan early = {0};
        n = h1_scan_head(&early, slice_make(head, max < len ? max : len - 1), &l, true);
        assert_int_equal(n, max < len ? ERR_LIMIT : 0);
    }
}

/* Q45: the limit of a head is about what the target becomes. */
static void scan_counts_what_a_target_becomes(void **state)
{
    static const char head[] = "GET /\xc3\xa4 HTTP/1.1\r\n\r\n";
    const size_t len = sizeof head - 1, grown = len + 4;
    for (size_t max = 1; max <= grown + 1; max++) {
        struct h1_limits l = {.head = max, .fields = 100, .field = 100, .target = 100};
        struct h1_scan s = {0};
        ssize_t n = h1_scan_head(&s, slice_make(head, len), &l, true);
        assert_int_equal(n, max >= grown ? (ssize_t)len : ERR_LIMIT);
    }
}

static void scan_stops_at_the_end_of_the_head(void **state)
{
    struct slice in = SLICE("GET / HTTP/1.1\r\n" HOST "\r\n\r\n\0\nGET");
    check_scan("Q26 what follows is not judged", in, true,
               (ssize_t)(sizeof("GET / HTTP/1.1\r\n" HOST "\r\n") - 1));
}

static void scan_says_what_was_wrong(void **state)
{
    struct h1_scan s = {0};
    assert_int_equal(
        h1_scan_head(&s, SLICE("GET / HTTP/1.1\r\nA : b\r\n\r\n"), &h1_default_limits, true),
        ERR_SYNTAX);
    assert_string_equal(s.reason, "forbidden byte in field name");
    assert_int_equal(s.offset, sizeof("GET / HTTP/1.1\r\nA") - 1);
}

/* What the scan refuses is refused by the parser too, whoever delimited the head. */
static void parser_relies_on_nobody(void **state)
{
    for (size_t i = 0; i < COUNT(faults); i++) {
        struct message m;
        struct h1_result r;
        message_init(&m);
        assert_int_equal(h1_parse_request(faults[i].in, &h1_default_limits, &m, &r),
                         faults[i].want);
        assert_non_null(r.reason);
        message_deinit(&m);
    }
    for (size_t i = 0; i < COUNT(response_faults); i++) {
        struct message m;
        struct h1_result r;
        message_init(&m);
        assert_int_equal(
            h1_parse_response(response_faults[i].in, &h1_default_limits, false, &m, &r),
            ERR_PROTOCOL);
        assert_non_null(r.reason);
        message_deinit(&m);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(scan_finds_faults_at_once),
        cmocka_unit_test(scan_finds_faults_of_responses),
        cmocka_unit_test(scan_keeps_limits),
        cmocka_unit_test(scan_keeps_the_limit_of_heads),
        cmocka_unit_test(scan_counts_what_a_target_becomes),
        cmocka_unit_test(scan_stops_at_the_end_of_the_head),
        cmocka_unit_test(scan_says_what_was_wrong),
        cmocka_unit_test(parser_relies_on_nobody),
    };
    return cmocka_run_group_tests_name("h1_scan", tests, NULL, NULL);
}
