/* SPDX-License-Identifier: MIT */
/* test_inet.c - which text is an address, and of which family. */
#include "h2mux/base/inet.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_hosts),
        cmocka_unit_test(test_what_it_is),
        cmocka_unit_test(test_localhost),
    };
    return cmocka_run_group_tests_name("inet", tests, NULL, NULL);
}
