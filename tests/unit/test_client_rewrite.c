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
        {"auto", 1, REWRITE_AUTO},
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
    {"3000", "x-forwarded-host", "app.example.com", "localhost:3000"},
    {"3000", "x-forwarded-proto", "https", "http"},
    {"3000", "x-forwarded-port", "443", "3000"},
    {"https://db", "x-forwarded-proto", "https", "https"},
    {"3000", "x-forwarded-for", "192.0.2.1", "192.0.2.1"},
    {"3000", "destination", "https://app.example.com/a%20b", "http://localhost:3000/a%20b"},
    {"3000", "destination", "/a", "/a"},
    {"3000", "destination", "https://evil.test/a", "https://evil.test/a"},
    {"3000", "if", "<https://app.example.com/a> (<urn:uuid:1>)",
     "<http://localhost:3000/a> (<urn:uuid:1>)"},
    {"3000", "if", "(<https://app.example.com/a> [\"a)b\"]) <https://app.example.com/b> ([\"c\"])",
     "(<https://app.example.com/a> [\"a)b\"]) <http://localhost:3000/b> ([\"c\"])"},
    {"3000", "if", "</a> (Not <urn:uuid:1>)", "</a> (Not <urn:uuid:1>)"},
    {"3000", "if", "<https://app.example.com/a", "<https://app.example.com/a"},
    {"3000", "if", "(", "("},
};

/* R15 H32 H33 */
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
    {"3000", "refresh", "5; url=http://localhost:3000/x", "5; url=https://app.example.com/x"},
    {"3000", "location", "http://app.example.com:3000/x", "https://app.example.com/x"},
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
        fields_add(&m.fields, SLICE("x-forwarded-proto"), SLICE("https"));
        rewrite_request(&modes[i], &m);
        expect_slice(m.authority, i == 0 ? "app.example.com" : "inner.test");
        rewrite_response(&modes[i], &m, SLICE("https"), SLICE("app.example.com"));
        expect_slice(m.fields.v[0].value, "https://app.example.com");
        expect_slice(m.fields.v[1].value, "http://localhost:3000/");
        expect_slice(m.fields.v[2].value, "https");
        message_deinit(&m);
    }
}

/* What a service answers that has the viewer's host from Host, and the rest from its own socket. */
static const struct {
    const char *origin, *scheme, *authority, *name, *value, *want;
} mixed[] = {
    {"8080", "https", "a.test", "location", "http://a.test:8080/d/", "https://a.test/d/"},
    {"8080", "https", "a.test", "location", "http://A.test:8080?q", "https://a.test?q"},
    {"8080", "https", "a.test", "location", "https://a.test:8080/d/", "https://a.test/d/"},
    {"8080", "https", "a.test", "location", "http://a.test/d/", "https://a.test/d/"},
    {"8080", "https", "a.test", "location", "http://a.test:80/d/", "https://a.test/d/"},
    {"8080", "https", "a.test", "location", "//a.test:8080/d/", "//a.test/d/"},
    {"8080", "https", "a.test", "location", "//a.test/d/", "//a.test/d/"},
    {"8080", "https", "a.test", "location", "https://a.test/d/", "https://a.test/d/"},
    {"8080", "https", "a.test", "location", "http://a.test:8081/d/", "http://a.test:8081/d/"},
    {"8080", "https", "a.test", "location", "http://b.test:8080/d/", "http://b.test:8080/d/"},
    {"8080", "https", "a.test", "location", "http://a.test.b:8080/", "http://a.test.b:8080/"},
    {"8080", "https", "a.test", "location", "http://u@a.test:8080/", "http://u@a.test:8080/"},
    {"8080", "https", "a.test", "location", "http://a.test:8080x/", "http://a.test:8080x/"},
    {"8080", "https", "a.test", "location", "ftp://a.test:8080/", "ftp://a.test:8080/"},
    {"8080", "https", "a.test", "location", "/d/", "/d/"},
    {"8080", "https", "a.test", "location", "", ""},
    {"8080", "https", "a.test", "location", "http://", "http://"},
    {"8080", "https", "a.test", "location", "//", "//"},
    {"8080", "https", "a.test:8443", "location", "http://a.test:8443/d/", "https://a.test:8443/d/"},
    {"8080", "https", "a.test:8443", "location", "http://a.test:8080/d/", "https://a.test:8443/d/"},
    {"8080", "https", "a.test:8443", "location", "http://a.test/d/", "http://a.test/d/"},
    {"80", "http", "a.test:9000", "location", "http://a.test/d/", "http://a.test:9000/d/"},
    {"8080", "http", "a.test", "location", "http://a.test:8080/d/", "http://a.test/d/"},
    {"8080", "http", "a.test", "location", "https://a.test/d/", "https://a.test/d/"},
    {"https://x", "http", "a.test", "location", "https://a.test/d/", "https://a.test/d/"},
    {"https://x:8443", "http", "a.test", "location", "https://a.test:8443/d", "http://a.test/d"},
    {"8080", "https", "[2001:db8::1]", "location", "http://[2001:db8::1]:8080/d/",
     "https://[2001:db8::1]/d/"},
    {"8080", "https", "a.test", "content-location", "http://a.test:8080/d", "https://a.test/d"},
    {"8080", "https", "a.test", "refresh", "0;url=http://a.test:8080/d", "0;url=https://a.test/d"},
    {"8080", "https", "a.test", "refresh", "0; URL = 'http://a.test:8080/d'",
     "0; URL = 'https://a.test/d'"},
    {"8080", "https", "a.test", "refresh", "0; url=\"http://a.test:8080/d",
     "0; url=\"https://a.test/d"},
    {"8080", "https", "a.test", "refresh", "0", "0"},
    {"8080", "https", "a.test", "refresh", "0; http://a.test:8080/", "0; http://a.test:8080/"},
    {"8080", "https", "a.test", "refresh", "0; url", "0; url"},
    {"8080", "https", "a.test", "refresh", "0; url=", "0; url="},
    {"8080", "https", "a.test", "x-other", "http://a.test:8080/", "http://a.test:8080/"},
};

