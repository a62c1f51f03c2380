/* SPDX-License-Identifier: MIT */
/* test_client_proxy_choice.c - which proxy the server is dialled by, and for which hosts none is.
 * Rules O86, O89. */
#include "client/server/proxy_choice.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

static const struct {
    const char *text, *host, *user, *password; /* host NULL: refused */
    enum proxy_kind kind;
    uint16_t port;
    const char *reason;
} urls[] = {
    {"http://proxy.corp:3128", "proxy.corp", "", "", PROXY_HTTP, 3128, NULL},
    {"HTTP://Proxy.Corp:3128/", "proxy.corp", "", "", PROXY_HTTP, 3128, NULL},
    {"proxy:8080", "proxy", "", "", PROXY_HTTP, 8080, NULL},
    {"http://[2001:db8::1]:80", "2001:db8::1", "", "", PROXY_HTTP, 80, NULL},
    {"http://ann:secret@p:1", "p", "ann", "secret", PROXY_HTTP, 1, NULL},
    {"http://CORP%5Cann:p%40s%3as%25@p:1", "p", "CORP\\ann", "p@s:s%", PROXY_HTTP, 1, NULL},
    {"http://ann:a@b@p:1", "p", "ann", "a@b", PROXY_HTTP, 1, NULL},
    {"http://ann@p:1", "p", "ann", "", PROXY_HTTP, 1, NULL},
    {"http://ann:a:b@p:1", "p", "ann", "a:b", PROXY_HTTP, 1, NULL},
    {"socks5h://127.0.0.1:9050", "127.0.0.1", "", "", PROXY_SOCKS, 9050, NULL},
    {"socks5://p", "p", "", "", PROXY_SOCKS, 1080, NULL},
    {"socks5h://ann:secret@p", "p", "ann", "secret", PROXY_SOCKS, 1080, NULL},
    {"http://proxy", NULL, NULL, NULL, PROXY_HTTP, 0, "port of the proxy is missing"},
    {"http://proxy:0", NULL, NULL, NULL, PROXY_HTTP, 0, "malformed"},
    {"http://:3128", NULL, NULL, NULL, PROXY_HTTP, 0, "malformed"},
    {"http://p:1/path", NULL, NULL, NULL, PROXY_HTTP, 0, "malformed"},
    {"http://a b:1", NULL, NULL, NULL, PROXY_HTTP, 0, "malformed"},
    {"https://p:3128", NULL, NULL, NULL, PROXY_HTTP, 0, "kind of proxy"},
    {"socks4://p:1080", NULL, NULL, NULL, PROXY_HTTP, 0, "kind of proxy"},
    {"http://ann:10%@p:1", NULL, NULL, NULL, PROXY_HTTP, 0, "%25"},
    {"http://ann:%zz@p:1", NULL, NULL, NULL, PROXY_HTTP, 0, "%25"},
    {"http://ann:%4@p:1", NULL, NULL, NULL, PROXY_HTTP, 0, "%25"},
    {"http://ann:a%0d%0aX@p:1", NULL, NULL, NULL, PROXY_HTTP, 0, "%25"},
    {"http://ann:a%00@p:1", NULL, NULL, NULL, PROXY_HTTP, 0, "%25"},
    {"http://a%3ab:c@p:1", NULL, NULL, NULL, PROXY_HTTP, 0, "colon"},
    {"http://:c@p:1", NULL, NULL, NULL, PROXY_HTTP, 0, "empty"},
    {"socks5h://ann@p:1", NULL, NULL, NULL, PROXY_SOCKS, 0, "password"},
    {"", NULL, NULL, NULL, PROXY_HTTP, 0, "malformed"},
};

