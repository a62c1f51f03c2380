/* SPDX-License-Identifier: MIT */
/* test_sleep_watch.c - which difference of two clocks is a sleep. */
#include "h2mux/io/sleep_watch.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

enum { S = 1000000 };

static uint64_t look(struct sleep_watch *w, uint64_t monotonic_s, uint64_t boot_s)
{
    return sleep_watch_look(w, monotonic_s * S, boot_s * S);
}

/* F28 */
static void test_sleeps(void **state)
{
    struct sleep_watch w = {.asleep_us = (uint64_t)100 * S}; /* slept before the start */
    assert_int_equal(look(&w, 10, 110), 0);
    assert_int_equal(look(&w, 11, 111), 0);
    assert_int_equal(look(&w, 12, 116), 0); /* 4 s */
    assert_int_equal(look(&w, 13, 118), 5000);
    assert_int_equal(look(&w, 14, 119), 0); /* once told */
    assert_int_equal(look(&w, 15, 3720), 3600000);
    assert_int_equal(look(&w, 16, 3721), 0);
}

/* F28: no clock ever goes back, but a container may be moved to another machine. */
static void test_back(void **state)
{
    struct sleep_watch w = {.asleep_us = (uint64_t)100 * S};
    assert_int_equal(look(&w, 10, 50), 0);
    assert_int_equal(look(&w, 11, 56), 5000);
    assert_int_equal(look(&w, 60, 50), 0);
}

static void on_wake(void *user, uint64_t slept_ms)
{
    fail();
}

static void stop(void *user)
{
    loop_stop(user);
}

/* F28: a machine that does not sleep is not said to. */
static void test_awake(void **state)
{
    struct loop *l = loop_new();
    struct sleep_watch w, never = {.user = NULL};
    struct timer end;
    sleep_watch_start(&w, l, on_wake, NULL);
    timer_init(&end, l, stop, l);
    timer_arm(&end, SLEEP_LOOK_MS + 200);
    loop_run(l);
    assert_true(timer_armed(&w.timer));
    sleep_watch_stop(&w);
    sleep_watch_stop(&never);
    timer_stop(&end);
    loop_free(l);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_sleeps),
        cmocka_unit_test(test_back),
        cmocka_unit_test(test_awake),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
