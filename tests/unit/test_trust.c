/* SPDX-License-Identifier: MIT */
/* test_trust.c - tests which viewer is found, and which fields about it the origin gets:
 * protocol.md#trust; rules H7, H8, H17, H18, H19, H20. */
#include "src/http/trust.h"

#include <arpa/inet.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "h2mux/http/field_name.h"
#include "viewer_fields.h"

/* Makes a peer of "unix" or of an address. Any other text gives a peer without an address. */
static struct sockaddr_storage peer_make(const char *text)
{
    struct sockaddr_storage s = {0};
    struct sockaddr_in *in = (struct sockaddr_in *)&s;
    struct sockaddr_in6 *in6 = (struct sockaddr_in6 *)&s;
    if (strcmp(text, "unix") == 0)
        s.ss_family = AF_UNIX;
    else if (inet_pton(AF_INET, text, &in->sin_addr) == 1)
        s.ss_family = AF_INET;
    else if (inet_pton(AF_INET6, text, &in6->sin6_addr) == 1)
        s.ss_family = AF_INET6;
    return s;
}

static struct peer peer_of(const struct trust *t, const char *text, bool tls)
{
    struct sockaddr_storage address = peer_make(text);
    struct peer peer;
    trust_peer(t, (const struct sockaddr *)&address, tls, &peer);
    return peer;
}

static struct trust *trust_make(void)
{
    struct trust *t = trust_new();
    assert_non_null(t);
    assert_int_equal(trust_add(t, "10.0.0.0/8"), 0);
    assert_int_equal(trust_add(t, "192.0.2.128/25"), 0);
    assert_int_equal(trust_add(t, "198.51.100.7"), 0);
    assert_int_equal(trust_add(t, "2001:db8:1::/48"), 0);
    return t;
}

static const struct {
    const char *peer;
    bool want;
} peers[] = {
    {"unix", true},
    {"127.0.0.1", true},
    {"127.255.0.9", true},
    {"::1", true},
    {"::ffff:127.0.0.1", true},
    {"10.1.2.3", true},
    {"::ffff:10.1.2.3", true},
    {"11.0.0.1", false},
    {"192.0.2.127", false},
    {"192.0.2.128", true},
    {"198.51.100.7", true},
    {"198.51.100.8", false},
    {"2001:db8:1:2::3", true},
    {"2001:db8:2::3", false},
    {"::2", false},
    {"none", false},
};

static void test_has(void **state)
{
    struct trust *t = trust_make();
    for (size_t i = 0; i < sizeof peers / sizeof peers[0]; i++) {
        struct sockaddr_storage peer = peer_make(peers[i].peer);
        if (trust_has(t, (const struct sockaddr *)&peer) != peers[i].want)
            fail_msg("%s", peers[i].peer);
    }
    trust_free(t);
}

static const struct {
    const char *cidr;
    int want;
} cidrs[] = {
    {"10.0.0.0/8", 0},
    {"10.1.2.3/8", 0},
    {"0.0.0.0/0", 0},
    {"::/0", 0},
    {"192.0.2.1/32", 0},
    {"2001:db8::/128", 0},
    {"", ERR_SYNTAX},
    {"/8", ERR_SYNTAX},
    {"10.0.0.0/", ERR_SYNTAX},
    {"10.0.0.0/33", ERR_SYNTAX},
    {"::/129", ERR_SYNTAX},
    {"10.0.0/8", ERR_SYNTAX},
    {"10.0.0.0/-1", ERR_SYNTAX},
    {"10.0.0.0/8 ", ERR_SYNTAX},
    {"host/8", ERR_SYNTAX},
    {"[::1]/64", ERR_SYNTAX},
};

static void test_cidr(void **state)
{
    for (size_t i = 0; i < sizeof cidrs / sizeof cidrs[0]; i++) {
        struct trust *t = trust_new();
        if (trust_add(t, cidrs[i].cidr) != cidrs[i].want)
            fail_msg("'%s'", cidrs[i].cidr);
        trust_free(t);
    }
}

