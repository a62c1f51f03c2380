/* SPDX-License-Identifier: MIT */
/* test_quota.c - tests the limits of register calls and bad tickets: rules O23, O24, row 19. */
#include "src/limits/quota.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#define SECOND UINT64_C(1000000)
enum { A_MINUTE = 60, BURST = 2 * A_MINUTE, BAD_TICKETS = 5, SEED = 7 };

static struct viewer viewer_of(const char *address)
{
    struct viewer v = {.trusted = true, .proxied = true};
    snprintf(v.address, sizeof v.address, "%s", address);
    return v;
}

static unsigned registers(struct quota *q, const char *address, uint64_t now_us)
{
    struct viewer v = viewer_of(address);
    return quota_take_register(q, &v, now_us);
}

static unsigned is_wrong(struct quota *q, const char *address, uint64_t now_us)
{
    struct viewer v = viewer_of(address);
    return quota_take_bad_ticket(q, &v, now_us);
}

/* O23: each row goes on where the one before ended. */
static void test_registers_over_time(void **state)
{
    static const struct {
        const char *name;
        uint64_t at_us;
        int times;       /* so many are allowed */
        unsigned wait_s; /* the Retry-After of the next one */
    } rows[] = {
        {"twice a minute's at once", SECOND, BURST, 1},
        {"just before one is back", 2 * SECOND - 1, 0, 1},
        {"one is back", 2 * SECOND, 1, 1},
        {"a minute's after a minute", 62 * SECOND, A_MINUTE, 1},
        {"all again after two, and no more", 500 * SECOND, BURST, 1},
    };
    struct quota *q = quota_new(SEED, A_MINUTE);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        for (int n = 0; n < rows[i].times; n++)
            if (registers(q, "198.51.100.7", rows[i].at_us) != 0)
                fail_msg("%s: %d of %d", rows[i].name, n, rows[i].times);
        if (registers(q, "198.51.100.7", rows[i].at_us) != rows[i].wait_s)
            fail_msg("%s: the next one", rows[i].name);
        assert_int_equal(registers(q, "198.51.100.8", rows[i].at_us), 0);
    }
    quota_free(q);
}

/* O23: after the Retry-After one more is allowed, at each rate. */
static void test_the_wait_is_long_enough(void **state)
{
    static const uint64_t rates[] = {1, 2, 3, 7, 59, 60, 61, 1000, 1000000};
    for (size_t i = 0; i < sizeof rates / sizeof *rates; i++) {
        struct quota *q = quota_new(SEED, rates[i]);
        uint64_t now_us = 5;
        unsigned wait_s = 0;
        for (uint64_t n = 0; n < 2 * rates[i]; n++)
            assert_int_equal(registers(q, "192.0.2.1", now_us), 0);
        wait_s = registers(q, "192.0.2.1", now_us);
        assert_int_equal(wait_s, (60 + rates[i] - 1) / rates[i]);
        now_us += wait_s * SECOND;
        assert_int_equal(registers(q, "192.0.2.1", now_us), 0);
        quota_free(q);
    }
}

/* O24: each row goes on where the one before ended. Bad tickets are limited although register calls
 * are not. */
static void test_bad_tickets_over_time(void **state)
{
    static const struct {
        uint64_t at_us;
        int times;
        unsigned wait_s;
    } rows[] = {
        {SECOND, BAD_TICKETS, 12},       {6 * SECOND, 0, 7},
        {13 * SECOND - 1, 0, 1},         {13 * SECOND, 1, 12},
        {200 * SECOND, BAD_TICKETS, 12},
    };
    struct quota *q = quota_new(SEED, 0);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        for (int n = 0; n < rows[i].times; n++)
            if (is_wrong(q, "198.51.100.7", rows[i].at_us) != 0)
                fail_msg("row %zu: %d of %d", i, n, rows[i].times);
        if (is_wrong(q, "198.51.100.7", rows[i].at_us) != rows[i].wait_s)
            fail_msg("row %zu: the next one", i);
        assert_int_equal(is_wrong(q, "198.51.100.8", rows[i].at_us), 0);
        assert_int_equal(registers(q, "198.51.100.7", rows[i].at_us), 0);
    }
    quota_free(q);
}

