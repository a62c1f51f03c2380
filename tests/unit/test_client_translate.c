/* SPDX-License-Identifier: MIT */
/* test_client_translate.c - requests judged again, answers made fit for the link. Rules D2, D9, R6,
 * R8, R14. */
#include "client/origin/translate.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

static void fill(struct message *m)
{
    message_init(m);
    m->method = SLICE("GET");
    m->scheme = SLICE("https");
    m->authority = SLICE("app.example.com");
    m->path = SLICE("/a?b");
}

static const struct {
    const char *name, *method, *scheme, *authority, *path, *field, *value;
    bool ok;
} requests[] = {
    {"D2 plain", "GET", "https", "a.b", "/", "x", "y", true},
    {"Q5 D2 unknown method", "M-SEARCH", "http", "a.b:81", "/", "x", "y", true},
    {"Q14 D2 nothing normalised", "GET", "https", "a.b", "//..;%2e%2F%00\\", "x", "y", true},
    {"Q8 D2 OPTIONS *", "OPTIONS", "https", "a.b", "*", "x", "y", true},
    {"Q37 D2 high bytes in a value", "GET", "https", "a.b", "/", "x", "\xc3\xa9", true},
    {"D2 empty value", "GET", "https", "a.b", "/", "x", "", true},
    {"Q8 D2 GET *", "GET", "https", "a.b", "*", "x", "y", false},
    {"D9 ftp", "GET", "ftp", "a.b", "/", "x", "y", false},
    {"D9 no scheme", "GET", "", "a.b", "/", "x", "y", false},
    {"D2 method with space", "GET /x HTTP/1.1", "https", "a.b", "/", "x", "y", false},
    {"Q12 D2 fragment", "GET", "https", "a.b", "/a#b", "x", "y", false},
    {"Q13 D2 space in path", "GET", "https", "a.b", "/a b", "x", "y", false},
    {"D2 CR LF in path", "GET", "https", "a.b", "/\r\nX: y", "x", "y", false},
    {"Q13 D2 high byte in path", "GET", "https", "a.b", "/\x80", "x", "y", false},
    {"Q11 D2 path without slash", "GET", "https", "a.b", "x", "x", "y", false},
    {"Q10 D2 userinfo", "GET", "https", "u:p@a.b", "/", "x", "y", false},
    {"D1 no authority", "GET", "https", "", "/", "x", "y", false},
    {"D2 CR LF in value", "GET", "https", "a.b", "/", "x", "y\r\nZ: w", false},
    {"D2 space at the end of a value", "GET", "https", "a.b", "/", "x", "y ", false},
    {"D2 space in a name", "GET", "https", "a.b", "/", "x y", "z", false},
    {"D2 colon in a name", "GET", "https", "a.b", "/", "x:", "z", false},
    {"H2 Connection names cookie", "GET", "https", "a.b", "/", "connection", "cookie", false},
};

static void test_requests(void **state)
{
    for (size_t i = 0; i < sizeof requests / sizeof *requests; i++) {
        struct message m;
        const char *reason = NULL;
        bool wants_trailers;
        print_message("%s\n", requests[i].name);
        message_init(&m);
        m.method = slice_str(requests[i].method);
        m.scheme = slice_str(requests[i].scheme);
        m.authority = slice_str(requests[i].authority);
        m.path = slice_str(requests[i].path);
        fields_add(&m.fields, slice_str(requests[i].field), slice_str(requests[i].value));
        int err = translate_to_origin(&m, &wants_trailers, &reason);
        assert_int_equal(err == 0, requests[i].ok);
        assert_int_equal(!reason, requests[i].ok);
        message_deinit(&m);
    }
}

/* D21: what the server says to oneport does not reach an origin. */
static void test_our_fields_stop_here(void **state)
{
    static const char *const names[] = {"oneport-viewer-connection", "oneport-ticket", "oneport-x",
                                        "Oneport_Viewer.Connection"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        struct message m;
        const char *reason = NULL;
        bool wants_trailers;
        fill(&m);
        fields_add(&m.fields, slice_str(names[i]), SLICE("a"));
        fields_add(&m.fields, SLICE("accept"), SLICE("b"));
        assert_int_equal(translate_to_origin(&m, &wants_trailers, &reason), 0);
        assert_int_equal(m.fields.count, 1);
        assert_true(slice_eq(m.fields.v[0].name, SLICE("accept")));
        message_deinit(&m);
    }
}

/* D2 */
static void test_nul_in_value(void **state)
{
    struct message m;
    const char *reason = NULL;
    bool wants_trailers;
    fill(&m);
    fields_add(&m.fields, SLICE("x"), slice_make("a\0b", 3));
    assert_true(translate_to_origin(&m, &wants_trailers, &reason) < 0);
    message_deinit(&m);
}