/* The field lines of a request, each "Name: value". */
struct request {
    const char *line[6];
};

static void fields_make(struct fields *f, const struct request *r)
{
    fields_init(f);
    for (size_t i = 0; i < 6 && r->line[i]; i++) {
        struct slice line = slice_str(r->line[i]);
        size_t colon = (size_t)slice_find(line, ':');
        fields_add(f, slice_make(line.ptr, colon), slice_trim(slice_skip(line, colon + 1)));
    }
}

/* clang-format off */
static const struct {
    const char *what, *peer;
    bool tls;
    struct request request;
    const char *address;
    bool trusted, proxied, https;
    uint16_t port;
    const char *upstream; /* the X-Forwarded-For that the origin gets */
} rows[] = {
    {"nothing said", "203.0.113.9", false, {{0}}, "203.0.113.9", false, false, false, 0, "203.0.113.9"},
    {"own TLS", "203.0.113.9", true, {{0}}, "203.0.113.9", false, false, true, 0, "203.0.113.9"},
    {"a stranger forges", "203.0.113.9", false,
     {{"X-Forwarded-For: 1.2.3.4", "X-Forwarded-Proto: https", "X-Forwarded-Port: 99"}},
     "203.0.113.9", false, false, false, 0, "203.0.113.9"},
    {"a proxy says", "10.0.0.1", false,
     {{"X-Forwarded-For: 203.0.113.9", "X-Forwarded-Proto: https", "X-Forwarded-Port: 8443"}},
     "203.0.113.9", true, true, true, 8443, "203.0.113.9, 10.0.0.1"},
    {"a proxy overrules TLS", "10.0.0.1", true,
     {{"X-Forwarded-For: 203.0.113.9", "X-Forwarded-Proto: http"}},
     "203.0.113.9", true, true, false, 0, "203.0.113.9, 10.0.0.1"},
    {"the viewer forged before the proxy", "127.0.0.1", false,
     {{"X-Forwarded-For: 6.6.6.6, 203.0.113.9"}},
     "203.0.113.9", true, true, false, 0, "203.0.113.9, 127.0.0.1"},
    {"a chain of proxies", "127.0.0.1", false,
     {{"X-Forwarded-For: 6.6.6.6, 203.0.113.9,10.0.0.5 , 192.0.2.200"}},
     "203.0.113.9", true, true, false, 0, "203.0.113.9,10.0.0.5 , 192.0.2.200, 127.0.0.1"},
    {"all are trusted", "127.0.0.1", false, {{"X-Forwarded-For: 10.0.0.7, 10.0.0.8"}},
     "10.0.0.7", true, true, false, 0, "10.0.0.7, 10.0.0.8, 127.0.0.1"},
    {"several lines are one list", "127.0.0.1", false,
     {{"X-Forwarded-For: 6.6.6.6, 203.0.113.9", "Accept: x", "x-forwarded-for: 10.0.0.5",
       "X-Forwarded-For: 10.0.0.6"}},
     "203.0.113.9", true, true, false, 0, "203.0.113.9, 10.0.0.5, 10.0.0.6, 127.0.0.1"},
    {"the last line decides", "127.0.0.1", false,
     {{"X-Forwarded-For: 6.6.6.6", "X-Forwarded-For: 203.0.113.9"}},
     "203.0.113.9", true, true, false, 0, "203.0.113.9, 127.0.0.1"},
    {"nonsense ends the walk", "127.0.0.1", false,
     {{"X-Forwarded-For: 6.6.6.6, unknown, 10.0.0.5"}},
     "10.0.0.5", true, true, false, 0, "10.0.0.5, 127.0.0.1"},
    {"nonsense at the right end", "127.0.0.1", false, {{"X-Forwarded-For: 6.6.6.6, _hidden"}},
     "127.0.0.1", true, true, false, 0, "127.0.0.1"},
    {"nonsense in the last line", "127.0.0.1", false,
     {{"X-Forwarded-For: 6.6.6.6", "X-Forwarded-For: 1.2.3"}},
     "127.0.0.1", true, true, false, 0, "127.0.0.1"},
    {"empty elements", "127.0.0.1", false, {{"X-Forwarded-For: , 203.0.113.9 ,, "}},
     "203.0.113.9", true, true, false, 0, "203.0.113.9 ,,, 127.0.0.1"},
    {"an empty list", "127.0.0.1", false, {{"X-Forwarded-For: "}},
     "127.0.0.1", true, true, false, 0, "127.0.0.1"},
    {"IPv6", "::1", false, {{"X-Forwarded-For: 2001:DB8::1"}},
     "2001:db8::1", true, true, false, 0, "2001:DB8::1, ::1"},
    {"ports", "127.0.0.1", false, {{"X-Forwarded-For: 203.0.113.9:4711, [2001:db8:1::2]:99"}},
     "203.0.113.9", true, true, false, 0, "203.0.113.9:4711, [2001:db8:1::2]:99, 127.0.0.1"},
    {"mapped", "::ffff:10.0.0.1", false, {{"X-Forwarded-For: ::ffff:203.0.113.9"}},
     "203.0.113.9", true, true, false, 0, "::ffff:203.0.113.9, 10.0.0.1"},
    {"a unix socket that says nothing", "unix", false, {{0}}, "unix", true, false, false, 0, "unknown"},
    {"a unix socket", "unix", false, {{"X-Forwarded-For: 203.0.113.9", "X-Forwarded-Proto: HTTPS"}},
     "203.0.113.9", true, true, true, 0, "203.0.113.9"},
    {"other schemes do not count", "127.0.0.1", false, {{"X-Forwarded-Proto: wss"}},
     "127.0.0.1", true, false, false, 0, "127.0.0.1"},
    {"two schemes do not count", "127.0.0.1", false,
     {{"X-Forwarded-Proto: https", "X-Forwarded-Proto: http"}},
     "127.0.0.1", true, false, false, 0, "127.0.0.1"},
    {"bad ports do not count", "127.0.0.1", false, {{"X-Forwarded-Port: 65536"}},
     "127.0.0.1", true, false, false, 0, "127.0.0.1"},
};
/* clang-format on */