/* O23 O24 */
static void test_who_is_meant(void **state)
{
    static const struct {
        const char *first, *second;
        bool same;
    } rows[] = {
        {"192.0.2.1", "192.0.2.1", true},
        {"192.0.2.1", "192.0.2.2", false},
        {"192.0.2.1", "::ffff:192.0.2.1", true},
        {"2001:db8:1:2::1", "2001:db8:1:2:ffff::9", true},
        {"2001:db8:1:2::1", "2001:db8:1:3::1", false},
        {"unix", "unix", false}, /* a viewer without an address */
        {"", "", false},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct quota *q = quota_new(i, 1);
        for (int n = 0; n < BAD_TICKETS; n++)
            (void)!(registers(q, rows[i].first, SECOND) + is_wrong(q, rows[i].first, SECOND));
        if ((registers(q, rows[i].second, SECOND) > 0) != rows[i].same ||
            (is_wrong(q, rows[i].second, SECOND) > 0) != rows[i].same)
            fail_msg("%s and %s", rows[i].first, rows[i].second);
        quota_free(q);
    }
}

/* O23 O24: a trusted peer is limited only if it names a viewer, any other peer always. */
static void test_who_does_not_count(void **state)
{
    static const struct {
        const char *name;
        struct viewer viewer;
        bool counts;
    } rows[] = {
        {"loopback", {.address = "127.0.0.1", .trusted = true}, false},
        {"loopback by IPv6", {.address = "::1", .trusted = true}, false},
        {"a proxy that names nobody", {.address = "203.0.113.9", .trusted = true}, false},
        {"a unix socket", {.address = "unix", .trusted = true}, false},
        {"a proxy's viewer", {.address = "192.0.2.1", .trusted = true, .proxied = true}, true},
        {"a proxy's viewer on loopback",
         {.address = "127.0.0.1", .trusted = true, .proxied = true},
         true},
        {"a stranger", {.address = "192.0.2.1"}, true},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct quota *q = quota_new(SEED, 1), *off = quota_new(SEED, 0);
        unsigned waits = 0, waits_off = 0, wrong = 0;
        for (int n = 0; n <= BAD_TICKETS; n++) {
            waits += quota_take_register(q, &rows[i].viewer, SECOND);
            waits_off += quota_take_register(off, &rows[i].viewer, SECOND);
            wrong += quota_take_bad_ticket(q, &rows[i].viewer, SECOND);
        }
        if ((waits > 0) != rows[i].counts || (wrong > 0) != rows[i].counts || waits_off > 0)
            fail_msg("%s", rows[i].name);
        quota_free(q);
        quota_free(off);
    }
}

/* O23: 100,000 addresses with one call each do not push out an address that has none left. */
static void test_the_table_is_bounded(void **state)
{
    struct quota *q = quota_new(SEED, A_MINUTE);
    char address[TRUST_ADDRESS_MAX];
    for (int n = 0; n < BURST; n++)
        assert_int_equal(registers(q, "203.0.113.1", SECOND), 0);
    for (unsigned i = 0; i < 100000; i++) {
        snprintf(address, sizeof address, "10.%u.%u.%u", i >> 16, (i >> 8) & 255, i & 255);
        assert_int_equal(registers(q, address, SECOND), 0);
    }
    assert_int_equal(registers(q, "203.0.113.1", SECOND), 1);
    quota_free(q);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_registers_over_time),
        cmocka_unit_test(test_the_wait_is_long_enough),
        cmocka_unit_test(test_bad_tickets_over_time),
        cmocka_unit_test(test_who_is_meant),
        cmocka_unit_test(test_who_does_not_count),
        cmocka_unit_test(test_the_table_is_bounded),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
