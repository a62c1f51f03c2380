/* SPDX-License-Identifier: MIT */
/* test_clock.c - clocks go forward, dates have a fixed form; error texts, as they have no
 * logic of their own. */
#include "h2mux/base/clock.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "h2mux/base/err.h"

#define COUNT(rows) (sizeof rows / sizeof((rows)[0]))

static void test_dates(void **state)
{
    static const struct {
        const char *name;
        int64_t wall_s;
        const char *iso, *http;
    } rows[] = {
        {"November", 784111777, "1994-11-06T08:49:37Z", "Sun, 06 Nov 1994 08:49:37 GMT"},
        {"epoch", 0, "1970-01-01T00:00:00Z", "Thu, 01 Jan 1970 00:00:00 GMT"},
        {"leap day", 1709164800, "2024-02-29T00:00:00Z", "Thu, 29 Feb 2024 00:00:00 GMT"},
        {"past 2038", 2147483648, "2038-01-19T03:14:08Z", "Tue, 19 Jan 2038 03:14:08 GMT"},
        {"before the epoch", -1, "1969-12-31T23:59:59Z", "Wed, 31 Dec 1969 23:59:59 GMT"},
        {"no calendar has it", INT64_MAX, "", ""},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        char iso[CLOCK_ISO_MAX];
        clock_iso(rows[i].wall_s, iso);
        assert_string_equal(iso, rows[i].iso);
        char http[CLOCK_HTTP_MAX];
        clock_http(rows[i].wall_s, http);
        assert_string_equal(http, rows[i].http);
    }
}

static void test_now(void **state)
{
    uint64_t before = clock_now_us(), after = clock_now_us();
    assert_true(before > 0);
    assert_true(after >= before);
    assert_true(clock_wall_s() > 1700000000);
}

static void test_err_text(void **state)
{
    static const struct {
        int err;
        const char *want;
    } rows[] = {
        {ERR_OK, "ok"},       {ERR_LIMIT, "too large"}, {ERR_ABUSE, "budget spent"},
        {1, "unknown error"}, {-1000, "unknown error"},
    };
    for (size_t i = 0; i < COUNT(rows); i++)
        assert_string_equal(err_text(rows[i].err), rows[i].want);
    for (int err = ERR_ABUSE; err < 0; err++)
        assert_string_not_equal(err_text(err), "unknown error"); /* the codes have no gap */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_dates),
        cmocka_unit_test(test_now),
        cmocka_unit_test(test_err_text),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
