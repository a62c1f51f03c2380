/* SPDX-License-Identifier: MIT */
/* test_client_screen.c - tests what the terminal shows: lines, their width and number, control
 * characters, colours; and the count of viewers. screen.h, audience.h */
#include "client/screen.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "client/audience.h"
#include "h2mux/base/err.h"

static const struct screen_size wide = {.columns = 120, .rows = 24};

static struct screen one_share(enum screen_state state)
{
    struct screen s = {.n_shares = 1};
    s.share[0] = (struct screen_share){.url = "https://demo.example.org",
                                       .origin = "http://localhost:3000",
                                       .state = state,
                                       .links = 1,
                                       .round_trip_us = 33600};
    return s;
}

/* Returns the drawing as a string, which the caller frees. */
static char *drawn(const struct screen *s, struct screen_size size, bool last)
{
    struct buf out;
    buf_init(&out, 1 << 20);
    assert_int_equal(screen_draw(s, size, last, &out), 0);
    char *text = xasprintf("%.*s", SLICE_FMT(buf_slice(&out)));
    buf_release(&out);
    return text;
}

static void expect(const struct screen *s, struct screen_size size, bool last, const char *want)
{
    char *got = drawn(s, size, last);
    assert_string_equal(got, want);
    free(got);
}

#define TAIL                                                                                       \
    "0 viewers, 0 WebSockets, 0 requests under way, 0.0 a second, 0 in all\r\n"                    \
    "Anybody who has the URL can open it. Ctrl-C ends the share."

/* O160 */
static void test_states(void **state)
{
    struct screen s = one_share(SCREEN_UP);
    expect(&s, wide, false,
           "\r\x1b[Jhttps://demo.example.org  shares http://localhost:3000  online, round trip 34 "
           "ms\r\n" TAIL "\r\x1b[2A");
    s.share[0].links = 2;
    expect(&s, wide, true,
           "\r\x1b[Jhttps://demo.example.org  shares http://localhost:3000  online, 2 connections, "
           "round trip 34 ms\r\n" TAIL "\r\n");
    s = one_share(SCREEN_RETRYING);
    s.share[0].retry_ms = 1001;
    expect(&s, wide, false,
           "\r\x1b[Jhttps://demo.example.org  shares http://localhost:3000  reconnecting, next try "
           "in 2 s\r\n" TAIL "\r\x1b[2A");
    s = one_share(SCREEN_CONNECTING);
    s.share[0].url = NULL;
    expect(&s, wide, false,
           "\r\x1b[J(no URL yet)  shares http://localhost:3000  connecting\r\n"
           "Ctrl-C ends it.\r\x1b[1A");
    assert_false(screen_has_url(&s));
    s = one_share(SCREEN_LEAVING);
    assert_true(screen_has_url(&s));
    expect(
        &s, wide, false,
        "\r\x1b[Jhttps://demo.example.org  shares http://localhost:3000  ending: running requests "
        "have a few seconds\r\n" TAIL "\r\x1b[2A");
    expect(&s, wide, true,
           "\r\x1b[Jhttps://demo.example.org  shares http://localhost:3000  ended\r\n" TAIL "\r\n");
}

/* O230: whether the service answers stands behind the state. */
static void test_health(void **state)
{
    static const struct {
        struct health_look app;
        const char *want;
    } looks[] = {
        {{.state = HEALTH_GOOD, .status = 204, .ms = 12}, ", the app answers (204, 12 ms)\r"},
        {{.state = HEALTH_BAD, .status = 503}, ", the app fails (503)\r"},
        {{.state = HEALTH_AWAY, .reason = "refused"}, ", the app does not answer: refused\r"},
        {{.state = HEALTH_UNKNOWN}, "online, round trip 34 ms\r"},
    };
    for (size_t i = 0; i < sizeof looks / sizeof *looks; i++) {
        struct screen s = one_share(SCREEN_UP);
        s.share[0].app = looks[i].app;
        char *got = drawn(&s, (struct screen_size){.columns = 200, .rows = 24}, false);
        assert_non_null(strstr(got, looks[i].want));
        free(got);
    }
}

/* O160: sizes have units, a request without a response was cut, and only plain characters of what
 * strangers send reach the terminal. */
static void test_requests(void **state)
{
    struct screen s = one_share(SCREEN_UP);
    screen_note(&s, "12:00:01", SLICE("GET"), SLICE("/a\x1b[2J\xc3\xa4\r\n"), 200, 12, 999);
    screen_note(&s, "12:00:02", SLICE("POST"), SLICE("/b"), 0, 3, 1000);
    screen_note(&s, "12:00:03", SLICE("GET"), SLICE("/c"), 503, 70000, 123456789);
    screen_notice(&s, SLICE("a warning\x07"), SLICE(""));
    char *got = drawn(&s, wide, false);
    assert_non_null(strstr(got, "\r\n12:00:01 200      12 ms     999 B  GET /a?[2J????\r\n"));
    assert_non_null(strstr(got, "\r\n12:00:02 cut       3 ms    1.0 kB  POST /b\r\n"));
    assert_non_null(strstr(got, "\r\n12:00:03 503   70000 ms  123.4 MB  GET /c\r\x1b[6A"));
    assert_non_null(strstr(got, "\r\na warning?\r\n"));
    assert_non_null(strstr(got, ", 3 in all"));
    free(got);
}

