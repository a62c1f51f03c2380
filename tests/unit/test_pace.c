/* SPDX-License-Identifier: MIT */
/* test_pace.c - pace.c: how much may be queued follows the rate at which a queue drains that never
 * runs empty. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "h2mux/h2/pace.h"

#define COUNT(rows) (sizeof rows / sizeof((rows)[0]))

enum { KIB = 1024, MS = 1000, START = 5000000 };

static const struct {
    const char *name;
    uint64_t rate;
    size_t want;
} queues[] = {
    {"nothing known", 0, PACE_UNKNOWN},
    {"a crawl", 1, PACE_LEAST},
    {"just the least", PACE_LEAST * 100, PACE_LEAST},
    {"a little more", PACE_LEAST * 100 + 100, PACE_LEAST + 1},
    {"20 Mbit/s", 2500000, 25000},
    {"just the most", PACE_MOST * 100, PACE_MOST},
    {"just below it", PACE_MOST * 100 - 100, PACE_MOST - 1},
    {"a very fast peer", 10000000000, PACE_MOST},
};

static void queues_are_some_milliseconds(void **state)
{
    for (size_t i = 0; i < COUNT(queues); i++) {
        struct pace p = {.rate = queues[i].rate};
        if (pace_queue(&p) != queues[i].want)
            fail_msg("%s: %zu", queues[i].name, pace_queue(&p));
    }
}

/* The program's queue is a part of the round trip, 2 ms at least and 10 ms at most. On a short line
 * it is as long as the kernel's. */
static const struct {
    const char *name;
    uint64_t trip_us, rate;
    size_t want;
} aheads[] = {
    {"no round trip known", 0, 10000000, 100000},
    {"a short line", 2 * MS, 10000000, 100000},
    {"just not short", 2 * MS + 1, 10000000, 20000},
    {"20 ms", 20 * MS, 10000000, 20000},
    {"50 ms", 50 * MS, 10000000, 50000},
    {"100 ms", 100 * MS, 10000000, 100000},
    {"half a second", 500 * MS, 10000000, 100000},
    {"a slow line", 20 * MS, 2500000, PACE_LEAST},
    {"a fast line", 50 * MS, 1000000000, PACE_MOST},
    {"no rate known", 50 * MS, 0, PACE_UNKNOWN},
};

static void the_own_queue_follows_the_line(void **state)
{
    for (size_t i = 0; i < COUNT(aheads); i++) {
        struct pace p = {.rate = aheads[i].rate, .trip_us = aheads[i].trip_us};
        if (pace_ahead(&p) != aheads[i].want)
            fail_msg("%s: %zu", aheads[i].name, pace_ahead(&p));
    }
}

/* The first call finds an empty queue; then @bytes leave @times, @every_us apart. */
static const struct {
    const char *name;
    uint64_t bytes, every_us;
    int times;
    bool backlogged;
    uint64_t want; /* bytes a second */
} samples[] = {
    {"too short", 10 * KIB, 1 * MS, 4, true, 0},
    {"5 ms", 10 * KIB, 1 * MS, 5, true, 10 * KIB * 1000},
    {"one call after long", 10 * KIB, 100 * MS, 1, true, 10 * KIB * 10},
    {"1 MiB in less", 512 * KIB, 1 * MS, 2, true, 512 * KIB * 1000},
    {"just below 1 MiB", 512 * KIB - 1, 1 * MS, 2, true, 0},
    {"at once", 4096 * KIB, 0, 5, true, 0},
    {"never backlogged", 10 * KIB, 1 * MS, 100, false, 0},
    {"steady", 10 * KIB, 1 * MS, 1000, true, 10 * KIB * 1000},
    {"nothing leaves", 0, 10 * MS, 10, true, 0},
};

static void rates_are_measured_over_a_while(void **state)
{
    for (size_t i = 0; i < COUNT(samples); i++) {
        struct pace p = {0};
        uint64_t now_us = START;
        pace_sent(&p, 123456, now_us, false);
        for (int n = 0; n < samples[i].times; n++)
            pace_sent(&p, samples[i].bytes, now_us += samples[i].every_us, samples[i].backlogged);
        if (p.rate != samples[i].want)
            fail_msg("%s: %llu", samples[i].name, (unsigned long long)p.rate);
    }
}

/* What left while the queue was empty says what was offered, not what is taken: the sample that
 * runs is dropped with it. */
static void an_empty_queue_begins_anew(void **state)
{
    struct pace p = {0};
    pace_sent(&p, 0, START, false);
    pace_sent(&p, 100 * KIB, START + 4 * MS, true);
    pace_sent(&p, 100 * KIB, START + 8 * MS, false);
    pace_sent(&p, 10 * KIB, START + 12 * MS, true);
    assert_int_equal(p.rate, 0);
    pace_sent(&p, 10 * KIB, START + 13 * MS, true);
    assert_int_equal(p.rate, 20 * KIB * 200);
}

/* A quarter of what is new counts: one odd sample does little, many do all. */
static void rates_are_learned_slowly(void **state)
{
    struct pace p = {.rate = 1000 * 1000, .since_us = START};
    uint64_t now_us = START;
    pace_sent(&p, 50000, now_us += 10 * MS, true);
    assert_int_equal(p.rate, 2000 * 1000);
    for (int n = 0; n < 50; n++)
        pace_sent(&p, 50000, now_us += 10 * MS, true);
    assert_in_range(p.rate, 4999 * 1000, 5000 * 1000);
    pace_sent(&p, 0, now_us += 10 * MS, true);
    assert_in_range(p.rate, 3749 * 1000, 3750 * 1000);
    pace_sent(&p, 0, now_us += 10 * MS, false);
    assert_in_range(p.rate, 3749 * 1000, 3750 * 1000);
}

/* Numbers as they come from a link that has been up for long. */
static void large_numbers_do_not_overflow(void **state)
{
    struct pace p = {.since_us = START};
    pace_sent(&p, (uint64_t)1 << 40, START + 10 * MS, true);
    assert_int_equal(pace_queue(&p), PACE_MOST);
    pace_sent(&p, 1, UINT64_MAX, true);
    pace_sent(&p, 1, UINT64_MAX, true);
    assert_int_equal(pace_queue(&p), PACE_MOST);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(queues_are_some_milliseconds),
        cmocka_unit_test(the_own_queue_follows_the_line),
        cmocka_unit_test(rates_are_measured_over_a_while),
        cmocka_unit_test(an_empty_queue_begins_anew),
        cmocka_unit_test(rates_are_learned_slowly),
        cmocka_unit_test(large_numbers_do_not_overflow),
    };
    return cmocka_run_group_tests_name("pace", tests, NULL, NULL);
}
