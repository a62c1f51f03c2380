/* SPDX-License-Identifier: MIT */
/* test_window.c - window.c: when a receive window grows, and what it starts with. RFC 9113 6.9;
 * http-rules.md#memory */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "h2mux/h2/window.h"

#define COUNT(rows) (sizeof rows / sizeof(*(rows)))

enum { KIB = 1024, MS = 1000, START = 5000000 };

/* Credit of @bytes comes @times, @every_us apart. */
static const struct {
    const char *id;
    uint32_t size;
    uint64_t rtt_us, bytes, every_us;
    int times;
    bool may_grow;
    uint32_t want; /* the size afterwards */
} rows[] = {
    {"used within a round trip", 64 * KIB, 50 * MS, 16 * KIB, 10 * MS, 5, true, 128 * KIB},
    {"used, in halves, one wait each", 64 * KIB, 50 * MS, 32 * KIB, 50 * MS, 3, true, 128 * KIB},
    {"not yet used", 64 * KIB, 50 * MS, 16 * KIB, 10 * MS, 4, true, 64 * KIB},
    {"the first credit only starts the clock", 64 * KIB, 50 * MS, 64 * KIB, 0, 1, true, 64 * KIB},
    {"used slowly", 64 * KIB, 50 * MS, 16 * KIB, 26 * MS, 100, true, 64 * KIB},
    {"a stalled viewer taking all at once", 64 * KIB, 50 * MS, 64 * KIB, 10000 * MS, 10, true,
     64 * KIB},
    {"round trip not measured", 64 * KIB, 0, 64 * KIB, 0, 10, true, 64 * KIB},
    {"budget half used", 64 * KIB, 50 * MS, 64 * KIB, 1 * MS, 10, false, 64 * KIB},
    {"crowded start", 16 * KIB, 50 * MS, 16 * KIB, 1 * MS, 2, true, 32 * KIB},
    {"again and again", 64 * KIB, 50 * MS, 64 * KIB, 1 * MS, 4, true, 256 * KIB},
    {"never beyond the maximum", 64 * KIB, 50 * MS, 8192 * KIB, 1 * MS, 100, true, WINDOW_MAX},
    {"odd size", WINDOW_MAX - 1, 50 * MS, 8192 * KIB, 1 * MS, 2, true, WINDOW_MAX},
};

static void windows_grow_when_they_were_the_limit(void **state)
{
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct window w;
        uint32_t size = rows[i].size;
        window_init(&w, size);
        for (int n = 0; n < rows[i].times; n++) {
            uint64_t now_us = START + (uint64_t)n * rows[i].every_us;
            uint32_t grown =
                window_credit(&w, rows[i].bytes, now_us, rows[i].rtt_us, rows[i].may_grow);
            assert_true(grown == 0 || grown > size);
            size = grown ? grown : size;
        }
        assert_int_equal(size, w.size);
        if (size != rows[i].want)
            fail_msg("%s: %u, want %u", rows[i].id, size, rows[i].want);
    }
}

/* Growth waits until the budget allows it, then comes with the next credit of a busy round. */
static void growth_waits_for_the_budget(void **state)
{
    struct window w;
    window_init(&w, WINDOW_INITIAL);
    for (uint64_t n = 0; n < 5; n++)
        assert_int_equal(window_credit(&w, 16 * KIB, START + n, 50 * MS, false), 0);
    assert_int_equal(window_credit(&w, 1, START + 5, 50 * MS, true), 2 * WINDOW_INITIAL);
}

enum { LEAST = WINDOW_INITIAL, MOST = WINDOW_LEARNED_MAX, LINK = 32 * 1024 * KIB };

