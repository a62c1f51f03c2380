/* SPDX-License-Identifier: MIT */
/* test_client_backoff.c - delays: bounds, growth, cap, and when a failure counts as the first one
 * again. */
#include "client/server/backoff.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

enum { S = 1000000 };

static void test_first_retry_is_soon(void **state)
{
    static const uint32_t dice[] = {0, 1, UINT32_MAX / 2, UINT32_MAX};
    for (size_t i = 0; i < sizeof dice / sizeof *dice; i++) {
        struct backoff b = {0};
        uint64_t ms = backoff_next_ms(&b, 0, dice[i]);
        assert_in_range(ms, 1, BACKOFF_FIRST_MS);
    }
}

static void test_bounds_grow_to_the_cap(void **state)
{
    struct backoff b = {0};
    uint64_t before = 0;
    for (int i = 0; i < 100; i++) {
        uint64_t ms = backoff_next_ms(&b, 0, UINT32_MAX);
        assert_true(ms >= before);
        assert_true(ms <= BACKOFF_CAP_MS);
        before = ms;
    }
    assert_int_equal(before, BACKOFF_CAP_MS);
    assert_int_equal(b.failures, 100);
}

/* The worst gap never exceeds the outage so far by much: a restart of 2 s is noticed within 4 s. */
static void test_gaps_follow_the_outage(void **state)
{
    struct backoff b = {0};
    uint64_t elapsed = 0, ms;
    while (elapsed < 10 * 1000) {
        ms = backoff_next_ms(&b, 0, UINT32_MAX);
        assert_true(ms <= BACKOFF_FIRST_MS + elapsed);
        elapsed += ms;
    }
}

static void test_reset_needs_a_steady_link(void **state)
{
    static const struct {
        const char *name;
        uint64_t lived_us;
        bool forgotten;
    } rows[] = {
        {"accepted and dropped", 0, false},
        {"lived for a moment", S / 10, false},
        {"just not long enough", (uint64_t)BACKOFF_STEADY_MS * 1000 - 1, false},
        {"steady", (uint64_t)BACKOFF_STEADY_MS * 1000, true},
        {"hours", (uint64_t)7200 * S, true},
    };

    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct backoff b = {0};
        for (int k = 0; k < 5; k++)
            backoff_next_ms(&b, S, UINT32_MAX);
        backoff_up(&b, 100 * (uint64_t)S);
        uint64_t ms = backoff_next_ms(&b, 100 * (uint64_t)S + rows[i].lived_us, UINT32_MAX);
        if ((ms <= BACKOFF_FIRST_MS) != rows[i].forgotten)
            fail_msg("%s: %llu ms", rows[i].name, (unsigned long long)ms);
    }
}

/* A server that dies young again and again is asked within the lower cap, however often; where
 * nobody answers between two lives the bound goes on from there. */
static void test_a_brief_life_lowers_the_bound(void **state)
{
    struct backoff b = {0};
    uint64_t now = S;
    for (int k = 0; k < 100; k++)
        backoff_next_ms(&b, now, UINT32_MAX);
    for (int k = 0; k < 100; k++) {
        backoff_up(&b, now += S);
        assert_false(backoff_skip(&b, now + S / 2));
        assert_int_equal(backoff_next_ms(&b, now + S / 2, UINT32_MAX), BACKOFF_BRIEF_MS);
    }
    assert_int_equal(backoff_next_ms(&b, now, UINT32_MAX), BACKOFF_BRIEF_MS * 8 / 5);
}

static void test_brief_lives_are_not_hammered(void **state)
{
    struct backoff b = {0};
    uint64_t now = S, spent = 0;
    for (int k = 0; k < 30; k++) {
        backoff_up(&b, now += S);
        spent += backoff_next_ms(&b, now, UINT32_MAX / 2);
    }
    assert_in_range(spent, 30 * 1000, 30 * BACKOFF_BRIEF_MS / 2);
}

/* Who worked for a second is followed at once, once; the failures before it are forgotten. */
static void test_only_what_lasted_is_followed_at_once(void **state)
{
    struct backoff b = {0};
    assert_false(backoff_skip(&b, S));
    for (int k = 0; k < 100; k++)
        backoff_next_ms(&b, S, UINT32_MAX);
    backoff_up(&b, S);
    assert_false(backoff_skip(&b, 2 * S - 1));
    assert_true(backoff_skip(&b, 2 * S));
    assert_false(backoff_skip(&b, 3 * S));
    assert_true(backoff_next_ms(&b, 3 * S, UINT32_MAX) <= BACKOFF_FIRST_MS);
}

static void test_jitter_is_full(void **state)
{
    struct backoff low = {0}, high = {0};
    for (int k = 0; k < 30; k++) {
        backoff_next_ms(&low, 0, 0);
        backoff_next_ms(&high, 0, 0);
    }
    assert_true(backoff_next_ms(&low, 0, 0) < 100);
    assert_int_equal(backoff_next_ms(&high, 0, UINT32_MAX), BACKOFF_CAP_MS);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_first_retry_is_soon),
        cmocka_unit_test(test_bounds_grow_to_the_cap),
        cmocka_unit_test(test_gaps_follow_the_outage),
        cmocka_unit_test(test_reset_needs_a_steady_link),
        cmocka_unit_test(test_a_brief_life_lowers_the_bound),
        cmocka_unit_test(test_brief_lives_are_not_hammered),
        cmocka_unit_test(test_only_what_lasted_is_followed_at_once),
        cmocka_unit_test(test_jitter_is_full),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
