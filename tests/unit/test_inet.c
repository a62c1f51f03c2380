/* SPDX-License-Identifier: MIT */
/* test_inet.c - which text is an address, and of which family. */
#include "h2mux/base/inet.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <arpa/inet.h>
#include <string.h>

static const struct {
    struct slice text;
    int family; /* as a host */
} hosts[] = {
    {{"192.0.2.1", 9}, AF_INET},
    {{"192.0.2.1", 8}, AF_UNSPEC}, /* "192.0.2." */
    {{"192.0.2.10", 9}, AF_INET},  /* what follows is not looked at */
    {{"192.0.2.1\0", 10}, AF_UNSPEC},
    {{"192.0.2.256", 11}, AF_UNSPEC},
    {{"[::1]", 5}, AF_INET6},
    {{"[::1", 4}, AF_UNSPEC},
    {{"::1", 3}, AF_UNSPEC}, /* without brackets its end could be a port */
    {{"[]", 2}, AF_UNSPEC},
    {{"[192.0.2.1]", 11}, AF_UNSPEC},
    {{"[::1\0]", 6}, AF_UNSPEC},
    {{"[2001:db8:1111:2222:3333:4444:192.100.200.100]", 46}, AF_INET6},
    {{"[2001:db8:1111:2222:3333:4444:192.100.200.100000]", 49}, AF_UNSPEC},
    {{"", 0}, AF_UNSPEC},
    {{NULL, 0}, AF_UNSPEC},
    {{"example.com", 11}, AF_UNSPEC},
};

static void test_hosts(void **state)
{
    union inet out;
    for (size_t i = 0; i < sizeof hosts / sizeof *hosts; i++)
        if (inet_parse_host(hosts[i].text, &out) != hosts[i].family)
            fail_msg("row %zu: '%.*s'", i, SLICE_FMT(hosts[i].text));
}

static const struct {
    const char *text;
    int family;   /* of the text */
    int unmapped; /* of the address that it stands for */
    bool loopback;
} loopbacks[] = {
    {"127.0.0.1", AF_INET, AF_INET, true},
    {"127.255.1.2", AF_INET, AF_INET, true},
    {"128.0.0.1", AF_INET, AF_INET, false},
    {"0.0.0.0", AF_INET, AF_INET, false},
    {"::1", AF_INET6, AF_INET6, true},
    {"::", AF_INET6, AF_INET6, false},
    {"::2", AF_INET6, AF_INET6, false},
    {"::127.0.0.1", AF_INET6, AF_INET6, false}, /* compatible, not mapped */
    {"::ffff:127.0.0.1", AF_INET6, AF_INET, true},
    {"::ffff:7f12:3456", AF_INET6, AF_INET, true},
    {"::ffff:10.0.0.1", AF_INET6, AF_INET, false},
    {"::fffe:127.0.0.1", AF_INET6, AF_INET6, false},
};

/* O29 */
static void test_loopback(void **state)
{
    for (size_t i = 0; i < sizeof loopbacks / sizeof *loopbacks; i++) {
        struct sockaddr_storage socket = {.ss_family = (sa_family_t)loopbacks[i].family};
        union inet a, of_socket;
        print_message("%s\n", loopbacks[i].text);
        assert_true(inet_parse(loopbacks[i].family, slice_str(loopbacks[i].text), &a));
        assert_int_equal(inet_is_loopback(loopbacks[i].family, &a), loopbacks[i].loopback);
        if (loopbacks[i].family == AF_INET)
            ((struct sockaddr_in *)&socket)->sin_addr = a.v4;
        else
            ((struct sockaddr_in6 *)&socket)->sin6_addr = a.v6;
        assert_int_equal(inet_of_socket((const struct sockaddr *)&socket, &of_socket),
                         loopbacks[i].unmapped);
        assert_int_equal(inet_is_loopback(loopbacks[i].unmapped, &of_socket),
                         loopbacks[i].loopback);
    }
    struct sockaddr_storage local = {.ss_family = AF_UNIX};
    union inet none = {.v6 = IN6ADDR_LOOPBACK_INIT};
    assert_int_equal(inet_of_socket((const struct sockaddr *)&local, &none), AF_UNSPEC);
    assert_false(inet_is_loopback(AF_UNSPEC, &none));
}