static const struct {
    const char *id;
    uint32_t learned;
    uint64_t rtt_us, bodies, budget;
    uint32_t want;
} starts[] = {
    {"nothing known", 0, 0, 0, LINK, LEAST},
    {"learned what is announced", LEAST, 0, 0, LINK, LEAST},
    {"learned less", LEAST / 2, 0, 0, LINK, LEAST},
    {"learned more", 2 * LEAST, 0, 0, LINK, 2 * LEAST},
    {"learned, an odd size", 100 * KIB, 0, 0, LINK, 100 * KIB},
    {"learned the most", MOST, 0, 0, LINK, MOST},
    {"learned beyond it", WINDOW_MAX, 0, 0, LINK, MOST},
    {"a short line", 0, 26 * MS, 0, LINK, LEAST},
    {"just longer", 0, 27 * MS, 0, LINK, 2 * LEAST},
    {"150 ms", 0, 150 * MS, 0, LINK, 8 * LEAST},
    {"a line beyond the most", 0, 10000 * MS, 0, LINK, MOST},
    {"the line asks for more than was learned", 2 * LEAST, 150 * MS, 0, LINK, 8 * LEAST},
    {"learned more than the line asks for", 8 * LEAST, 27 * MS, 0, LINK, 8 * LEAST},
    {"odd and doubled", 100 * KIB, 150 * MS, 0, LINK, 400 * KIB},
    {"odd, doubled past the most", 600 * KIB, 10000 * MS, 0, LINK, MOST},
    {"a quarter, seven others", MOST, 0, 7, LINK, MOST},
    {"a quarter, eight others", MOST, 0, 8, LINK, MOST / 2},
    {"many others", MOST, 0, 127, LINK, LEAST},
    {"still worth it", MOST, 0, 63, LINK, 2 * LEAST},
    {"a thousand others", MOST, 0, 1023, LINK, LEAST / 8},
    {"the line's, shared", 0, 150 * MS, 31, LINK, 4 * LEAST},
    {"small budget", MOST, 150 * MS, 0, 4 * 2 * LEAST, 2 * LEAST},
    {"smaller budget", MOST, 150 * MS, 0, 4 * 2 * LEAST - 1, LEAST},
    {"no budget", MOST, 150 * MS, 0, 0, 0},
};

/* Never beyond its share or the most. */
static void windows_start_with_what_others_have_learned(void **state)
{
    for (size_t i = 0; i < COUNT(starts); i++) {
        uint32_t size =
            window_start(starts[i].learned, starts[i].rtt_us, starts[i].bodies, starts[i].budget);
        if (size != starts[i].want)
            fail_msg("%s: %u, want %u", starts[i].id, size, starts[i].want);
    }
}

/* What a stream begins with by how many requests are open: less at once, more again at half. */
static void windows_begin_smaller_in_a_crowd(void **state)
{
    static const struct {
        uint32_t now, requests, want;
    } begins[] = {
        {64 * KIB, 0, 64 * KIB},        {64 * KIB, 32, 64 * KIB}, {64 * KIB, 33, 16 * KIB},
        {16 * KIB, 33, 16 * KIB},       {16 * KIB, 17, 16 * KIB}, {16 * KIB, 16, 64 * KIB},
        {16 * KIB, 128, 16 * KIB},      {16 * KIB, 129, 8 * KIB}, {8 * KIB, 65, 8 * KIB},
        {8 * KIB, 64, 16 * KIB},        {8 * KIB, 513, 4 * KIB},  {4 * KIB, 257, 4 * KIB},
        {4 * KIB, 256, 8 * KIB},        {4 * KIB, 1, 64 * KIB},   {64 * KIB, 513, 4 * KIB},
        {4 * KIB, UINT32_MAX, 4 * KIB},
    };
    for (size_t i = 0; i < COUNT(begins); i++)
        if (window_initial(begins[i].now, begins[i].requests) != begins[i].want)
            fail_msg("%u of %u: %u", begins[i].now, begins[i].requests,
                     window_initial(begins[i].now, begins[i].requests));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(windows_grow_when_they_were_the_limit),
        cmocka_unit_test(growth_waits_for_the_budget),
        cmocka_unit_test(windows_start_with_what_others_have_learned),
        cmocka_unit_test(windows_begin_smaller_in_a_crowd),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
