/* SPDX-License-Identifier: MIT */
/* test_line.c - line.c: what arriving frames teach of a line, and for how long.
 * docs/flow-control.md#what-a-line-teaches */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "h2mux/h2/line.h"

#define COUNT(rows) (sizeof rows / sizeof(*(rows)))

enum { FULL = 16375, MS = 1000, S = 1000 * MS, TEN_MINUTES = 600 };

struct world {
    struct line line;
    uint64_t now_us, rtt_us, seed;
};

static void begin(struct world *w, uint64_t rtt_us)
{
    *w = (struct world){.now_us = 5 * S, .rtt_us = rtt_us, .seed = 1};
}

static bool frame(struct world *w, uint64_t bytes, bool more)
{
    struct line_frame f = {.bytes = bytes, .full = bytes >= 16000, .more = more};
    return line_arrived(&w->line, &f, w->now_us, w->rtt_us);
}

static uint64_t known(const struct world *w)
{
    return line_rate(&w->line.learned, w->now_us);
}

static uint32_t chance(struct world *w, uint32_t n)
{
    w->seed = w->seed * 6364136223846793005u + 1442695040888963407u;
    return (uint32_t)(w->seed >> 33) % n;
}

/* What a sender does again and again: it sends `frames` full ones and one of `rest` bytes, if that
 * is not 0. If it is `blocked`, it could not have sent more of them. They come `apart_us` after
 * each other, the first `every_us` after the first of the round before, up to `jitter_us` late. */
struct manner {
    uint32_t frames, rest;
    bool blocked;
    uint64_t apart_us, every_us, jitter_us;
};

static void arrive(struct world *w, const struct manner *m, uint64_t for_us)
{
    uint64_t last_us = w->now_us;
    for (uint64_t t = w->now_us, end = t + for_us; t < end; t += m->every_us)
        for (uint32_t i = 0; i < m->frames + (m->rest > 0); i++) {
            uint64_t late = m->jitter_us > 0 ? chance(w, (uint32_t)m->jitter_us) : 0;
            uint64_t at = t + i * m->apart_us + late;
            w->now_us = last_us = at > last_us ? at : last_us;
            bool last = i + 1 == m->frames && (m->blocked || m->rest > 0);
            frame(w, i < m->frames ? FULL : m->rest, i < m->frames && !(last && m->blocked));
        }
}

/* A line of 20 Mbit/s brings a full frame in 6,550 us, one of 1 Gbit/s in 131 us. */
static const struct {
    const char *id;
    uint64_t rtt_us;
    struct manner how;
    uint64_t least, most; /* bytes a second; 0: nothing is learned */
} rows[] = {
    {"F83 20 Mbit/s, 100 ms", 100 * MS, {.frames = 1, .every_us = 6550}, 2450000, 2550000},
    {"F83 20 Mbit/s, 4 ms", 4 * MS, {.frames = 1, .every_us = 6550}, 2450000, 2550000},
    {"F83 2 Mbit/s, 20 ms", 20 * MS, {.frames = 1, .every_us = 65500}, 245000, 255000},
    {"F83 1 Gbit/s, 30 ms", 30 * MS, {.frames = 1, .every_us = 131}, 122000000, 127000000},
    {"F83 read four at a time", 100 * MS, {.frames = 4, .every_us = 26200}, 2450000, 2550000},
    {"F83 jitter of 20 ms",
     100 * MS,
     {.frames = 1, .every_us = 6550, .jitter_us = 20 * MS},
     2200000,
     3000000},
    {"F83 a sender that is short for a moment, at times",
     100 * MS,
     {.frames = 15, .rest = 9000, .apart_us = 6550, .every_us = 16 * 6550},
     2300000,
     2550000},
    {"F84 an origin that trickles", 100 * MS, {.rest = 1400, .every_us = MS}, 0, 0},
    {"F84 an origin, more than a frame at a time",
     100 * MS,
     {.frames = 1, .rest = 4000, .every_us = 5 * MS},
     0,
     0},
    {"F84 an origin, much at a time",
     100 * MS,
     {.frames = 8, .rest = 200, .apart_us = 131, .every_us = 20 * MS},
     0,
     0},
    {"F84 an origin, full frames, long after each other",
     20 * MS,
     {.frames = 20, .apart_us = 10, .every_us = 30 * MS},
     0,
     0},
    {"F84 a window of 64 KiB",
     100 * MS,
     {.frames = 4, .rest = 36, .apart_us = 131, .every_us = 101 * MS},
     0,
     0},
    {"F84 a window that full frames use up",
     100 * MS,
     {.frames = 3, .blocked = true, .apart_us = 131, .every_us = 51 * MS},
     0,
     0},
    {"F84 a viewer that takes two frames a second",
     100 * MS,
     {.frames = 2, .blocked = true, .apart_us = 131, .every_us = S},
     0,
     0},
};

static void the_line_was_the_limit(void **state)
{
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct world w;
        begin(&w, rows[i].rtt_us);
        arrive(&w, &rows[i].how, 5 * S);
        if (known(&w) < rows[i].least || known(&w) > rows[i].most)
            fail_msg("%s: %lu, want %lu to %lu", rows[i].id, (unsigned long)known(&w),
                     (unsigned long)rows[i].least, (unsigned long)rows[i].most);
    }
}