/* H5, H7 */
static void test_viewer(void **state)
{
    struct trust *t = trust_make();
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct peer peer = peer_of(t, rows[i].peer, rows[i].tls);
        struct fields f;
        struct viewer v;
        fields_make(&f, &rows[i].request);
        trust_viewer(t, &peer, &f, &v);
        if (strcmp(v.address, rows[i].address) != 0 || v.trusted != rows[i].trusted ||
            v.proxied != rows[i].proxied || v.https != rows[i].https ||
            v.forwarded_port != rows[i].port)
            fail_msg("%s: %s %d %d %d %u", rows[i].what, v.address, v.trusted, v.proxied, v.https,
                     v.forwarded_port);
        viewer_fields_rewrite(&f, &v, &peer, SLICE("my-app.example.com:8080"));
        if (!slice_eq(fields_value(&f, SLICE("x-forwarded-for")), slice_str(rows[i].upstream)))
            fail_msg("%s: upstream '%.*s'", rows[i].what,
                     SLICE_FMT(fields_value(&f, SLICE("x-forwarded-for"))));
        assert_int_equal(fields_count(&f, SLICE("x-forwarded-for")), 1);
        fields_deinit(&f);
    }
    trust_free(t);
}

/* H7, H8 */
static void test_rewrite(void **state)
{
    static const struct request request = {{"X-Forwarded-Host: evil", "x_forwarded_for: 6.6.6.6",
                                            "X-Real-IP: 6.6.6.6", "Forwarded: for=6.6.6.6",
                                            "X-Forwarded_Proto: https", "X-Forwarded-Prefix: /p"}};
    struct trust *t = trust_make();
    struct peer peer = peer_of(t, "203.0.113.9", false);
    struct fields f;
    struct viewer v;
    fields_make(&f, &request);
    trust_viewer(t, &peer, &f, &v);
    viewer_fields_rewrite(&f, &v, &peer, SLICE("Host.example.com"));
    assert_int_equal(f.count, 3);
    assert_true(slice_eq(fields_value(&f, SLICE("x-forwarded-host")), SLICE("Host.example.com")));
    assert_true(slice_eq(fields_value(&f, SLICE("x-forwarded-proto")), SLICE("http")));
    assert_null(fields_find(&f, SLICE("x-forwarded-port")));
    fields_deinit(&f);
    trust_free(t);
}