/* O171: the advice of a warning stands below it, in as many lines as it needs. */
static void test_advice(void **state)
{
    struct screen s = one_share(SCREEN_UP);
    struct screen_size narrow = {.columns = 31, .rows = 24};
    screen_notice(&s, SLICE("nobody listens at http://localhost:3000"),
                  SLICE("start your service there; until then viewers get 502"));
    char *got = drawn(&s, narrow, false);
    assert_non_null(strstr(got, "\r\nnobody listens at http://local\r\n"
                                "start your service there;\r\nuntil then viewers get 502\r"));
    free(got);
}

/* O160: the drawing has fewer lines than the terminal, none of them reaches its edge, and the
 * cursor goes up by as many lines as there are before the last; the newest requests are kept. */
static void test_small_terminals(void **state)
{
    struct screen s = one_share(SCREEN_UP);
    char path[600];
    memset(path, 'p', sizeof path);
    for (int i = 0; i < 20; i++)
        screen_note(&s, "12:00:00", SLICE("GET"), slice_make(path, sizeof path), 200 + i, 1, 1);
    for (unsigned columns = 0; columns < 300; columns += 7)
        for (unsigned rows = 0; rows < 30; rows++) {
            struct screen_size size = {.columns = columns, .rows = rows};
            char *got = drawn(&s, size, false), up[24];
            size_t lines = 1, used = 0, least = columns > 20 ? columns : 20;
            for (const char *c = got + strlen("\r\x1b[J"); *c; c++) {
                used = *c == '\r' ? 0 : used + 1;
                lines += *c == '\n';
                assert_true(used < least || *c == '\x1b');
                if (*c == '\n')
                    used = 0;
            }
            assert_true(lines < (rows > 4 ? rows : 4));
            snprintf(up, sizeof up, "\r\x1b[%zuA", lines - 1);
            assert_true(slice_ends(slice_str(got), slice_str(up)));
            if (rows > 6 && columns > 20)
                assert_non_null(strstr(got, "12:00:00 219"));
            free(got);
        }
}

/* O160: colours are SGR alone, and end before the line does. Without them there is none. */
static void test_colours(void **state)
{
    struct screen s = one_share(SCREEN_UP);
    struct screen_size size = {.columns = 120, .rows = 24, .colour = true};
    char *got = drawn(&s, size, false);
    assert_non_null(strstr(got, "\x1b[1mhttps://demo.example.org\x1b[m"));
    assert_non_null(strstr(got, "\x1b[32monline\x1b[m"));
    for (const char *at = got; (at = strchr(at, '\r')); at++)
        assert_true(at == got || at[-1] == 'm' || at[-1] != '\x1b');
    free(got);
    got = drawn(&s, wide, false);
    assert_null(strstr(got, "\x1b[m"));
    free(got);
}

static void test_many_shares(void **state)
{
    struct screen s = one_share(SCREEN_UP);
    for (size_t i = 1; i < SCREEN_SHARES; i++)
        s.share[i] = s.share[0];
    s.n_shares = SCREEN_SHARES + 3;
    struct screen_size tall = {.columns = 120, .rows = 60};
    char *got = drawn(&s, tall, false);
    assert_non_null(strstr(got, "\r\nand 3 more\r\n"));
    free(got);
}

static void test_no_room(void **state)
{
    struct screen s = one_share(SCREEN_UP);
    struct buf out;
    buf_init(&out, 40);
    assert_int_equal(screen_draw(&s, wide, false, &out), ERR_LIMIT);
    buf_release(&out);
}

/* O161 */
static void test_audience(void **state)
{
    static struct audience a;
    const uint64_t s = 1000000;
    assert_int_equal(audience_count(&a, 5 * s), 0);
    audience_note(&a, 0, s);
    audience_note(&a, 7, s);
    audience_note(&a, 7, 2 * s);
    audience_note(&a, 8, 30 * s);
    assert_int_equal(audience_count(&a, 30 * s), 2);
    assert_int_equal(audience_count(&a, 62 * s), 2);
    assert_int_equal(audience_count(&a, 63 * s), 1);
    assert_int_equal(audience_count(&a, 91 * s), 0);
    for (uint64_t i = 1; i <= 3 * AUDIENCE_PLACES; i++)
        audience_note(&a, i, 100 * s);
    assert_int_equal(audience_count(&a, 100 * s), AUDIENCE_PLACES);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_states),          cmocka_unit_test(test_health),
        cmocka_unit_test(test_requests),        cmocka_unit_test(test_advice),
        cmocka_unit_test(test_small_terminals), cmocka_unit_test(test_colours),
        cmocka_unit_test(test_many_shares),     cmocka_unit_test(test_no_room),
        cmocka_unit_test(test_audience),
    };
    return cmocka_run_group_tests_name("screen", tests, NULL, NULL);
}