/* F84: TCP begins slowly, and doubles what it sends in a round trip, or less if acknowledgements
 * are delayed. Nothing is learned before the line of 100 Mbit/s is almost full, whatever the first
 * window is. */
static void a_slow_start_teaches_nothing(void **state)
{
    for (uint32_t first = 2; first < 120; first++) {
        struct world w;
        begin(&w, 100 * MS);
        for (uint32_t n = first / 2; n<76; n = first % 2> 0 ? 2 * n : n + (n + 1) / 2) {
            arrive(&w, &(struct manner){.frames = n, .apart_us = 1310, .every_us = 100 * MS},
                   50 * MS);
            w.now_us += 100 * MS - (n - 1) * 1310;
        }
        if (known(&w) > 0 && known(&w) < 10000000)
            fail_msg("%u frames at first: %lu", first, (unsigned long)known(&w));
        arrive(&w, &(struct manner){.frames = 1, .every_us = 1310}, S);
        assert_in_range(known(&w), 11500000, 13000000);
    }
}

/* F83: a sample takes two round trips, and the first one needs another that says the same. */
static void it_takes_three_round_trips(void **state)
{
    struct world w;
    begin(&w, 100 * MS);
    arrive(&w, &(struct manner){.frames = 1, .every_us = 6550}, 290 * MS);
    assert_int_equal(known(&w), 0);
    arrive(&w, &(struct manner){.frames = 1, .every_us = 6550}, 40 * MS);
    assert_in_range(known(&w), 2400000, 2600000);
}

/* F83: the end of the last body ends its sample. */
static void the_last_frame_counts(void **state)
{
    struct world w;
    begin(&w, 100 * MS);
    for (int i = 0; i < 48; i++, w.now_us += 6550)
        assert_false(frame(&w, FULL, true));
    assert_true(frame(&w, 100, false));
    assert_in_range(known(&w), 2300000, 2550000);
}

/* F83: a line that has become faster is learned at once, one that has become slower when the old
 * rate is forgotten. */
static void a_line_changes(void **state)
{
    const struct manner slow = {.frames = 1, .every_us = 6550},
                        fast = {.frames = 1, .every_us = 1310};
    struct world w;
    begin(&w, 100 * MS);
    arrive(&w, &slow, S);
    arrive(&w, &fast, S);
    assert_in_range(known(&w), 12000000, 12700000);
    arrive(&w, &slow, (TEN_MINUTES - 1) * (uint64_t)S);
    assert_in_range(known(&w), 12000000, 12700000);
    arrive(&w, &slow, 3 * S);
    assert_in_range(known(&w), 2400000, 2600000);
}

/* F84: a rate that is too small does not stay: whatever the limit was, the line carries what has
 * come. But that alone teaches nothing. */
static void at_least_what_has_come(void **state)
{
    const struct manner origin = {.frames = 1, .rest = 4000, .every_us = 3 * MS};
    struct world w;
    begin(&w, 100 * MS);
    arrive(&w, &origin, S);
    assert_int_equal(known(&w), 0);
    arrive(&w, &(struct manner){.frames = 1, .every_us = 65500}, 5 * S);
    assert_in_range(known(&w), 240000, 260000);
    arrive(&w, &origin, S);
    assert_in_range(known(&w), 6500000, 7000000);
}

/* F86: a rate is known for ten minutes after it was shown last. */
static void ten_minutes(void **state)
{
    const struct manner line = {.frames = 1, .every_us = 6550};
    struct world w;
    begin(&w, 100 * MS);
    arrive(&w, &line, S);
    w.now_us += (TEN_MINUTES - 1) * (uint64_t)S;
    assert_in_range(known(&w), 2450000, 2550000);
    arrive(&w, &line, S); /* shown again */
    w.now_us += (TEN_MINUTES - 1) * (uint64_t)S;
    assert_in_range(known(&w), 2450000, 2550000);
    w.now_us += 2 * S;
    assert_int_equal(known(&w), 0);
    arrive(&w, &line, S);
    assert_in_range(known(&w), 2450000, 2550000);
}

/* The owner is told when something was learned or shown, at most once a second. */
static void the_owner_is_told(void **state)
{
    struct world w;
    int told = 0;
    begin(&w, 100 * MS);
    for (; w.now_us < 15 * S; w.now_us += 6550)
        told += frame(&w, FULL, true);
    assert_in_range(told, 8, 14);
}

/* Whatever comes, what is learned is never more than the most that has come in the time. */
static void anything(void **state)
{
    for (uint64_t seed = 1; seed < 200; seed++) {
        struct world w;
        begin(&w, 1 + seed * seed * 7);
        w.seed = seed;
        for (int i = 0; i < 5000; i++) {
            w.now_us += chance(&w, 4) > 0 ? chance(&w, 1u << chance(&w, 24)) : 0;
            frame(&w, chance(&w, 2) > 0 ? FULL : chance(&w, FULL), chance(&w, 3) > 0);
            assert_true(known(&w) <= UINT64_C(1000000) * 5000 * FULL);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_line_was_the_limit),
        cmocka_unit_test(a_slow_start_teaches_nothing),
        cmocka_unit_test(it_takes_three_round_trips),
        cmocka_unit_test(the_last_frame_counts),
        cmocka_unit_test(a_line_changes),
        cmocka_unit_test(at_least_what_has_come),
        cmocka_unit_test(ten_minutes),
        cmocka_unit_test(the_owner_is_told),
        cmocka_unit_test(anything),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
