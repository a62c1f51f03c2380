/* SPDX-License-Identifier: MIT */
/* test_client_url.c - what a server or an origin may be named by. RFC 3986. */
#include "h2mux/http/url.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "h2mux/base/err.h"

static const struct {
    const char *in;
    int want;
    bool https;
    const char *host, *authority, *path;
    uint16_t port;
} rows[] = {
    {"example.com", 0, true, "example.com", "example.com", "/", 443},
    {"example.com:8443", 0, true, "example.com", "example.com:8443", "/", 8443},
    {"https://example.com", 0, true, "example.com", "example.com", "/", 443},
    {"HTTPS://Example.COM:443/", 0, true, "example.com", "example.com", "/", 443},
    {"http://localhost:3000", 0, false, "localhost", "localhost:3000", "/", 3000},
    {"http://localhost:80", 0, false, "localhost", "localhost", "/", 80},
    {"https://[::1]:8443/tunnel/a", 0, true, "::1", "[::1]:8443", "/tunnel/a", 8443},
    {"https://[2001:DB8::1]", 0, true, "2001:db8::1", "[2001:db8::1]", "/", 443},
    {"https://a.b/%2e%2e/x", 0, true, "a.b", "a.b", "/%2e%2e/x", 443},
    {"", ERR_SYNTAX, false, NULL, NULL, NULL, 0},
    {"https://", ERR_SYNTAX, false, NULL, NULL, NULL, 0},
    {"https://:443", ERR_SYNTAX, false, NULL, NULL, NULL, 0},
    {"https://u@h", ERR_SYNTAX, false, NULL, NULL, NULL, 0},
    {"https://h:0", ERR_SYNTAX, false, NULL, NULL, NULL, 0},
    {"https://h:65536", ERR_SYNTAX, false, NULL, NULL, NULL, 0},
    {"https://h:", ERR_SYNTAX, false, NULL, NULL, NULL, 0},
    {"https://h:x", ERR_SYNTAX, false, NULL, NULL, NULL, 0},
    {"https://h/a?b", ERR_SYNTAX, false, NULL, NULL, NULL, 0},
    {"https://h/a#b", ERR_SYNTAX, false, NULL, NULL, NULL, 0},
    {"https://h/a b", ERR_SYNTAX, false, NULL, NULL, NULL, 0},
    {"https://h\r\nX: y", ERR_SYNTAX, false, NULL, NULL, NULL, 0},
    {"https://[::1", ERR_SYNTAX, false, NULL, NULL, NULL, 0},
    {"ftp://h", ERR_UNSUPPORTED, false, NULL, NULL, NULL, 0},
    {"file:///etc/passwd", ERR_UNSUPPORTED, false, NULL, NULL, NULL, 0},
};

static void test_parse(void **state)
{
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct url u = {0};
        print_message("%s\n", rows[i].in);
        assert_int_equal(url_parse(slice_str(rows[i].in), &u), rows[i].want);
        if (rows[i].want < 0)
            continue;
        assert_int_equal(u.https, rows[i].https);
        assert_string_equal(u.host, rows[i].host);
        assert_string_equal(u.authority, rows[i].authority);
        assert_string_equal(u.path, rows[i].path);
        assert_int_equal(u.port, rows[i].port);
    }
}

static void test_too_long(void **state)
{
    static char text[4096];
    struct url u;
    memset(text, 'a', sizeof text - 1);
    assert_true(url_parse(slice_str(text), &u) < 0);
    memcpy(text, "https://h/", 10);
    assert_true(url_parse(slice_str(text), &u) < 0);
}

static void test_loopback(void **state)
{
    static const struct {
        const char *in;
        bool want;
    } names[] = {
        {"localhost", true},
        {"a.localhost", true},
        {"127.0.0.1:80", true},
        {"127.9.9.9", true},
        {"[::1]:1", true},
        {"localhost.com", false},
        {"notlocalhost", false},
        {"128.0.0.1", false},
        {"127.0.0.1.nip.io", false},
        {"[::2]", false},
        {"[::ffff:127.0.0.1]", true},
        {"[::ffff:7f00:1]:80", true},
        {"[::ffff:128.0.0.1]", false},
        {"[::127.0.0.1]", false},
        {"localhost.", true},
        {"a.LOCALHOST.", true},
    };

    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        struct url u;
        print_message("%s\n", names[i].in);
        assert_int_equal(url_parse(slice_str(names[i].in), &u), 0);
        assert_int_equal(url_is_loopback(&u), names[i].want);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_parse),
        cmocka_unit_test(test_too_long),
        cmocka_unit_test(test_loopback),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