static void test_rewrite_port(void **state)
{
    static const struct request request = {{"X-Forwarded-Port: 08443", "X-Forwarded-Prefix: /p"}};
    struct trust *t = trust_make();
    struct peer peer = peer_of(t, "10.0.0.1", true);
    struct fields f;
    struct viewer v;
    fields_make(&f, &request);
    trust_viewer(t, &peer, &f, &v);
    viewer_fields_rewrite(&f, &v, &peer, SLICE("h"));
    assert_true(slice_eq(fields_value(&f, SLICE("x-forwarded-port")), SLICE("8443")));
    assert_null(fields_find(&f, SLICE("x-forwarded-prefix"))); /* H17 */
    assert_true(slice_eq(fields_value(&f, SLICE("x-forwarded-proto")), SLICE("https")));
    fields_deinit(&f);
    trust_free(t);
}

/* A field of a request, and who sends it with which options: does the origin get it? */
static const struct {
    const char *name;
    bool stranger, proxy, forwarded, dropped; /* the last two: by a proxy, with the option */
} passing[] = {
    {"X-Real-IP", false, false, true, false},
    {"X-Forwarded-Prefix", false, false, true, false},
    {"X-Forwarded-Ssl", false, false, true, false},
    {"X-Forwarded", false, false, true, false},
    {"Forwarded", false, false, true, false},
    {"Forwarded-For", false, false, true, false},
    {"X-Original-URL", false, false, true, false},
    {"X-Rewrite-URL", false, false, true, false},
    {"X-Middleware-Subrequest", false, false, true, false},
    {"X-Accel-Mapping", false, false, true, false},
    {"X-Sendfile-Type", false, false, true, false},
    {"True-Client-IP", false, false, true, false},
    {"CF-Connecting-IP", false, false, true, false},
    {"X-Client-IP", false, false, true, false},
    {"Client-IP", false, false, true, false},
    {"Proxy", false, false, false, false},
    {"X-Own", true, true, true, false},
    {"Accept", true, true, true, false},
};

static bool passes(const struct trust *t, const char *peer_text, const char *name)
{
    struct peer peer = peer_of(t, peer_text, false);
    struct fields f;
    struct viewer v;
    fields_init(&f);
    fields_add(&f, slice_str(name), SLICE("1"));
    trust_viewer(t, &peer, &f, &v);
    viewer_fields_rewrite(&f, &v, &peer, SLICE("h"));
    bool got = fields_find(&f, slice_str(name));
    fields_deinit(&f);
    return got;
}

/* H16, H17, H18, H19 */
static void test_options(void **state)
{
    for (size_t i = 0; i < sizeof passing / sizeof *passing; i++) {
        const char *name = passing[i].name;
        struct trust *plain = trust_make(), *forward = trust_make(), *drop = trust_make();
        char alias[64];
        assert_int_equal(trust_forward_field(forward, name), 0);
        assert_int_equal(trust_drop_field(drop, name), 0);
        if (passes(plain, "203.0.113.9", name) != passing[i].stranger ||
            passes(forward, "203.0.113.9", name) != passing[i].stranger ||
            passes(plain, "10.0.0.1", name) != passing[i].proxy ||
            passes(forward, "10.0.0.1", name) != passing[i].forwarded ||
            passes(drop, "10.0.0.1", name) != passing[i].dropped)
            fail_msg("%s", name);
        size_t len = strlen(name);
        memcpy(alias, name, len + 1);
        char *dash = strchr(alias, '-');
        if (dash)
            *dash = '!';
        if (passes(drop, "10.0.0.1", alias) ||
            (dash && !passing[i].stranger && passes(forward, "10.0.0.1", alias)))
            fail_msg("%s", alias);
        trust_free(plain);
        trust_free(forward);
        trust_free(drop);
    }
}

