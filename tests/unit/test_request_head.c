/* SPDX-License-Identifier: MIT */
/* test_request_head.c - heads that HTTP/1.1 cannot carry are refused: request_head.h. */
#include "h2mux/http/request_head.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

static const struct {
    const char *rule, *method, *scheme, *authority, *path, *name, *value;
    bool good;
} rows[] = {
    {"E2 D2 a good one", "GET", "https", "a.example", "/x?y=%20", "x-a", "b c", true},
    {"E2 D2 an asterisk", "OPTIONS", "https", "a.example", "*", "x-a", "b", true},
    {"E2 D9 http", "GET", "http", "a.example:80", "/", "x-a", "", true},
    {"E2 D9 another scheme", "GET", "ftp", "a.example", "/", "x-a", "b", false},
    {"E2 D9 no scheme", "GET", "", "a.example", "/", "x-a", "b", false},
    {"E2 D2 method", "G T", "https", "a.example", "/", "x-a", "b", false},
    {"E2 D2 no method", "", "https", "a.example", "/", "x-a", "b", false},
    {"E2 D2 userinfo", "GET", "https", "me@a.example", "/", "x-a", "b", false},
    {"E2 D2 fragment", "GET", "https", "a.example", "/#x", "x-a", "b", false},
    {"E2 D2 space", "GET", "https", "a.example", "/a b", "x-a", "b", false},
    {"E2 D2 line end in a path", "GET", "https", "a.example", "/a\r\nb", "x-a", "b", false},
    {"E2 D2 no path", "GET", "https", "a.example", "", "x-a", "b", false},
    {"E2 D2 asterisk of GET", "GET", "https", "a.example", "*", "x-a", "b", false},
    {"E2 D2 name", "GET", "https", "a.example", "/", "x a", "b", false},
    {"E2 D2 line end in a value", "GET", "https", "a.example", "/", "x-a", "b\r\nc: d", false},
};

static void test_heads(void **state)
{
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        const char *reason = NULL;
        struct message m;
        message_init(&m);
        m.method = slice_str(rows[i].method);
        m.scheme = slice_str(rows[i].scheme);
        m.authority = slice_str(rows[i].authority);
        m.path = slice_str(rows[i].path);
        fields_add(&m.fields, slice_str(rows[i].name), slice_str(rows[i].value));
        assert_int_equal(request_head_judge(&m, &reason), rows[i].good ? 0 : ERR_PROTOCOL);
        assert_int_equal(!reason, rows[i].good);
        message_deinit(&m);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_heads)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