/* R42 */
static void test_our_host_with_the_origins_port(void **state)
{
    static const enum rewrite_mode modes[] = {REWRITE_KEEP, REWRITE_VALUE, REWRITE_ALL};
    for (size_t i = 0; i < 3 * (sizeof mixed / sizeof *mixed); i++) {
        size_t row = i / 3;
        struct url origin = origin_of(mixed[row].origin);
        struct rewrite w = {.mode = modes[i % 3], .value = "v.test", .origin = &origin};
        struct message m;
        print_message("%s: %s\n", mixed[row].name, mixed[row].value);
        message_init(&m);
        m.status = 301;
        fields_add_copy(&m.fields, slice_str(mixed[row].name), slice_str(mixed[row].value));
        rewrite_response(&w, &m, slice_str(mixed[row].scheme), slice_str(mixed[row].authority));
        expect_slice(m.fields.v[0].value, mixed[row].want);
        message_deinit(&m);
    }
}

static const struct {
    const char *origin, *scheme, *value, *name, *in, *want;
} webdav[] = {
    {"3000", "https", NULL, "destination", "https://a.test/x", "/x"},
    {"3000", "https", NULL, "destination", "https://a.test", "/"},
    {"3000", "https", NULL, "destination", "https://a.test//b.test/", "https://a.test//b.test/"},
    {"3000", "https", NULL, "destination", "https://a.test?x", "https://a.test?x"},
    {"3000", "https", NULL, "destination", "https://b.test/x", "https://b.test/x"},
    {"3000", "http", NULL, "destination", "http://a.test/x", "http://a.test/x"},
    {"https://x", "https", NULL, "destination", "https://a.test/x", "https://a.test/x"},
    {"3000", "http", "v.test", "destination", "http://a.test/x", "/x"},
    {"3000", "https", NULL, "if", "<https://a.test/x> (<t:1>)", "</x> (<t:1>)"},
    {"3000", "http", NULL, "if", "<http://a.test/x> (<t:1>)", "<http://a.test/x> (<t:1>)"},
};

/* H33 */
static void test_webdav_in_other_modes(void **state)
{
    for (size_t i = 0; i < sizeof webdav / sizeof *webdav; i++) {
        struct url origin = origin_of(webdav[i].origin);
        struct rewrite w = {.mode = webdav[i].value ? REWRITE_VALUE : REWRITE_KEEP,
                            .value = webdav[i].value,
                            .origin = &origin};
        struct message m;
        message_init(&m);
        m.scheme = slice_str(webdav[i].scheme);
        m.authority = SLICE("a.test");
        fields_add_copy(&m.fields, slice_str(webdav[i].name), slice_str(webdav[i].in));
        size_t bytes = m.fields.bytes - strlen(webdav[i].in) + strlen(webdav[i].want);
        rewrite_request(&w, &m);
        expect_slice(m.fields.v[0].value, webdav[i].want);
        assert_int_equal(m.fields.bytes, bytes);
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
        cmocka_unit_test(test_our_host_with_the_origins_port),
        cmocka_unit_test(test_webdav_in_other_modes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
