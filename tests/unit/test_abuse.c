/* SPDX-License-Identifier: MIT */
/* test_abuse.c - tests when aborts block an address: http-rules.md#addresses */
#include "src/limits/abuse.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#define SECOND UINT64_C(1000000)
enum { BURST = 1000 };

static struct viewer viewer_of(const char *address)
{
    struct viewer v = {.trusted = true, .proxied = true};
    snprintf(v.address, sizeof v.address, "%s", address);
    return v;
}

static void note(struct abuse *a, const char *address, int count, uint64_t now_us)
{
    struct viewer v = viewer_of(address);
    for (int i = 0; i < count; i++)
        abuse_note(a, &v, now_us);
}

static bool blocks(struct abuse *a, const char *address, uint64_t now_us)
{
    struct viewer v = viewer_of(address);
    return abuse_blocks(a, &v, now_us);
}

/* Each row goes on where the one before ended. */
static void test_an_address_over_time(void **state)
{
    static const struct {
        const char *name;
        uint64_t at_us;
        int aborts;
        bool blocked;
    } rows[] = {
        {"nothing yet", SECOND, 0, false},
        {"all but one", SECOND, BURST - 1, false},
        {"the last one", SECOND, 1, true},
        {"before the first is back", SECOND + 9999, 0, true},
        {"the first is back", SECOND + 10000, 0, false},
        {"and used", SECOND + 10000, 1, true},
        {"100 are back", 2 * SECOND + 10000, 99, false},
        {"and used again", 2 * SECOND + 10000, 1, true},
        {"further aborts make a debt", 2 * SECOND + 10000, 200, true},
        {"the debt is not paid yet", 4 * SECOND + 10000, 0, true},
        {"the debt is paid", 4 * SECOND + 20000, 0, false},
        {"the debt is limited", 4 * SECOND + 20000, 50000, true},
        {"and takes ten seconds", 14 * SECOND + 20000, 0, true},
        {"not longer", 14 * SECOND + 30000, 0, false},
        {"the table is gone", 35 * SECOND, 0, false},
        {"the whole burst again", 35 * SECOND, BURST - 1, false},
    };
    struct abuse *a = abuse_new(1);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        note(a, "198.51.100.7", rows[i].aborts, rows[i].at_us);
        if (blocks(a, "198.51.100.7", rows[i].at_us) != rows[i].blocked)
            fail_msg("%s", rows[i].name);
        assert_false(blocks(a, "198.51.100.8", rows[i].at_us));
    }
    abuse_free(a);
}

static void test_who_is_meant(void **state)
{
    static const struct {
        const char *guilty, *asks;
        bool blocked;
    } rows[] = {
        {"192.0.2.1", "192.0.2.1", true},
        {"192.0.2.1", "192.0.2.2", false},
        {"192.0.2.1", "::ffff:0:0", false},
        {"2001:db8:1:2::1", "2001:db8:1:2:ffff::9", true}, /* the same /64 */
        {"2001:db8:1:2::1", "2001:db8:1:3::1", false},
        {"unix", "unix", false}, /* a viewer without an address */
        {"", "", false},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct abuse *a = abuse_new(i);
        note(a, rows[i].guilty, BURST, SECOND);
        if (blocks(a, rows[i].asks, SECOND) != rows[i].blocked)
            fail_msg("%s and %s", rows[i].guilty, rows[i].asks);
        abuse_free(a);
    }
}

/* A trusted proxy that names no viewer is never blocked, since it carries everybody's requests. */
static void test_a_proxy_is_not_the_viewer(void **state)
{
    struct abuse *a = abuse_new(1);
    struct viewer proxy = viewer_of("127.0.0.1"), direct = viewer_of("127.0.0.1");
    proxy.proxied = false;
    direct.trusted = direct.proxied = false;
    for (int i = 0; i < 2 * BURST; i++)
        abuse_note(a, &proxy, SECOND);
    assert_false(abuse_blocks(a, &proxy, SECOND));
    for (int i = 0; i < BURST; i++)
        abuse_note(a, &direct, SECOND);
    assert_true(abuse_blocks(a, &direct, SECOND));
    assert_false(abuse_blocks(a, &proxy, SECOND));
    abuse_free(a);
}

/* Many addresses with two aborts each do not push a blocked one out of the table. */
static void test_the_guilty_stay(void **state)
{
    struct abuse *a = abuse_new(7);
    char address[TRUST_ADDRESS_MAX];
    note(a, "203.0.113.1", BURST, SECOND);
    for (unsigned i = 0; i < 100000; i++) {
        snprintf(address, sizeof address, "10.%u.%u.%u", i >> 16, (i >> 8) & 255, i & 255);
        note(a, address, 2, SECOND);
    }
    assert_true(blocks(a, "203.0.113.1", SECOND));
    abuse_free(a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_an_address_over_time),
        cmocka_unit_test(test_who_is_meant),
        cmocka_unit_test(test_a_proxy_is_not_the_viewer),
        cmocka_unit_test(test_the_guilty_stay),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
