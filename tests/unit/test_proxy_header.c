/* SPDX-License-Identifier: MIT */
/* test_proxy_header.c - tests which headers of the PROXY protocol are read, and as what, however
 * they are cut. proxy_header.h */
#include "src/http/proxy_header.h"

#include "h2mux/base/err.h"
#include "h2mux/io/sock.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

#define V2 "\r\n\r\n\0\r\nQUIT\n"
#define BYTES(s) s, sizeof s - 1

static const struct {
    const char *what, *text;
    size_t len;
    int err;
    const char *peer; /* NULL: nobody is named */
    size_t rest;      /* bytes behind the header */
} rows[] = {
    {"L12 v4", BYTES(V2 "\x21\x11\0\x0c\xc0\0\2\1\xc0\0\2\2\x1f\x90\1\xbbGET"), 0, "192.0.2.1:8080",
     3},
    {"L12 v6",
     BYTES(V2 "\x21\x21\0\x24\x20\1\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\1\x20\1\x0d\xb8\0\0\0\0\0\0\0\0\0"
              "\0\0\2\x1f\x90\1\xbb"),
     0, "[2001:db8::1]:8080", 0},
    {"L12 TLV", BYTES(V2 "\x21\x11\0\x10\xc0\0\2\1\xc0\0\2\2\x1f\x90\1\xbb\4\0\1x"), 0,
     "192.0.2.1:8080", 0},
    {"L12 local", BYTES(V2 "\x20\0\0\0"), 0, NULL, 0},
    {"L12 local with an address", BYTES(V2 "\x20\x11\0\x0c\xc0\0\2\1\xc0\0\2\2\x1f\x90\1\xbb"), 0,
     NULL, 0},
    {"L12 unix", BYTES(V2 "\x21\x31\0\0"), 0, NULL, 0},
    {"L12 too short", BYTES(V2 "\x21\x11\0\x0b\xc0\0\2\1\xc0\0\2\2\x1f\x90\1"), ERR_SYNTAX, NULL,
     0},
    {"L12 too long", BYTES(V2 "\x21\x11\xff\xff"), ERR_SYNTAX, NULL, 0},
    {"L12 version 3", BYTES(V2 "\x31\x11\0\x0c"), ERR_SYNTAX, NULL, 0},
    {"L12 command 2", BYTES(V2 "\x22\x11\0\x0c"), ERR_SYNTAX, NULL, 0},
    {"L12 text v4", BYTES("PROXY TCP4 192.0.2.1 192.0.2.2 8080 443\r\nGET"), 0, "192.0.2.1:8080",
     3},
    {"L12 text v6", BYTES("PROXY TCP6 2001:db8::1 2001:db8::2 8080 443\r\n"), 0,
     "[2001:db8::1]:8080", 0},
    {"L12 text unknown", BYTES("PROXY UNKNOWN\r\n"), 0, NULL, 0},
    {"L12 text unknown with words", BYTES("PROXY UNKNOWN a b 1 2\r\n"), 0, NULL, 0},
    {"L12 LF", BYTES("PROXY TCP4 192.0.2.1 192.0.2.2 8080 443\n"), ERR_SYNTAX, NULL, 0},
    {"L12 family", BYTES("PROXY TCP6 192.0.2.1 192.0.2.2 8080 443\r\n"), ERR_SYNTAX, NULL, 0},
    {"L12 port", BYTES("PROXY TCP4 192.0.2.1 192.0.2.2 80800 443\r\n"), ERR_SYNTAX, NULL, 0},
    {"L12 a word more", BYTES("PROXY TCP4 192.0.2.1 192.0.2.2 80 443 x\r\n"), ERR_SYNTAX, NULL, 0},
    {"L12 none", BYTES("GET / HTTP/1.1\r\n"), ERR_SYNTAX, NULL, 0},
    {"L12 TLS", BYTES("\x16\3\1"), ERR_SYNTAX, NULL, 0},
};

static void test_headers(void **state)
{
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct proxy_header h;
        char peer[64] = "";
        print_message("%s\n", rows[i].what);
        assert_int_equal(proxy_header_read(slice_make(rows[i].text, rows[i].len), &h), rows[i].err);
        if (rows[i].err < 0)
            continue;
        assert_int_equal(h.bytes, rows[i].len - rows[i].rest);
        assert_int_equal(h.named, !!rows[i].peer);
        if (h.named)
            sock_address_text((const struct sockaddr *)&h.peer, true, peer, sizeof peer);
        assert_string_equal(peer, rows[i].peer ? rows[i].peer : "");
        for (size_t n = 0; n < h.bytes; n++)
            assert_int_equal(proxy_header_read(slice_make(rows[i].text, n), &h), ERR_AGAIN);
    }
}

/* L12: a line without an end is refused before it is long. */
static void test_a_line_without_an_end(void **state)
{
    struct proxy_header h;
    char text[200];
    memset(text, ' ', sizeof text);
    memcpy(text, "PROXY", 5);
    assert_int_equal(proxy_header_read(slice_make(text, 106), &h), ERR_AGAIN);
    assert_int_equal(proxy_header_read(slice_make(text, 107), &h), ERR_SYNTAX);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_headers),
        cmocka_unit_test(test_a_line_without_an_end),
    };
    return cmocka_run_group_tests_name("proxy_header", tests, NULL, NULL);
}
