/* SPDX-License-Identifier: MIT */
/* test_client_rewrite.c - --host-header: keep, rewrite, VALUE. Rule R15. */
#include "client/origin/rewrite.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "client/origin/origin_address.h"

static struct url origin_of(const char *text)
{
    struct origin_address a;
    const char *reason;
    assert_int_equal(origin_address_parse(text, "localhost", false, &a, &reason), 0);
    return a.url;
}

/* R15 */
static void test_modes(void **state)
{
    static const struct {
        const char *in;
        int ok;
        enum rewrite_mode mode;
    } rows[] = {
        {"keep", 1, REWRITE_KEEP},
        {"rewrite", 1, REWRITE_ALL},
        {"app.internal", 1, REWRITE_VALUE},
        {"app.internal:81", 1, REWRITE_VALUE},
        {"a b", 0, 0},
        {"u@h", 0, 0},
        {"a\r\nX: y", 0, 0},
        {"h:65536", 0, 0},
    };

    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct rewrite w;
        assert_int_equal(rewrite_parse(rows[i].in, &w) == 0, rows[i].ok);
        if (rows[i].ok)
            assert_int_equal(w.mode, rows[i].mode);
    }
}

static void expect_slice(struct slice got, const char *want)
{
    char text[512];
    snprintf(text, sizeof text, "%.*s", SLICE_FMT(got));
    assert_string_equal(text, want);
}

static const struct {
    const char *origin, *name, *value, *want;
} up[] = {
    {"3000", "origin", "https://app.example.com", "http://localhost:3000"},
    {"3000", "Origin", "HTTPS://APP.example.com", "http://localhost:3000"},
    {"3000", "origin", "https://app.example.com:443", "http://localhost:3000"},
    {"3000", "origin", "https://app.example.com:", "http://localhost:3000"},
    {"3000", "origin", "https://evil.test", "https://evil.test"},
    {"3000", "origin", "https://app.example.com.evil.test", "https://app.example.com.evil.test"},
    {"3000", "origin", "http://app.example.com", "http://app.example.com"},
    {"3000", "origin", "null", "null"},
    {"3000", "referer", "https://app.example.com/a?b", "http://localhost:3000/a?b"},
    {"3000", "referer", "https://app.example.com", "http://localhost:3000"},
    {"https://db", "referer", "https://app.example.com/x", "https://db/x"},
    {"unix:/run/a", "referer", "https://app.example.com/x", "http://localhost/x"},
    {"3000", "x-other", "https://app.example.com/x", "https://app.example.com/x"},
};

/* R15 */
static void test_towards_the_origin(void **state)
{
    for (size_t i = 0; i < sizeof up / sizeof *up; i++) {
        struct url origin = origin_of(up[i].origin);
        struct rewrite w = {.mode = REWRITE_ALL, .origin = &origin};
        struct message m;
        print_message("%s: %s\n", up[i].name, up[i].value);
        message_init(&m);
        m.scheme = SLICE("https");
        m.authority = SLICE("app.example.com");
        fields_add_copy(&m.fields, slice_str(up[i].name), slice_str(up[i].value));
        rewrite_request(&w, &m);
        expect_slice(m.authority, origin.authority);
        expect_slice(m.fields.v[0].value, up[i].want);
        message_deinit(&m);
    }
}