static void test_urls(void **state)
{
    for (size_t i = 0; i < sizeof urls / sizeof *urls; i++) {
        struct proxy p;
        const char *reason = NULL;
        print_message("%s\n", urls[i].text);
        int err = proxy_parse(urls[i].text, &p, &reason);
        assert_int_equal(err == 0, !!urls[i].host);
        if (err < 0) {
            assert_non_null(strstr(reason, urls[i].reason));
            continue;
        }
        assert_string_equal(p.host, urls[i].host);
        assert_string_equal(p.user, urls[i].user);
        assert_string_equal(p.password, urls[i].password);
        assert_int_equal(p.kind, urls[i].kind);
        assert_int_equal(p.port, urls[i].port);
    }
}

static const struct {
    const char *what, *list, *host;
    bool spared;
} hosts[] = {
    {"O86 no list", NULL, "example.com", false},
    {"O86 an empty list", "", "example.com", false},
    {"O86 everything", "*", "example.com", true},
    {"O86 everything, an address", "*", "192.0.2.1", true},
    {"O86 a star in a list is a name", "a.org,*", "example.com", false},
    {"O86 the host", "a.org,example.com", "example.com", true},
    {"O86 with blanks alone", "a.org  example.com", "example.com", true},
    {"O86 with commas and blanks", " a.org , example.com,", "example.com", true},
    {"O86 in capitals", "EXAMPLE.com", "example.com", true},
    {"O86 below it", "example.com", "a.example.com", true},
    {"O86 below it, with a dot", ".example.com", "a.example.com", true},
    {"O86 the host, with a dot", ".example.com", "example.com", true},
    {"O86 only the same letters", "example.com", "evilexample.com", false},
    {"O86 above it", "a.example.com", "example.com", false},
    {"O86 dots at the ends", "example.com.", "example.com", true},
    {"O86 a dot at the host's end", "example.com", "example.com.", true},
    {"O86 a domain", ".corp", "server.corp", true},
    {"O86 a dot alone", ".", "example.com", false},
    {"O86 an address", "192.0.2.1", "192.0.2.1", true},
    {"O86 another address", "192.0.2.1", "192.0.2.11", false},
    {"O86 the end of an address", "2.1", "192.0.2.1", false},
    {"O86 a network", "192.0.2.0/24", "192.0.2.77", true},
    {"O86 another network", "192.0.2.0/24", "192.0.3.77", false},
    {"O86 a network of odd length", "10.64.0.0/10", "10.127.255.255", true},
    {"O86 beside a network of odd length", "10.64.0.0/10", "10.128.0.0", false},
    {"O86 all of IPv4", "0.0.0.0/0", "10.128.0.0", true},
    {"O86 a whole address", "10.1.2.3/32", "10.1.2.3", true},
    {"O86 too many bits", "10.1.2.3/33", "10.1.2.3", false},
    {"O86 no bits", "10.1.2.3/", "10.1.2.3", false},
    {"O86 a network is no name", "10.0.0.0/8", "example.com", false},
    {"O86 IPv6", "2001:db8::1", "2001:DB8:0::1", true},
    {"O86 IPv6 in brackets", "[2001:db8::1]", "2001:db8::1", true},
    {"O86 a network of IPv6", "2001:db8::/32", "2001:db8:77::1", true},
    {"O86 another one of IPv6", "2001:db8::/33", "2001:db8:8000::1", false},
    {"O86 all of IPv6 is not IPv4", "::/0", "10.0.0.1", false},
};

static void test_spared(void **state)
{
    for (size_t i = 0; i < sizeof hosts / sizeof *hosts; i++)
        if (proxy_spares(hosts[i].list, hosts[i].host) != hosts[i].spared)
            fail_msg("%s", hosts[i].what);
}

static const char *const variables[] = {"https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY",
                                        "no_proxy",    "NO_PROXY",    "http_proxy"};

