/* SPDX-License-Identifier: MIT */
/* test_bans.c - tests which names and addresses a ban shuts out, and for how long: rules O250 to
 * O252. */
#include "src/limits/bans.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "h2mux/base/err.h"

#define COUNT(rows) (sizeof rows / sizeof((rows)[0]))
#define SECOND UINT64_C(1000000)

static void test_networks(void **state)
{
    static const struct {
        const char *in;
        int want;
        const char *out;
    } table[] = {
        {"192.0.2.77", 0, "192.0.2.77/32"},
        {"192.0.2.77/24", 0, "192.0.2.0/24"},
        {"192.0.2.77/0", 0, "0.0.0.0/0"},
        {"::ffff:192.0.2.77", ERR_SYNTAX, NULL},
        {"2001:db8:1:2:3::4", 0, "2001:db8:1:2::/64"},
        {"2001:db8:1:2::/48", 0, "2001:db8:1::/48"},
        {"2001:db8:1234::/33", 0, "2001:db8::/33"},
        {"::/0", 0, "::/0"},
        {"2001:db8::/65", ERR_LIMIT, NULL},
        {"192.0.2.0/33", ERR_SYNTAX, NULL},
        {"192.0.2.0/", ERR_SYNTAX, NULL},
        {"192.0.2.0/-1", ERR_SYNTAX, NULL},
        {"192.0.2", ERR_SYNTAX, NULL},
        {"[2001:db8::1]", ERR_SYNTAX, NULL},
        {"demo", ERR_SYNTAX, NULL},
        {"", ERR_SYNTAX, NULL},
    };
    for (size_t i = 0; i < COUNT(table); i++) {
        struct bans_network n;
        char text[BANS_NETWORK_TEXT];
        int err = bans_network_parse(slice_str(table[i].in), &n);
        if (err != table[i].want)
            fail_msg("%s: %d", table[i].in, err);
        if (err < 0)
            continue;
        bans_network_text(&n, text);
        assert_string_equal(text, table[i].out);
    }
}

/* Adds a ban of @name, @network, or both (NULL: none). */
static int add(struct bans *b, const char *name, const char *network, uint64_t until_us,
               uint64_t now_us)
{
    struct ban ban = {.until_us = until_us, .of_network = network};
    snprintf(ban.name, sizeof ban.name, "%s", name ? name : "");
    if (network)
        assert_int_equal(bans_network_parse(slice_str(network), &ban.network), 0);
    return bans_add(b, &ban, now_us);
}

static struct address address_of(const char *text)
{
    struct viewer v = {.trusted = true, .proxied = true};
    struct address a;
    snprintf(v.address, sizeof v.address, "%s", text);
    assert_true(address_of_viewer(&v, &a));
    return a;
}

/* O250, O251: what each kind of ban shuts out. */
static void test_who_is_shut_out(void **state)
{
    static const struct {
        const char *name, *network, *asks, *from;
        bool shares, views;
    } table[] = {
        {"demo", NULL, "demo", "192.0.2.1", true, true},
        {"demo", NULL, "DEMO", NULL, true, true},
        {"demo", NULL, "demo-2", "192.0.2.1", false, false},
        {NULL, "192.0.2.0/24", "demo", "192.0.2.1", true, true},
        {NULL, "192.0.2.0/24", "other", "192.0.2.255", true, true},
        {NULL, "192.0.2.0/24", "demo", "192.0.3.1", false, false},
        {NULL, "192.0.2.0/24", "demo", NULL, false, false},
        {NULL, "2001:db8:1::/48", "demo", "2001:db8:1:ffff::1", true, true},
        {NULL, "2001:db8:1::/48", "demo", "2001:db8:2::1", false, false},
        {NULL, "::/0", "demo", "2001:db8:2::1", true, true},
        {"demo", "192.0.2.1", "demo", "192.0.2.1", false, true},
        {"demo", "192.0.2.1", "demo", "192.0.2.2", false, false},
        {"demo", "192.0.2.1", "other", "192.0.2.1", false, false},
    };
    for (size_t i = 0; i < COUNT(table); i++) {
        struct bans *b = bans_new();
        struct slice name = slice_str(table[i].asks);
        struct address a = {0, 0}, *from = table[i].from ? &a : NULL;
        if (from)
            a = address_of(table[i].from);
        assert_int_equal(bans_of_viewing(b, name, from, 0), 0);
        assert_int_equal(add(b, table[i].name, table[i].network, 5 * SECOND, 0), 0);
        if (bans_of_sharing(b, name, from, 0) != (table[i].shares ? 5 * SECOND : 0))
            fail_msg("row %zu: shares", i);
        if (bans_of_viewing(b, name, from, 0) != (table[i].views ? 5 * SECOND : 0))
            fail_msg("row %zu: views", i);
        assert_int_equal(bans_of_viewing(b, name, from, 5 * SECOND), 0); /* it is over */
        bans_free(b);
    }
}

/* O252: a ban that is made again has the new end; the last one of several counts. */
static void test_time(void **state)
{
    struct bans *b = bans_new();
    struct address a = address_of("192.0.2.1");
    struct ban list[4];
    assert_int_equal(add(b, "demo", NULL, 9 * SECOND, 0), 0);
    assert_int_equal(add(b, "demo", NULL, 3 * SECOND, 0), 0);
    assert_int_equal(bans_of_sharing(b, SLICE("demo"), &a, SECOND), 3 * SECOND);
    assert_int_equal(add(b, NULL, "192.0.2.0/24", 7 * SECOND, 0), 0);
    assert_int_equal(bans_of_sharing(b, SLICE("demo"), &a, SECOND), 7 * SECOND);
    assert_int_equal(bans_list(b, list, COUNT(list), SECOND), 2);
    assert_int_equal(bans_list(b, list, COUNT(list), 3 * SECOND), 1);
    assert_int_equal(bans_list(b, list, 1, SECOND), 1);
    assert_int_equal(bans_remove(b, &list[0]), true);
    assert_int_equal(bans_remove(b, &list[0]), false);
    bans_free(b);
    bans_free(NULL);
}

static void test_number(void **state)
{
    struct bans *b = bans_new();
    char name[16];
    for (unsigned i = 0; i < BANS_MAX; i++) {
        snprintf(name, sizeof name, "n%u", i);
        assert_int_equal(add(b, name, NULL, (i + 1) * SECOND, 0), 0);
    }
    assert_int_equal(add(b, "more", NULL, SECOND, 0), ERR_LIMIT);
    assert_int_equal(add(b, "n7", NULL, 2 * BANS_MAX * SECOND, 0), 0); /* has its place */
    assert_int_equal(add(b, "more", NULL, 9 * SECOND, SECOND), 0);     /* that of n0 */
    bans_free(b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_networks),
        cmocka_unit_test(test_who_is_shut_out),
        cmocka_unit_test(test_time),
        cmocka_unit_test(test_number),
    };
    return cmocka_run_group_tests_name("bans", tests, NULL, NULL);
}
