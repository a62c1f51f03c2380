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

#define ACME "/.well-known/acme-challenge/"
#define TOKEN_128                                                                                  \
    "a123456789012345678901234567890123456789012345678901234567890123"                             \
    "b123456789012345678901234567890123456789012345678901234567890-_Z"

static const struct {
    const char *what, *path;
    bool proves;
    const char *token; /* NULL: none */
} proofs[] = {
    {"O201 a token", ACME "LoqXcYV8-q_ONbJQxbmR7SCTNo3t", true, "LoqXcYV8-q_ONbJQxbmR7SCTNo3t"},
    {"O201 with a query", ACME "abc?x/y", true, "abc"},
    {"O202 the longest token", ACME TOKEN_128, true, TOKEN_128},
    {"O202 a longer one", ACME TOKEN_128 "x", true, NULL},
    {"O202 no token", ACME, true, NULL},
    {"O202 a query alone", ACME "?abc", true, NULL},
    {"O202 a dot", ACME "a.b", true, NULL},
    {"O202 the folder above", ACME "..", true, NULL},
    {"O202 out of the folder", ACME "../secret", true, NULL},
    {"O202 a folder", ACME "a/b", true, NULL},
    {"O202 a percent sign", ACME "%61", true, NULL},
    {"O201 the other path of authorities", "/.well-known/pki-validation/fileauth.txt", true, NULL},
    {"O201 without a slash", "/.well-known/acme-challenge", false, NULL},
    {"O201 another name", "/.well-known/acme-challenges/x", false, NULL},
    {"O201 in another case", "/.WELL-KNOWN/acme-challenge/x", false, NULL},
    {"O201 deeper", "/x/.well-known/acme-challenge/y", false, NULL},
};

/* O201: the path of a challenge is a built-in for every host. */
static void test_proofs(void **state)
{
    static const char *const all[] = {"example.com",    "my-app.example.com", "a.b.example.com",
                                      "elsewhere.test", "192.0.2.1",          ""};
    for (size_t i = 0; i < sizeof proofs / sizeof *proofs; i++) {
        struct message m = {.method = SLICE("GET"), .path = slice_str(proofs[i].path)};
        print_message("%s\n", proofs[i].what);
        assert_int_equal(route_proves(m.path), proofs[i].proves);
        for (size_t k = 0; k < (proofs[i].proves ? sizeof all / sizeof *all : 0); k++) {
            struct route r;
            m.authority = slice_str(all[k]);
            route_find(SLICE("example.com"), &m, &r);
            assert_int_equal(r.kind, ROUTE_BASE);
            assert_int_equal(r.builtin.kind, proofs[i].token ? BUILTIN_CHALLENGE : BUILTIN_NONE);
            assert_true(!proofs[i].token || slice_eq(r.builtin.name, slice_str(proofs[i].token)));
        }
    }
    assert_int_equal(route_builtin(SLICE("POST"), SLICE(ACME "x")).kind, BUILTIN_METHOD);
    assert_int_equal(route_builtin(SLICE("HEAD"), SLICE(ACME "x")).kind, BUILTIN_CHALLENGE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_host),
        cmocka_unit_test(test_path),
        cmocka_unit_test(test_proofs),
    };
    return cmocka_run_group_tests_name("route", tests, NULL, NULL);
}
