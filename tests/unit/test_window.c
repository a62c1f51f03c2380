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
        window_init(&w, rows[i].size);
        for (int n = 0; n < rows[i].times; n++) {
            uint64_t now_us = START + (uint64_t)n * rows[i].every_us;
            bool used = window_credit(&w, rows[i].bytes, now_us, rows[i].rtt_us);
            if (used && rows[i].may_grow)
                window_resize(&w, window_double(&w), now_us);
        }
        if (w.size != rows[i].want)
            fail_msg("%s: %u, want %u", rows[i].id, w.size, rows[i].want);
    }
}

/* A window that was used up says so until its round is over: growth may wait for the budget, or for
 * what the reader's system acknowledges. */
static void a_round_lasts(void **state)
{
    struct window w;
    window_init(&w, WINDOW_INITIAL);
    for (uint64_t n = 0; n < 4; n++)
        assert_false(window_credit(&w, 16 * KIB, START + n, 50 * MS));
    assert_false(window_credit(&w, 16 * KIB - 1, START + 5, 50 * MS));
    assert_true(window_credit(&w, 1, START + 6, 50 * MS));
    assert_true(window_credit(&w, 1, START + 100 * MS, 50 * MS));
    assert_false(window_credit(&w, 1, START + 101 * MS, 50 * MS));
}

/* ---- F21: what earns growth */

enum { S = 1000 * MS, ANSWERS = 6 };

/* The reader's system is asked again and again, `every_us` apart, and says that it has `taken`. */
static const struct {
    const char *id;
    uint64_t rtt_us, every_us, taken[ANSWERS];
    int want; /* the first answer that earns growth, from 1 on; 0: none */
} earnings[] = {
    {"the first answer is only the beginning", 0, MS, {9999 * KIB, 9999 * KIB}, 0},
    {"a whole window", 0, MS, {1000, 1000 + 64 * KIB}, 2},
    {"a byte less", 0, MS, {1000, 999 + 64 * KIB, 999 + 64 * KIB, 999 + 64 * KIB}, 0},
    {"in pieces", 0, 300 * MS, {0, 30 * KIB, 60 * KIB, 64 * KIB}, 4},
    {"in pieces, too late", 0, 340 * MS, {0, 30 * KIB, 60 * KIB, 64 * KIB, 90 * KIB}, 0},
    {"the second begins anew", 0, 2 * S, {0, 500 * KIB, 900 * KIB, 1300 * KIB}, 0},
    {"bursts a second apart", 0, S, {0, 60 * KIB, 130 * KIB, 200 * KIB}, 4},
    {"a satellite", 600 * MS, 1200 * MS, {0, 60 * KIB, 130 * KIB}, 3},
    {"a unix socket's number falls", 0, MS, {90 * KIB, 80 * KIB, 10 * KIB, 153 * KIB}, 0},
    {"nobody takes anything", 0, MS, {7, 7, 7, 7, 7, 7}, 0},
};

static void growth_is_earned(void **state)
{
    for (size_t i = 0; i < COUNT(earnings); i++) {
        struct window w;
        int first = 0;
        window_init(&w, 64 * KIB);
        for (int n = 0; n < ANSWERS && first == 0; n++) {
            uint64_t now = START + (uint64_t)n * earnings[i].every_us;
            if (n > 1 && earnings[i].taken[n] == 0)
                break;
            if (window_earned(&w, earnings[i].taken[n], now, earnings[i].rtt_us))
                first = n + 1;
        }
        if (first != earnings[i].want)
            fail_msg("%s: %d, want %d", earnings[i].id, first, earnings[i].want);
    }
}

/* F21: a body of half a window or less, and one that need not grow, cost at most one call. */
static void the_kernel_is_seldom_asked(void **state)
{
    struct window w;
    window_init(&w, 64 * KIB);
    window_credit(&w, 32 * KIB - 1, START, MS);
    assert_false(window_asks(&w, false));
    window_credit(&w, 1, START, MS);
    assert_true(window_asks(&w, false));
    window_earned(&w, 0, START, MS);
    window_credit(&w, 900 * KIB, START, MS);
    assert_false(window_asks(&w, false));
    assert_true(window_asks(&w, true));
    window_earned(&w, 0, START, MS);
    window_credit(&w, 16 * KIB - 1, START, MS);
    assert_false(window_asks(&w, true));
    window_credit(&w, 1, START, MS);
    assert_true(window_asks(&w, true));
}