static const struct {
    const char *origin, *name, *value, *want;
} down[] = {
    {"3000", "location", "http://localhost:3000/x?y#z", "https://app.example.com/x?y#z"},
    {"3000", "location", "http://localhost:3000", "https://app.example.com"},
    {"3000", "location", "http://LOCALHOST:3000/", "https://app.example.com/"},
    {"3000", "location", "//localhost:3000/x?y#z", "//app.example.com/x?y#z"},
    {"3000", "location", "//LOCALHOST:3000", "//app.example.com"},
    {"3000", "content-location", "//localhost:3000/x", "//app.example.com/x"},
    {"3000", "location", "//localhost:3001/x", "//localhost:3001/x"},
    {"3000", "location", "//localhost:30000/x", "//localhost:30000/x"},
    {"3000", "location", "//localhost/x", "//localhost/x"},
    {"3000", "location", "//a@localhost:3000/x", "//a@localhost:3000/x"},
    {"3000", "location", "///localhost:3000/x", "///localhost:3000/x"},
    {"3000", "location", "//", "//"},
    {"3000", "location", "/x//localhost:3000/", "/x//localhost:3000/"},
    {"127.0.0.1:3000", "location", "//127.0.0.1:3000/x", "//app.example.com/x"},
    {"[::1]:3000", "location", "//[::1]:3000/x", "//app.example.com/x"},
    {"http://db", "location", "//db/x", "//app.example.com/x"},
    {"http://db", "location", "//db:80/x", "//app.example.com/x"},
    {"https://db", "location", "//db:443/x", "//app.example.com/x"},
    {"3000", "location", "/relative", "/relative"},
    {"3000", "location", "http://localhost:3001/x", "http://localhost:3001/x"},
    {"3000", "location", "http://localhost:30000/x", "http://localhost:30000/x"},
    {"3000", "location", "https://localhost:3000/x", "https://localhost:3000/x"},
    {"http://db", "location", "http://db:80/x", "https://app.example.com/x"},
    {"3000", "Access-Control-Allow-Origin", "http://localhost:3000", "https://app.example.com"},
    {"3000", "access-control-allow-origin", "*", "*"},
    {"3000", "set-cookie", "a=1; Path=/; Domain=localhost; Secure",
     "a=1; Path=/; Domain=app.example.com; Secure"},
    {"3000", "set-cookie", "a=1; domain=.LOCALHOST", "a=1; domain=app.example.com"},
    {"3000", "set-cookie", "a=1;Domain = localhost ;HttpOnly",
     "a=1;Domain = app.example.com ;HttpOnly"},
    {"3000", "set-cookie", "a=1; Domain=elsewhere.test", "a=1; Domain=elsewhere.test"},
    {"3000", "set-cookie", "Domain=localhost; Path=/",
     "Domain=localhost; Path=/"}, /* a cookie of that name */
    {"3000", "set-cookie", "a=1", "a=1"},
    {"3000", "x-other", "http://localhost:3000/x", "http://localhost:3000/x"},
};

/* R15 */
static void test_back_to_the_viewer(void **state)
{
    for (size_t i = 0; i < sizeof down / sizeof *down; i++) {
        struct url origin = origin_of(down[i].origin);
        struct rewrite w = {.mode = REWRITE_ALL, .origin = &origin};
        struct message m;
        print_message("%s: %s\n", down[i].name, down[i].value);
        message_init(&m);
        m.status = 200;
        fields_add_copy(&m.fields, slice_str(down[i].name), slice_str(down[i].value));
        size_t bytes = m.fields.bytes - strlen(down[i].value) + strlen(down[i].want);
        rewrite_response(&w, &m, SLICE("https"), SLICE("app.example.com"));
        expect_slice(m.fields.v[0].value, down[i].want);
        assert_int_equal(m.fields.bytes, bytes);
        message_deinit(&m);
    }
}

/* R15 */
static void test_others_touch_host_only(void **state)
{
    struct url origin = origin_of("3000");
    struct rewrite modes[] = {
        {.mode = REWRITE_KEEP, .origin = &origin},
        {.mode = REWRITE_VALUE, .value = "inner.test", .origin = &origin},
    };
    for (size_t i = 0; i < 2; i++) {
        struct message m;
        message_init(&m);
        m.scheme = SLICE("https");
        m.authority = SLICE("app.example.com");
        fields_add(&m.fields, SLICE("origin"), SLICE("https://app.example.com"));
        fields_add(&m.fields, SLICE("location"), SLICE("http://localhost:3000/"));
        rewrite_request(&modes[i], &m);
        expect_slice(m.authority, i == 0 ? "app.example.com" : "inner.test");
        rewrite_response(&modes[i], &m, SLICE("https"), SLICE("app.example.com"));
        expect_slice(m.fields.v[0].value, "https://app.example.com");
        expect_slice(m.fields.v[1].value, "http://localhost:3000/");
        message_deinit(&m);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_modes),
        cmocka_unit_test(test_towards_the_origin),
        cmocka_unit_test(test_back_to_the_viewer),
        cmocka_unit_test(test_others_touch_host_only),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