static const struct {
    const char *what, *given;
    const char *env[3]; /* NAME=VALUE */
    const char *to, *host, *from;
} choices[] = {
    {"O86 none", NULL, {NULL}, "https://x.org", NULL, NULL},
    {"O86 --proxy", "http://g:1", {"HTTPS_PROXY=http://h:1"}, "https://x.org", "g", "--proxy"},
    {"O86 --proxy none", "none", {"HTTPS_PROXY=http://h:1"}, "https://x.org", NULL, NULL},
    {"O86 HTTPS_PROXY", NULL, {"HTTPS_PROXY=h:1"}, "https://x.org", "h", "HTTPS_PROXY"},
    {"O86 https_proxy goes first",
     NULL,
     {"HTTPS_PROXY=h:1", "https_proxy=l:1"},
     "https://x.org",
     "l",
     "HTTPS_PROXY"},
    {"O86 an empty one is none",
     NULL,
     {"HTTPS_PROXY=h:1", "https_proxy="},
     "https://x.org",
     "h",
     "HTTPS_PROXY"},
    {"O86 ALL_PROXY", NULL, {"ALL_PROXY=socks5://a"}, "https://x.org", "a", "ALL_PROXY"},
    {"O86 HTTPS_PROXY goes before ALL_PROXY",
     NULL,
     {"ALL_PROXY=a:1", "HTTPS_PROXY=h:1"},
     "https://x.org",
     "h",
     "HTTPS_PROXY"},
    {"O86 http_proxy is for others", NULL, {"http_proxy=h:1"}, "https://x.org", NULL, NULL},
    {"O86 NO_PROXY", NULL, {"HTTPS_PROXY=h:1", "NO_PROXY=x.org"}, "https://a.x.org", NULL, NULL},
    {"O86 no_proxy and --proxy", "g:1", {"no_proxy=x.org"}, "https://x.org", NULL, NULL},
    {"O86 loopback", NULL, {"HTTPS_PROXY=h:1"}, "https://localhost:8443", NULL, NULL},
    {"O86 an address of loopback", NULL, {"HTTPS_PROXY=h:1"}, "https://127.0.0.2", NULL, NULL},
    {"O86 loopback and --proxy", "g:1", {NULL}, "https://localhost", "g", "--proxy"},
    {"O86 plain http", "g:1", {NULL}, "http://localhost", NULL, NULL},
};

static void test_choices(void **state)
{
    for (size_t i = 0; i < sizeof choices / sizeof *choices; i++) {
        struct proxy_choice c;
        struct url to;
        const char *reason = NULL;
        print_message("%s\n", choices[i].what);
        for (size_t v = 0; v < sizeof variables / sizeof *variables; v++)
            unsetenv(variables[v]);
        for (size_t v = 0; v < 3 && choices[i].env[v]; v++) {
            char *name = strdup(choices[i].env[v]);
            char *value = strchr(name, '=');
            *value = '\0';
            setenv(name, value + 1, 1);
            free(name);
        }
        assert_int_equal(url_parse(slice_str(choices[i].to), &to), 0);
        assert_int_equal(proxy_choice_load(&c, choices[i].given, &reason), 0);
        const struct proxy *p = proxy_for(&c, &to);
        assert_int_equal(!!p, !!choices[i].host);
        if (p) {
            assert_string_equal(p->host, choices[i].host);
            assert_string_equal(c.from, choices[i].from);
        }
    }
    for (size_t v = 0; v < sizeof variables / sizeof *variables; v++)
        unsetenv(variables[v]);
}

/* O89 */
static void test_hidden(void **state)
{
    static const char *const rows[][2] = {
        {"http://ann:secret@p:1", "http://**********@p:1"},
        {"ann:secret@p:1", "**********@p:1"},
        {"http://ann:a@b@p:1", "http://*******@p:1"},
        {"ann:a://b@p:1", "*********@p:1"},
        {"http://p:1", "http://p:1"},
        {"none", "none"},
        {"", ""},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        char text[64];
        strcpy(text, rows[i][0]);
        proxy_hide(text);
        assert_string_equal(text, rows[i][1]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_urls),
        cmocka_unit_test(test_spared),
        cmocka_unit_test(test_choices),
        cmocka_unit_test(test_hidden),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
