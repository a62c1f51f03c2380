/* SPDX-License-Identifier: MIT */
/* test_route.c - tests which tunnel or built-in a Host and a path lead to: protocol.md#names,
 * protocol.md#register */
#include "src/http/route.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#define LABEL_63 "a23456789012345678901234567890123456789012345678901234567890123"

static const struct {
    const char *domain, *authority;
    enum route_kind want;
    const char *name;
} hosts[] = {
    {"example.com", "example.com", ROUTE_BASE, ""},
    {"example.com", "EXAMPLE.com:8443", ROUTE_BASE, ""},
    {"example.com", "example.com.", ROUTE_BASE, ""},
    {"example.com", "example.com.:443", ROUTE_BASE, ""},
    {"example.com", "localhost", ROUTE_BASE, ""},
    {"example.com", "LocalHost:3000", ROUTE_BASE, ""},
    {"example.com", "127.0.0.1:3000", ROUTE_BASE, ""},
    {"example.com", "192.0.2.1", ROUTE_BASE, ""},
    {"example.com", "[::1]", ROUTE_BASE, ""},
    {"example.com", "[2001:db8::1]:443", ROUTE_BASE, ""},
    {"example.com", "my-app.example.com", ROUTE_TUNNEL, "my-app"},
    {"example.com", "My-App.Example.COM:8080", ROUTE_TUNNEL, "my-app"},
    {"example.com", "my-app.example.com.", ROUTE_TUNNEL, "my-app"},
    {"example.com", "my-app.example.com:", ROUTE_TUNNEL, "my-app"},
    {"example.com", "my-app.example.com.:", ROUTE_TUNNEL, "my-app"},
    {"example.com", "www.example.com", ROUTE_TUNNEL, "www"},
    {"example.com", LABEL_63 ".example.com", ROUTE_TUNNEL, LABEL_63},
    {"example.com", LABEL_63 "4.example.com", ROUTE_UNKNOWN, ""},
    {"example.com", "a.b.example.com", ROUTE_UNKNOWN, ""}, /* more than one label */
    {"example.com", ".example.com", ROUTE_UNKNOWN, ""},
    {"example.com", "my_app.example.com", ROUTE_UNKNOWN, ""},
    {"example.com", "myexample.com", ROUTE_UNKNOWN, ""},
    {"example.com", "example.com.evil.org", ROUTE_UNKNOWN, ""},
    {"example.com", "demo.localhost", ROUTE_UNKNOWN, ""},
    {"example.com", "example.com..", ROUTE_UNKNOWN, ""},
    {"example.com", "1.2.3", ROUTE_UNKNOWN, ""},
    {"example.com", "", ROUTE_UNKNOWN, ""},
    {"example.com", ":80", ROUTE_UNKNOWN, ""},
    {"example.com", "[::1", ROUTE_UNKNOWN, ""},
    {"example.com", "[zz]", ROUTE_UNKNOWN, ""},
    {"localhost", "demo.localhost:8080", ROUTE_TUNNEL, "demo"},
    {"localhost", "localhost:8080", ROUTE_BASE, ""},
    {"t.example.com", "x.t.example.com", ROUTE_TUNNEL, "x"},
    {"t.example.com", "example.com", ROUTE_UNKNOWN, ""},
};

/* Q19, Q20 */
static void test_host(void **state)
{
    for (size_t i = 0; i < sizeof hosts / sizeof hosts[0]; i++) {
        char name[NAME_MAX_LEN + 1];
        enum route_kind got =
            route_host(slice_str(hosts[i].domain), slice_str(hosts[i].authority), name);
        if (got != hosts[i].want || strcmp(name, hosts[i].name) != 0)
            fail_msg("%s: kind %d, name '%s'", hosts[i].authority, (int)got, name);
    }
}