/* H2, H3 */
static void test_hop_by_hop_goes(void **state)
{
    struct message m;
    const char *reason = NULL;
    bool wants_trailers = false;
    fill(&m);
    fields_add(&m.fields, SLICE("te"), SLICE("gzip, trailers"));
    fields_add(&m.fields, SLICE("upgrade"), SLICE("h2c"));
    fields_add(&m.fields, SLICE("http2-settings"), SLICE("AAMAAABk"));
    fields_add(&m.fields, SLICE("x-forwarded-for"), SLICE("192.0.2.1"));
    assert_int_equal(translate_to_origin(&m, &wants_trailers, &reason), 0);
    assert_true(wants_trailers);
    assert_int_equal(m.fields.count, 1);
    message_deinit(&m);
}

/* D2, D6, Q29 */
static void test_trailers(void **state)
{
    struct fields t;
    fields_init(&t);
    fields_add(&t, SLICE("x-sum"), SLICE("1"));
    fields_add(&t, SLICE("content-length"), SLICE("1"));
    fields_add(&t, SLICE("host"), SLICE("evil.test"));
    fields_add(&t, SLICE("authorization"), SLICE("Basic eA=="));
    assert_int_equal(translate_trailers_to_origin(&t), 0);
    assert_int_equal(t.count, 1);
    fields_add(&t, SLICE("x"), SLICE("a\nb"));
    assert_true(translate_trailers_to_origin(&t) < 0);
    fields_deinit(&t);
}

static const struct {
    const char *name;
    int status;
    int64_t length, want_length;
} lengths[] = {
    {"200 keeps it", 200, 5, 5},       {"R6 204 has none", 204, 5, MESSAGE_LENGTH_UNKNOWN},
    {"R8 205 has nothing", 205, 5, 0}, {"R8 205 says so", 205, MESSAGE_LENGTH_UNKNOWN, 0},
    {"R7 304 keeps it", 304, 5, 5},    {"R4 103 has none", 103, 5, MESSAGE_LENGTH_UNKNOWN},
};

static void test_response_lengths(void **state)
{
    for (size_t i = 0; i < sizeof lengths / sizeof *lengths; i++) {
        struct message m;
        print_message("%s\n", lengths[i].name);
        message_init(&m);
        m.status = lengths[i].status;
        m.length = lengths[i].length;
        assert_int_equal(translate_from_origin(&m), 0);
        assert_int_equal(m.length, lengths[i].want_length);
        message_deinit(&m);
    }
}

/* R14, H10 */
static void test_response_fields(void **state)
{
    static const char *const gone[] = {
        "Oneport-Error", "ONEPORT-x", "Alt-Svc",           "Connection",      "X-Hop",
        "Keep-Alive",    "Upgrade",   "Transfer-Encoding", "Proxy-Connection"};
    static const char *const kept[] = {"Server", "Date", "Set-Cookie", "Strict-Transport-Security",
                                       "X-Other"};
    struct message m;
    message_init(&m);
    m.status = 200;
    for (size_t i = 0; i < sizeof gone / sizeof *gone; i++)
        fields_add(&m.fields, slice_str(gone[i]), i == 3 ? SLICE("close, x-hop") : SLICE("v"));
    for (size_t i = 0; i < sizeof kept / sizeof *kept; i++)
        fields_add(&m.fields, slice_str(kept[i]), SLICE("v"));
    assert_int_equal(translate_from_origin(&m), 0);
    assert_int_equal(m.fields.count, sizeof kept / sizeof *kept);
    for (size_t i = 0; i < sizeof kept / sizeof *kept; i++)
        assert_non_null(fields_find(&m.fields, slice_str(kept[i])));
    message_deinit(&m);
}

/* R3 */
static void test_response_connection_abuse(void **state)
{
    struct message m;
    message_init(&m);
    m.status = 200;
    fields_add(&m.fields, SLICE("connection"), SLICE("content-length"));
    assert_true(translate_from_origin(&m) < 0);
    message_deinit(&m);
}

/* D37: what a stream to the origin says in its head. */
static void test_to_stream(void **state)
{
    struct message m;
    message_init(&m);
    m.scheme = SLICE("https");
    translate_to_stream(&m, false, false);
    assert_true(slice_eq(m.scheme, SLICE("http")));
    assert_int_equal(m.fields.count, 0);
    translate_to_stream(&m, true, true);
    assert_true(slice_eq(m.scheme, SLICE("https")));
    assert_true(slice_eq(fields_value(&m.fields, SLICE("te")), SLICE("trailers")));
    message_deinit(&m);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_requests),        cmocka_unit_test(test_our_fields_stop_here),
        cmocka_unit_test(test_nul_in_value),    cmocka_unit_test(test_hop_by_hop_goes),
        cmocka_unit_test(test_trailers),        cmocka_unit_test(test_response_lengths),
        cmocka_unit_test(test_response_fields), cmocka_unit_test(test_response_connection_abuse),
        cmocka_unit_test(test_to_stream),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