/* ---- F22: slow readers */

/* One look a second, from 0 on, with a window of 1 MiB: the reader takes `rate` bytes a second, and
 * has nothing to wait for in the seconds of `idle`. */
static const struct {
    const char *id;
    uint64_t rate;
    uint32_t idle; /* bits */
    int want;      /* the look that finds it slow; 0: none in 31 s */
} slows[] = {
    {"takes nothing", 0, 0, 10},
    {"takes little", KIB, 0, 10},
    {"just too little", 104857, 0, 10},
    {"just enough", 104858, 0, 0},
    {"fast", 100 * 1024 * KIB, 0, 0},
    {"had nothing to take for a moment", KIB, 1 << 9, 20},
    {"now and then", KIB, 1 << 5 | 1 << 14 | 1 << 23 | 1 << 30, 0},
    {"never anything", 0, UINT32_MAX, 0},
};

static void a_slow_reader_is_found(void **state)
{
    for (size_t i = 0; i < COUNT(slows); i++) {
        struct window w;
        int found = 0;
        window_init(&w, 1024 * KIB);
        for (int n = 0; n < 32 && found == 0; n++) {
            uint64_t now = START + (uint64_t)n * S;
            if (window_slow_asks(&w, !(slows[i].idle >> n & 1), now) &&
                window_slow(&w, 77 + (uint64_t)n * slows[i].rate, now))
                found = n;
        }
        if (found != slows[i].want)
            fail_msg("%s: %d, want %d", slows[i].id, found, slows[i].want);
    }
}

enum { LEAST = WINDOW_INITIAL, MOST = WINDOW_LEARNED_MAX, START_MOST = WINDOW_START_MAX };
enum { LINK = 32 * 1024 * KIB, MBIT = 125000 };

/* F80: what a line carries in a round trip. */
static void a_line_has_a_window(void **state)
{
    static const struct {
        uint64_t rtt_us, rate;
        uint32_t want;
    } lines[] = {
        {0, 1000 * MBIT, 0},
        {2 * MS, 1000 * MBIT, 0}, /* near, however fast it is */
        {2 * MS + 1, 1000 * MBIT, 250125},
        {20 * MS, 1000 * MBIT, 2500000},
        {34 * MS, 1000 * MBIT, START_MOST},
        {100 * MS, 0, 0},
        {100 * MS, 20 * MBIT, 250000},
        {100 * MS, 100 * MBIT, 1250000},
        {600 * MS, 1 * MBIT, 75000},
        {UINT64_MAX, 1000000 * (uint64_t)MBIT, START_MOST},
        {UINT64_MAX, 1000, 10000}, /* no round trip counts as more than 10 s */
    };
    for (size_t i = 0; i < COUNT(lines); i++)
        if (window_line(lines[i].rtt_us, lines[i].rate) != lines[i].want)
            fail_msg("%zu: %u", i, window_line(lines[i].rtt_us, lines[i].rate));
}