static const struct {
    const char *method, *path;
    enum builtin_kind want;
    const char *name;
} paths[] = {
    {"GET", "/", BUILTIN_LANDING, ""},
    {"HEAD", "/", BUILTIN_LANDING, ""},
    {"POST", "/", BUILTIN_METHOD, ""},
    {"GET", "/?", BUILTIN_LANDING, ""},
    {"GET", "/?newer", BUILTIN_LANDING, ""},
    {"GET", "/?new", BUILTIN_OLD_CLIENT, ""},
    {"GET", "/?new=1", BUILTIN_OLD_CLIENT, ""},
    {"GET", "/?a=b&new", BUILTIN_OLD_CLIENT, ""},
    {"HEAD", "/?new", BUILTIN_OLD_CLIENT, ""},
    {"GET", "/my-app", BUILTIN_OLD_CLIENT, "my-app"},
    {"GET", "/My-App?x=1", BUILTIN_OLD_CLIENT, "My-App"},
    {"HEAD", "/my-app", BUILTIN_OLD_CLIENT, "my-app"},
    {"HEAD", "/register/my-app", BUILTIN_METHOD, "my-app"}, /* a HEAD must not register */
    {"POST", "/my-app", BUILTIN_METHOD, "my-app"},
    {"GET", "/my-app/", BUILTIN_NONE, ""},
    {"GET", "/register", BUILTIN_REGISTER, ""},
    {"POST", "/register", BUILTIN_REGISTER, ""},
    {"GET", "/register/", BUILTIN_REGISTER, ""},
    {"GET", "/register?x", BUILTIN_REGISTER, ""},
    {"GET", "/register/my-app", BUILTIN_REGISTER, "my-app"},
    {"POST", "/register/my-app", BUILTIN_REGISTER, "my-app"},
    {"PUT", "/register/my-app", BUILTIN_METHOD, "my-app"},
    {"GET", "/register/my-app/x", BUILTIN_NONE, ""},
    {"GET", "/register//", BUILTIN_NONE, ""},
    {"GET", "/tunnel/my-app", BUILTIN_ATTACH, "my-app"},
    {"POST", "/tunnel/my-app", BUILTIN_METHOD, "my-app"},
    {"GET", "/tunnel/", BUILTIN_NONE, ""},
    {"GET", "/tunnel", BUILTIN_OLD_CLIENT, "tunnel"},
    {"GET", "/tunnel/a/b", BUILTIN_NONE, ""},
    {"GET", "/api/status", BUILTIN_STATUS, ""},
    {"POST", "/api/status", BUILTIN_METHOD, ""},
    {"GET", "/api/tunnels/my-app/status", BUILTIN_TUNNEL_STATUS, "my-app"},
    {"GET", "/api/tunnels/my-app", BUILTIN_NONE, ""},
    {"GET", "/api/tunnels/my-app/status/x", BUILTIN_NONE, ""},
    {"GET", "/api/tunnels/a/b/c/d/e", BUILTIN_NONE, ""},
    {"GET", "/healthz", BUILTIN_HEALTH, ""},
    {"GET", "/robots.txt", BUILTIN_ROBOTS, ""},
    {"HEAD", "/favicon.ico?1", BUILTIN_ICON, ""},
    {"HEAD", "/healthz?x", BUILTIN_HEALTH, ""},
    {"GET", "//register", BUILTIN_NONE, ""}, /* nothing is normalised (Q14) */
    {"GET", "//?new", BUILTIN_OLD_CLIENT, ""},
    {"GET", "//my-app", BUILTIN_OLD_CLIENT, "my-app"},
    {"GET", "//", BUILTIN_NONE, ""},
    {"GET", "///my-app", BUILTIN_NONE, ""},
    {"GET", "/./register", BUILTIN_NONE, ""},
    {"GET", "/%72egister", BUILTIN_OLD_CLIENT, "%72egister"},
    {"GET", "/Register/x", BUILTIN_NONE, ""},
    {"OPTIONS", "*", BUILTIN_OPTIONS, ""},
    {"GET", "*", BUILTIN_NONE, ""},
    {"OPTIONS", "/", BUILTIN_OPTIONS, ""},
    {"OPTIONS", "/register/my-app", BUILTIN_OPTIONS, "my-app"},
    {"OPTIONS", "/a/b", BUILTIN_NONE, ""},
    {"options", "/", BUILTIN_METHOD, ""},
    {"GET", "", BUILTIN_NONE, ""},
};

/* Q50: register calls of old clients are a built-in of their own, which takes no name. */
static void test_path(void **state)
{
    for (size_t i = 0; i < sizeof paths / sizeof paths[0]; i++) {
        struct builtin b = route_builtin(slice_str(paths[i].method), slice_str(paths[i].path));
        bool named = b.kind == BUILTIN_NONE || slice_eq(b.name, slice_str(paths[i].name));
        if (b.kind != paths[i].want || !named)
            fail_msg("%s %s: kind %d, name '%.*s'", paths[i].method, paths[i].path, (int)b.kind,
                     SLICE_FMT(b.name));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_host),
        cmocka_unit_test(test_path),
    };
    return cmocka_run_group_tests_name("route", tests, NULL, NULL);
}
