/* SPDX-License-Identifier: MIT */
/* test_client_reach.c - where a server may send the client. reach.h, rules O40, O41. */
#include "client/server/reach.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <arpa/inet.h>
#include <string.h>

static struct url url_of(const char *text)
{
    struct url url;
    assert_int_equal(url_parse(slice_str(text), &url), 0);
    return url;
}

static const struct {
    const char *what, *server, *to, *named;
    bool covered;
} rows[] = {
    {"O40 the server itself", "https://example.com", "https://example.com/t", NULL, true},
    {"O40 another port", "https://example.com", "https://example.com:8443", NULL, true},
    {"O40 below it", "https://example.com", "https://a.b.example.com", NULL, true},
    {"O40 in capitals", "https://example.com", "https://TUN.Example.COM", NULL, true},
    {"O40 a dot at the end", "https://example.com", "https://a.example.com.", NULL, true},
    {"O40 a dot at the server's end", "https://example.com.", "https://a.example.com", NULL, true},
    {"O40 above it", "https://a.example.com", "https://example.com", NULL, false},
    {"O40 beside it", "https://a.example.com", "https://b.example.com", NULL, false},
    {"O40 only the same letters", "https://example.com", "https://evilexample.com", NULL, false},
    {"O40 it begins alike", "https://example.com", "https://example.com.evil.org", NULL, false},
    {"O40 another", "https://example.com", "https://router.local", NULL, false},
    {"O40 loopback", "https://example.com", "https://localhost", NULL, false},
    {"O40 an address", "https://example.com", "https://192.168.0.1", NULL, false},
    {"O40 the same address", "https://192.0.2.1", "https://192.0.2.1:444", NULL, true},
    {"O40 the same address in other words", "https://[::1]", "https://[0:0::1]", NULL, true},
    {"O40 another address", "https://192.0.2.1", "https://192.0.2.2", NULL, false},
    {"O40 nothing is below an address", "https://192.0.2.1", "https://a.192.0.2.1", NULL, false},
    {"O40 named", "https://example.com", "https://tunnel.example.org", "tunnel.example.org", true},
    {"O40 named in capitals", "https://example.com", "https://tun.org", "TUN.org", true},
    {"O40 below a named one", "https://example.com", "https://a.tun.org", "tun.org", false},
    {"O40 a named address", "https://example.com", "https://10.0.0.1", "10.0.0.1", true},
    {"O40 named in brackets", "https://example.com", "https://[fd00::1]", "[fd00::1]", true},
    {"O40 named without brackets", "https://example.com", "https://[fd00::1]", "fd00:0::1", true},
};

static void test_hosts(void **state)
{
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct opt_list named = {.item = {"elsewhere.example", rows[i].named}, .count = 1};
        struct reach reach = {.hosts = &named};
        struct url server = url_of(rows[i].server), to = url_of(rows[i].to);
        named.count += rows[i].named ? 1 : 0;
        if (reach_covers(&reach, &server, &to) != rows[i].covered)
            fail_msg("%s", rows[i].what);
        reach.hosts = NULL;
        if (!rows[i].named && reach_covers(&reach, &server, &to) != rows[i].covered)
            fail_msg("%s, without names", rows[i].what);
    }
}

static const struct {
    const char *what, *address, *named;
    bool allowed;
} addresses[] = {
    {"O41 public", "203.0.113.9", NULL, true},
    {"O41 loopback", "127.0.0.1", NULL, false},
    {"O41 private", "192.168.0.1", "router.example", false},
    {"O41 a named address", "192.168.0.1", "192.168.0.1", true},
    {"O41 another than the named one", "192.168.0.2", "192.168.0.1", false},
};

static void test_addresses(void **state)
{
    for (size_t i = 0; i < sizeof addresses / sizeof *addresses; i++) {
        struct opt_list named = {.item = {addresses[i].named}, .count = addresses[i].named ? 1 : 0};
        struct reach reach = {.hosts = &named};
        struct sockaddr_in a = {.sin_family = AF_INET};
        inet_pton(AF_INET, addresses[i].address, &a.sin_addr);
        if (reach_allows(&reach, (struct sockaddr *)&a) != addresses[i].allowed)
            fail_msg("%s", addresses[i].what);
    }
}

/* O40: what --attach-host takes. */
static void test_option(void **state)
{
    static const char *const good[] = {"example.com", "10.0.0.1", "::1", "[::1]", "localhost"};
    static const char *const bad[] = {"",    "example.com:443", "https://example.com", "[::1]:1",
                                      "a b", "example.com/x"};
    for (size_t i = 0; i < sizeof good / sizeof *good; i++)
        assert_true(reach_host_valid(good[i]));
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        if (reach_host_valid(bad[i]))
            fail_msg("'%s'", bad[i]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_hosts),
        cmocka_unit_test(test_addresses),
        cmocka_unit_test(test_option),
    };
    return cmocka_run_group_tests_name("client_reach", tests, NULL, NULL);
}