static const struct {
    const char *id;
    uint32_t learned, line;
    uint64_t others, budget;
    uint32_t want;
} starts[] = {
    {"nothing known", 0, 0, 0, LINK, LEAST},
    {"learned what is announced", LEAST, 0, 0, LINK, LEAST},
    {"learned less", LEAST / 2, 0, 0, LINK, LEAST},
    {"learned more", 2 * LEAST, 0, 0, LINK, 2 * LEAST},
    {"learned, an odd size", 100 * KIB, 0, 0, LINK, 100 * KIB},
    {"learned the most", MOST, 0, 0, LINK, MOST},
    {"learned beyond it", WINDOW_MAX, 0, 0, LINK, MOST},
    {"a line of less than a window", 0, 5000, 0, LINK, LEAST},
    {"a line", 0, 250000, 0, LINK, 250000},
    {"a line beside one other", 0, 250000, 1, LINK, 125000},
    {"beside two", 0, 400000, 2, LINK, 100000},
    {"beside three", 0, 400000, 3, LINK, 100000},
    {"beside four", 0, 400000, 4, LINK, LEAST},
    {"the longest line", 0, START_MOST, 0, LINK, START_MOST},
    {"beside five", 0, START_MOST, 5, LINK, START_MOST / 8},
    {"beside 31", 0, START_MOST, 31, LINK, 2 * LEAST},
    {"beside 32", 0, START_MOST, 32, LINK, LEAST},
    {"learned, beside 32", MOST, 0, 32, LINK, LEAST},
    {"learned, an odd size, beside 32", 100 * KIB, 0, 32, LINK, LEAST},
    {"the line asks for more than was learned", 2 * LEAST, 8 * LEAST, 0, LINK, 8 * LEAST},
    {"learned more than the line asks for", 8 * LEAST, 2 * LEAST, 0, LINK, 8 * LEAST},
    {"a thousand others", MOST, START_MOST, 1023, LINK, LEAST / 16},
    {"small budget", MOST, START_MOST, 0, 4 * 2 * LEAST, 2 * LEAST},
    {"smaller budget", MOST, START_MOST, 0, 4 * 2 * LEAST - 4, 2 * LEAST - 1},
    {"no budget", MOST, START_MOST, 0, 0, 0},
    {"no end of others", MOST, START_MOST, UINT32_MAX, LINK, 0},
};

/* F80: never beyond its share or the most. */
static void windows_start_with_what_is_known(void **state)
{
    for (size_t i = 0; i < COUNT(starts); i++) {
        uint32_t size =
            window_start(starts[i].learned, starts[i].line, starts[i].others, starts[i].budget);
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
        if (window_initial(begins[i].now, begins[i].requests, begins[i].requests, WINDOW_INITIAL) !=
            begins[i].want)
            fail_msg("%u of %u: %u", begins[i].now, begins[i].requests,
                     window_initial(begins[i].now, begins[i].requests, begins[i].requests,
                                    WINDOW_INITIAL));
}

/* F81: on a long line few streams begin with more, WebSockets among them. */
static void few_windows_begin_larger(void **state)
{
    static const struct {
        uint32_t now, requests, streams, first, want;
    } begins[] = {
        {4096 * KIB, 4, 4, 4096 * KIB, 4096 * KIB}, {4096 * KIB, 5, 5, 4096 * KIB, 1024 * KIB},
        {4096 * KIB, 0, 5, 4096 * KIB, 1024 * KIB}, {1024 * KIB, 16, 16, 4096 * KIB, 1024 * KIB},
        {1024 * KIB, 17, 17, 4096 * KIB, 64 * KIB}, {1024 * KIB, 2, 500, 4096 * KIB, 64 * KIB},
        {64 * KIB, 8, 8, 4096 * KIB, 1024 * KIB},   {64 * KIB, 9, 9, 4096 * KIB, 64 * KIB},
        {1024 * KIB, 2, 2, 4096 * KIB, 4096 * KIB}, {1024 * KIB, 3, 3, 4096 * KIB, 1024 * KIB},
        {200 * KIB, 5, 5, 200 * KIB, 64 * KIB},     {4096 * KIB, 1, 1, 64 * KIB, 64 * KIB},
        {4096 * KIB, 33, 33, 4096 * KIB, 16 * KIB},
    };
    for (size_t i = 0; i < COUNT(begins); i++) {
        uint32_t size =
            window_initial(begins[i].now, begins[i].requests, begins[i].streams, begins[i].first);
        if (size != begins[i].want)
            fail_msg("%zu: %u, want %u", i, size, begins[i].want);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(windows_grow_when_they_were_the_limit),
        cmocka_unit_test(a_round_lasts),
        cmocka_unit_test(growth_is_earned),
        cmocka_unit_test(the_kernel_is_seldom_asked),
        cmocka_unit_test(a_slow_reader_is_found),
        cmocka_unit_test(a_line_has_a_window),
        cmocka_unit_test(windows_start_with_what_is_known),
        cmocka_unit_test(windows_begin_smaller_in_a_crowd),
        cmocka_unit_test(few_windows_begin_larger),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
