/* SPDX-License-Identifier: MIT */
/* test_client_origin_address.c - PORT | HOST:PORT | http(s)://HOST[:PORT] | unix:/PATH, and those
 * that speak HTTP/2. */
#include "client/origin/origin_address.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

static const struct {
    const char *in;
    bool local_https;
    bool ok;
    bool https;
    const char *host;
    uint16_t port;
    const char *path, *text;
} rows[] = {
    {"3000", false, true, false, "local.test", 3000, "", "local.test:3000"},
    {"3000", true, true, true, "local.test", 3000, "", "local.test:3000"},
    {"65535", false, true, false, "local.test", 65535, "", "local.test:65535"},
    {"db:5000", false, true, false, "db", 5000, "", "db:5000"},
    {"127.0.0.1:80", false, true, false, "127.0.0.1", 80, "", "127.0.0.1:80"},
    {"[::1]:8080", false, true, false, "::1", 8080, "", "[::1]:8080"},
    {"http://db", false, true, false, "db", 80, "", "db:80"},
    {"http://db:81/", false, true, false, "db", 81, "", "db:81"},
    {"https://db", false, true, true, "db", 443, "", "db:443"},
    {"https://db", true, true, true, "db", 443, "", "db:443"},
    {"unix:/run/app.sock", false, true, false, "localhost", 0, "/run/app.sock",
     "unix:/run/app.sock"},
    {"0", false, false, false, NULL, 0, NULL, NULL},
    {"65536", false, false, false, NULL, 0, NULL, NULL},
    {"99999999999999999999", false, false, false, NULL, 0, NULL, NULL},
    {"-1", false, false, false, NULL, 0, NULL, NULL},
    {"", false, false, false, NULL, 0, NULL, NULL},
    {"db", false, false, false, NULL, 0, NULL, NULL},
    {"db:", false, false, false, NULL, 0, NULL, NULL},
    {"db:0", false, false, false, NULL, 0, NULL, NULL},
    {"a b:80", false, false, false, NULL, 0, NULL, NULL},
    {"http://db/path", false, false, false, NULL, 0, NULL, NULL},
    {"http://u:p@db", false, false, false, NULL, 0, NULL, NULL},
    {"http://db", true, false, false, NULL, 0, NULL, NULL},
    {"ftp://db", false, false, false, NULL, 0, NULL, NULL},
    {"unix:", false, false, false, NULL, 0, NULL, NULL},
    {"unix:app.sock", false, false, false, NULL, 0, NULL, NULL},
};

static void test_parse(void **state)
{
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct origin_address a;
        const char *reason = NULL;
        print_message("%s\n", rows[i].in);
        int err = origin_address_parse(rows[i].in, "local.test", rows[i].local_https, &a, &reason);
        assert_int_equal(err == 0, rows[i].ok);
        if (!rows[i].ok) {
            assert_non_null(reason);
            continue;
        }
        assert_int_equal(a.url.https, rows[i].https);
        assert_string_equal(a.url.host, rows[i].host);
        assert_int_equal(a.url.port, rows[i].port);
        assert_string_equal(a.unix_path, rows[i].path);
        assert_string_equal(a.text, rows[i].text);
    }
}

static const struct {
    const char *label, *in;
    bool local_https;
    const char *scheme, *text; /* NULL: it is refused */
} speeches[] = {
    {"D36 plain", "h2c://localhost:50051", false, "h2c", "localhost:50051"},
    {"D36 capitals, a slash", "H2C://LOCALHOST:50051/", false, "h2c", "localhost:50051"},
    {"D36 an address", "h2c://[::1]:1", false, "h2c", "[::1]:1"},
    {"D36 the port of http", "h2c://db", false, "h2c", "db:80"},
    {"D36 TLS", "https+h2://db", false, "https+h2", "db:443"},
    {"D36 TLS twice", "https+h2://db:8443", true, "https+h2", "db:8443"},
    {"D36 HTTP/1.1", "http://db", false, "http", "db:80"},
    {"D36 HTTP/1.1 in TLS", "https://db", false, "https", "db:443"},
    {"D36 a socket", "unix:/run/h2c", false, "http", "unix:/run/h2c"},
    {"D36 contradiction", "h2c://db", true, NULL, NULL},
    {"D36 a path", "h2c://db/x", false, NULL, NULL},
    {"D36 nothing", "h2c://", false, NULL, NULL},
    {"D36 two schemes", "h2c://http://db", false, NULL, NULL},
    {"D36 another scheme", "http+h2://db", false, NULL, NULL},
    {"D36 a login", "h2c://u:p@db", false, NULL, NULL},
};

static void test_speech(void **state)
{
    for (size_t i = 0; i < sizeof speeches / sizeof *speeches; i++) {
        struct origin_address a;
        const char *reason = NULL;
        bool https = speeches[i].local_https;
        print_message("%s\n", speeches[i].label);
        int err = origin_address_parse(speeches[i].in, "local.test", https, &a, &reason);
        assert_int_equal(err < 0, !speeches[i].scheme);
        assert_int_equal(!reason, err == 0);
        if (err < 0)
            continue;
        assert_string_equal(origin_address_scheme(&a), speeches[i].scheme);
        assert_string_equal(a.text, speeches[i].text);
        assert_int_equal(!a.h2, !strstr(speeches[i].scheme, "h2"));
    }
}

static void test_a_long_address(void **state)
{
    char text[4096];
    struct origin_address a;
    const char *reason;
    memset(text, 'a', sizeof text);
    memcpy(text, "h2c://", 6);
    text[sizeof text - 1] = '\0';
    assert_true(origin_address_parse(text, "localhost", false, &a, &reason) < 0);
}

static void test_long_socket_path(void **state)
{
    char text[512] = "unix:/";
    struct origin_address a;
    const char *reason;
    memset(text + 6, 'a', sizeof text - 7);
    text[sizeof text - 1] = '\0';
    assert_true(origin_address_parse(text, "localhost", false, &a, &reason) < 0);
    text[5 + ORIGIN_UNIX_MAX - 1] = '\0';
    assert_int_equal(origin_address_parse(text, "localhost", false, &a, &reason), 0);
    assert_int_equal(strlen(a.unix_path), ORIGIN_UNIX_MAX - 1);
}

static void test_local_host(void **state)
{
    static const struct {
        const char *host;
        bool ok;
    } hosts[] = {{"db", true},       {"::1", true},     {"fe80::1%eth0", true}, {"", false},
                 {"a b", false},     {"a\r\nb", false}, {"u@db", false},        {"[::1]", false},
                 {"db/path", false}, {"d\x80", false}};
    for (size_t i = 0; i < sizeof hosts / sizeof *hosts; i++) {
        struct origin_address a;
        const char *reason = NULL;
        print_message("%s\n", hosts[i].host);
        int err = origin_address_parse("3000", hosts[i].host, false, &a, &reason);
        assert_int_equal(err == 0, hosts[i].ok);
        assert_int_equal(!reason, hosts[i].ok);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_parse), cmocka_unit_test(test_speech),
                                       cmocka_unit_test(test_a_long_address),
                                       cmocka_unit_test(test_local_host),
                                       cmocka_unit_test(test_long_socket_path)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
