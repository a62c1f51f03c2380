/* SPDX-License-Identifier: MIT */
/* test_bucket.c - token bucket: burst, refill, no time lost, no overflow. */
#include "h2mux/base/bucket.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#define COUNT(rows) (sizeof rows / sizeof((rows)[0]))
#define SECOND UINT64_C(1000000)

/* Each row goes on from the one before: burst 5, rate 10 a second, created at 1 s. */
static void test_steps(void **state)
{
    static const struct {
        const char *name;
        uint64_t at_us, tokens;
        bool want;
    } rows[] = {
        {"more than the burst", SECOND, 6, false},
        {"starts full", SECOND, 5, true},
        {"empty now", SECOND, 1, false},
        {"nothing is free", SECOND, 0, true},
        {"just before the refill", SECOND + 99999, 1, false},
        {"at the refill", SECOND + 100000, 1, true},
        {"spent", SECOND + 100000, 1, false},
        {"clock steps back", SECOND, 1, false},
        {"and on", SECOND + 200000, 1, true},
        {"refused takes nothing", SECOND + 400000, 3, false},
        {"both still there", SECOND + 400000, 2, true},
        {"a long pause holds the burst only", 100 * SECOND, 6, false},
        {"the burst", 100 * SECOND, 5, true},
        {"end of time", UINT64_MAX, 5, true},
    };
    struct bucket b;
    bucket_init(&b, 5, 10, SECOND);
    for (size_t i = 0; i < COUNT(rows); i++)
        if (bucket_take(&b, rows[i].tokens, rows[i].at_us) != rows[i].want)
            fail_msg("%s", rows[i].name);
}

static void test_small_steps_lose_nothing(void **state)
{
    struct bucket b;
    bucket_init(&b, 1, 1, 0);
    assert_true(bucket_take(&b, 1, 0));
    for (uint64_t now = 1; now < SECOND; now += 7)
        assert_false(bucket_take(&b, 1, now));
    assert_true(bucket_take(&b, 1, SECOND));
}

static void test_extremes(void **state)
{
    static const struct {
        const char *name;
        uint64_t burst, rate, at_us, tokens;
        bool want; /* after the bucket was emptied at 0 */
    } rows[] = {
        {"rate 0 never refills", 3, 0, UINT64_MAX, 1, false},
        {"burst 0 never gives", 0, 1000, UINT64_MAX, 1, false},
        {"huge rate", 10, UINT64_MAX, 1, 10, true},
        {"huge rate and pause", 10, UINT64_MAX, UINT64_MAX, 10, true},
        {"huge request", 10, 10, SECOND, UINT64_MAX, false},
        {"slow for long", 2, 1, 3 * SECOND / 2, 2, false},
        {"slow for long enough", 2, 1, 2 * SECOND, 2, true},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct bucket b;
        bucket_init(&b, rows[i].burst, rows[i].rate, 0);
        assert_true(bucket_take(&b, rows[i].burst, 0));
        if (bucket_take(&b, rows[i].tokens, rows[i].at_us) != rows[i].want)
            fail_msg("%s", rows[i].name);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_steps),
        cmocka_unit_test(test_small_steps_lose_nothing),
        cmocka_unit_test(test_extremes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