static void test_options_are_bounded(void **state)
{
    struct trust *t = trust_make();
    for (int i = 0; i < 64; i++)
        assert_int_equal(trust_drop_field(t, "a"), 0);
    assert_true(trust_drop_field(t, "a") == ERR_LIMIT);
    trust_free(t);
}

/* H20: whether a connection has a name behind a request with the field. */
static const struct {
    const char *field;
    bool named;
} signs[] = {
    {"accept: text/html", true},
    {"cookie: via=1", true},
    {"x-via: 1.1 a", true},
    {"x-forwards: 1", true},
    {"x-request-id: 1", true},
    {"authorization: NTLM a", true},
    {"oneport-viewer-connection: a", true},
    {"Via: 1.1 a", false},
    {"forwarded: for=192.0.2.1", false},
    {"X-Forwarded-For: 192.0.2.1", false},
    {"x_forwarded.for: 192.0.2.1", false},
    {"X-FORWARDED-PROTO: https", false},
    {"x-forwarded-host: a", false},
    {"x-forwarded-port: 1", false},
    {"x-forwarded-prefix: /a", false},
    {"x-forwarded: a", false},
    {"x!real!ip: 192.0.2.1", false},
    {"true-client-ip: 192.0.2.1", false},
    {"cf-connecting-ip: 192.0.2.1", false},
    {"cdn-loop: a", false},
    {"Proxy-Connection: keep-alive", false},
};

/* H20 */
static void test_connection(void **state)
{
    struct trust *t = trust_make();
    for (size_t i = 0; i < sizeof signs / sizeof *signs; i++) {
        struct peer peer = peer_of(t, "203.0.113.9", i % 2 == 0), name = peer;
        struct request shows = {{signs[i].field}}, plain = {{"accept: text/html"}};
        struct fields f, after;
        fields_make(&f, &shows);
        fields_make(&after, &plain);
        assert_int_equal(trust_connection(&peer, &after).len, TRUST_CONNECTION_LEN);
        bool named = trust_connection(&peer, &f).len > 0;
        struct slice then = trust_connection(&peer, &after);
        if (named != signs[i].named || (then.len > 0) != named ||
            (named && !slice_eq(then, slice_str(name.connection))))
            fail_msg("%s", signs[i].field);
        fields_deinit(&f);
        fields_deinit(&after);
    }
    trust_free(t);
}

/* H20 */
static void test_connections_of_proxies_have_no_name(void **state)
{
    static const char *const trusted[] = {"unix", "127.0.0.1", "::1", "10.0.0.1", "2001:db8:1::9"};
    static const struct fields none;
    struct trust *t = trust_make();
    for (size_t i = 0; i < sizeof trusted / sizeof *trusted; i++) {
        struct peer peer = peer_of(t, trusted[i], true);
        assert_int_equal(trust_connection(&peer, &none).len, 0);
    }
    struct peer one = peer_of(t, "203.0.113.9", true), other = peer_of(t, "203.0.113.9", true);
    assert_string_not_equal(one.connection, other.connection);
    trust_free(t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_has),
        cmocka_unit_test(test_cidr),
        cmocka_unit_test(test_viewer),
        cmocka_unit_test(test_rewrite),
        cmocka_unit_test(test_rewrite_port),
        cmocka_unit_test(test_options),
        cmocka_unit_test(test_options_are_bounded),
        cmocka_unit_test(test_connection),
        cmocka_unit_test(test_connections_of_proxies_have_no_name),
    };
    return cmocka_run_group_tests_name("trust", tests, NULL, NULL);
}