static void test_what_it_is(void **state)
{
    union inet out;
    assert_true(inet_parse(AF_INET, SLICE("192.0.2.1"), &out));
    assert_memory_equal(&out.v4, "\xc0\x00\x02\x01", 4);
    assert_true(inet_parse(AF_INET6, SLICE("2001:db8::1"), &out));
    assert_memory_equal(&out.v6, "\x20\x01\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\x01", 16);
    assert_false(inet_parse(AF_INET, SLICE("2001:db8::1"), &out));
    assert_false(inet_parse(AF_INET6, SLICE("192.0.2.1"), &out));
}

/* D31 */
static void test_localhost(void **state)
{
    static const struct {
        const char *host;
        bool want;
    } rows[] = {
        {"localhost", true},
        {"localhost.", true},
        {"LOCALHOST", true},
        {"a.localhost", true},
        {"a.b.LocalHost.", true},
        {"", false},
        {".", false},
        {".localhost", false},
        {"localhost..", false},
        {"notlocalhost", false},
        {"localhost.com", false},
        {"ocalhost", false},
        {"127.0.0.1", false},
        {"localhost.localdomain", false},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        if (inet_is_localhost(slice_str(rows[i].host)) != rows[i].want)
            fail_msg("%s", rows[i].host);
}

/* ---- public addresses */

static const struct {
    const char *text;
    bool is_public;
} addresses[] = {
    {"8.8.8.8", true},
    {"203.0.113.1", true},
    {"1.0.0.0", true},
    {"0.0.0.0", false},
    {"0.255.255.255", false},
    {"9.255.255.255", true},
    {"10.0.0.0", false},
    {"10.255.255.255", false},
    {"11.0.0.0", true},
    {"100.63.255.255", true},
    {"100.64.0.1", false},
    {"100.127.255.255", false},
    {"100.128.0.0", true},
    {"127.0.0.1", false},
    {"127.255.255.254", false},
    {"169.253.255.255", true},
    {"169.254.169.254", false}, /* where clouds keep their secrets */
    {"172.15.255.255", true},
    {"172.16.0.1", false},
    {"172.31.255.255", false},
    {"172.32.0.0", true},
    {"192.0.0.8", false},
    {"192.167.255.255", true},
    {"192.168.0.1", false},
    {"192.169.0.0", true},
    {"198.18.0.1", false},
    {"198.19.255.255", false},
    {"198.20.0.0", true},
    {"223.255.255.255", true},
    {"224.0.0.1", false},
    {"240.0.0.1", false},
    {"255.255.255.255", false},
    {"2606:4700::1", true},
    {"2001:db8::1", true},
    {"::", false},
    {"::1", false},
    {"::10.0.0.1", false},
    {"::ffff:127.0.0.1", false},
    {"::ffff:192.168.1.1", false},
    {"::ffff:8.8.8.8", true},
    {"::ffff:0:10.0.0.1", false},
    {"64:ff9b::10.0.0.1", false},
    {"64:ff9b::8.8.8.8", true},
    {"64:ff9b:1::8.8.8.8", false}, /* of a site: RFC 8215 */
    {"2002:a00:1::1", false},      /* 10.0.0.1 */
    {"2002:808:808::1", true},
    {"fe80::1", false},
    {"febf::1", false},
    {"fec0::1", false},
    {"fc00::1", false},
    {"fdff::1", false},
    {"ff02::1", false},
    {"100::1", false}, /* discarded: RFC 6666 */
    {"4000::1", false},
};

/* O41: which addresses are public. */
static void test_public(void **state)
{
    for (size_t i = 0; i < sizeof addresses / sizeof *addresses; i++) {
        struct sockaddr_in v4 = {.sin_family = AF_INET};
        struct sockaddr_in6 v6 = {.sin6_family = AF_INET6};
        bool is_v6 = strchr(addresses[i].text, ':');
        assert_int_equal(is_v6 ? inet_pton(AF_INET6, addresses[i].text, &v6.sin6_addr)
                               : inet_pton(AF_INET, addresses[i].text, &v4.sin_addr),
                         1);
        if (inet_is_public(is_v6 ? (struct sockaddr *)&v6 : (struct sockaddr *)&v4) !=
            addresses[i].is_public)
            fail_msg("%s", addresses[i].text);
    }
    assert_false(inet_is_public(&(struct sockaddr){.sa_family = AF_UNIX}));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_hosts),     cmocka_unit_test(test_what_it_is),
        cmocka_unit_test(test_localhost), cmocka_unit_test(test_public),
        cmocka_unit_test(test_loopback),
    };
    return cmocka_run_group_tests_name("inet", tests, NULL, NULL);
}
