/* SPDX-License-Identifier: MIT */
/* test_proxy.c - what a proxy is asked, and what its answer is read as, wherever it is cut.
 * RFC 9110 9.3.6, RFC 1928, RFC 1929; rules O87, O88. */
#include "h2mux/io/proxy.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "h2mux/base/buf.h"
#include "h2mux/base/err.h"

static const struct proxy http = {.kind = PROXY_HTTP, .host = "p", .port = 3128};
static const struct proxy http_login = {
    .kind = PROXY_HTTP, .host = "p", .port = 3128, .user = "ann", .password = "b:c"};
static const struct proxy socks = {.kind = PROXY_SOCKS, .host = "p", .port = 1080};
static const struct proxy socks_login = {
    .kind = PROXY_SOCKS, .host = "p", .port = 1080, .user = "ann", .password = "bc"};

/* ---- what is asked */

static const struct {
    const char *what;
    const struct proxy *proxy;
    const char *host;
    struct slice want; /* how it begins */
    const char *has;
} asks[] = {
    {"O86 a name", &http, "example.com",
     SLICE("CONNECT example.com:443 HTTP/1.1\r\nHost: example.com:443\r\n"), "\r\n\r\n"},
    {"O86 an IPv6 address", &http, "2001:db8::1",
     SLICE("CONNECT [2001:db8::1]:443 HTTP/1.1\r\nHost: [2001:db8::1]:443\r\n"), "\r\n\r\n"},
    {"O86 a login", &http_login, "example.com", SLICE("CONNECT example.com:443 HTTP/1.1\r\n"),
     "\r\nProxy-Authorization: Basic YW5uOmI6Yw==\r\n\r\n"},
    {"O86 SOCKS", &socks, "example.com", SLICE("\x05\x01\x00"), ""},
    {"O86 SOCKS with a login", &socks_login, "example.com", SLICE("\x05\x02\x00\x02"), ""},
};

static void test_asks(void **state)
{
    static struct proxy_talk t;
    for (size_t i = 0; i < sizeof asks / sizeof *asks; i++) {
        print_message("%s\n", asks[i].what);
        assert_int_equal(proxy_begin(&t, asks[i].proxy, asks[i].host, 443), 0);
        struct slice said = slice_make(t.say, t.say_len);
        assert_true(slice_starts(said, asks[i].want));
        assert_true(slice_ends(said, slice_str(asks[i].has)));
        if (asks[i].proxy->kind == PROXY_HTTP && !asks[i].proxy->user[0])
            assert_null(memmem(said.ptr, said.len, "Authorization", 13));
    }
}

static void test_longest(void **state)
{
    static struct proxy_talk t;
    struct proxy p = {.kind = PROXY_HTTP, .port = 65535};
    char host[300] = "";
    memset(p.user, 'u', PROXY_LOGIN_MAX);
    memset(p.password, 'p', PROXY_LOGIN_MAX);
    memset(host, 'h', 255);
    assert_int_equal(proxy_begin(&t, &p, host, 65535), 0);
    assert_true(slice_ends(slice_make(t.say, t.say_len), SLICE("=\r\n\r\n")) ||
                slice_ends(slice_make(t.say, t.say_len), SLICE("w\r\n\r\n")));
    host[255] = 'h';
    assert_int_equal(proxy_begin(&t, &p, host, 65535), ERR_LIMIT);
}

/* ---- what is answered */

#define NTLM "HTTP/1.1 407 No\r\nProxy-Authenticate: Negotiate\r\nProxy-Authenticate: NTLM\r\n\r\n"
#define BASIC "Proxy-Authenticate: Basic realm=\"a, ntlm\"\r\n"

static const struct {
    const char *what;
    const struct proxy *proxy;
    struct slice answer;
    int err;            /* 0: it is through */
    const char *reason; /* a part of it */
    struct slice said;  /* after the beginning */
} answers[] = {
    {"O87 200", &http, SLICE("HTTP/1.1 200 Connection established\r\n\r\n"), 0, NULL, {0}},
    {"O87 HTTP/1.0, fields, no reason",
     &http,
     SLICE("HTTP/1.0 200\r\nVia: 1.0 p\r\nProxy-Agent: tinyproxy/1.11\r\n\r\n"),
     0,
     NULL,
     {0}},
    {"O87 every 2xx", &http, SLICE("HTTP/1.1 299 \r\nContent-Length: 5\r\n\r\n"), 0, NULL, {0}},
    {"O87 interim answers",
     &http,
     SLICE("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 x\r\nA: b\r\n\r\nHTTP/1.1 200 OK\r\n\r\n"),
     0,
     NULL,
     {0}},
    {"O87 101 is none", &http, SLICE("HTTP/1.1 101 x\r\n"), ERR_PROTOCOL, "HTTP proxy", {0}},
    {"O87 not HTTP: SSH", &http, SLICE("S"), ERR_PROTOCOL, "HTTP proxy", {0}},
    {"O87 not HTTP: TLS", &http, SLICE("\x15"), ERR_PROTOCOL, "HTTP proxy", {0}},
    {"O87 not HTTP: almost", &http, SLICE("HTTP/2"), ERR_PROTOCOL, "HTTP proxy", {0}},
    {"O87 LF alone", &http, SLICE("HTTP/1.1 200 OK\n"), ERR_PROTOCOL, "HTTP proxy", {0}},
    {"O87 CR alone", &http, SLICE("HTTP/1.1 200 OK\rx"), ERR_PROTOCOL, "HTTP proxy", {0}},
    {"O87 a control character", &http, SLICE("HTTP/1.1 200 \x01"), ERR_PROTOCOL, "HTTP", {0}},
    {"O87 no number", &http, SLICE("HTTP/1.1 2x0 OK\r\n"), ERR_PROTOCOL, "HTTP proxy", {0}},
    {"O87 600", &http, SLICE("HTTP/1.1 600 OK\r\n"), ERR_PROTOCOL, "HTTP proxy", {0}},
    {"O87 four digits", &http, SLICE("HTTP/1.1 2000 OK\r\n"), ERR_PROTOCOL, "HTTP proxy", {0}},
    {"O87 no field", &http, SLICE("HTTP/1.1 200 OK\r\nno colon\r\n"), ERR_PROTOCOL, "field", {0}},
    {"O87 a folded line",
     &http,
     SLICE("HTTP/1.1 200 OK\r\nA: b\r\n c\r\n"),
     ERR_PROTOCOL,
     "field",
     {0}},
    {"O87 an empty name", &http, SLICE("HTTP/1.1 200 OK\r\n: b\r\n"), ERR_PROTOCOL, "field", {0}},
    {"O88 407",
     &http,
     SLICE("HTTP/1.1 407 x\r\n" BASIC "\r\n"),
     ERR_DENIED,
     "wants a login (407)",
     {0}},
    {"O88 407 that offers nothing",
     &http,
     SLICE("HTTP/1.1 407 x\r\n\r\n"),
     ERR_DENIED,
     "wants a login (407)",
     {0}},
    {"O88 407 to a login",
     &http_login,
     SLICE("HTTP/1.1 407 x\r\n" BASIC "\r\n"),
     ERR_DENIED,
     "refuses this user or password",
     {0}},
    {"O88 NTLM", &http, SLICE(NTLM), ERR_DENIED, "cntlm or px", {0}},
    {"O88 NTLM to a login", &http_login, SLICE(NTLM), ERR_DENIED, "cntlm or px", {0}},
    {"O88 NTLM beside Basic",
     &http,
     SLICE("HTTP/1.1 407 x\r\nproxy-authenticate: NTLM, Basic realm=x\r\n\r\n"),
     ERR_DENIED,
     "wants a login (407)",
     {0}},
    {"O88 Basic that mentions NTLM",
     &http,
     SLICE("HTTP/1.1 407 x\r\nProxy-Authenticate: Basic realm=\"\\\", ntlm\", ntlm=1\r\n\r\n"),
     ERR_DENIED,
     "wants a login (407)",
     {0}},
    {"O88 Digest",
     &http,
     SLICE("HTTP/1.1 407 x\r\nProxy-Authenticate: Digest a=b\r\n\r\n"),
     ERR_DENIED,
     "another way than Basic",
     {0}},
    {"O88 403",
     &http,
     SLICE("HTTP/1.1 403 x\r\n\r\n"),
     ERR_DENIED,
     "forbids a connection to example.com port 443 (403)",
     {0}},
    {"O88 503", &http, SLICE("HTTP/1.1 503 x\r\n\r\n"), ERR_UNREACHABLE, "cannot reach", {0}},
    {"O88 500", &http, SLICE("HTTP/1.1 500 x\r\n\r\n"), ERR_UNREACHABLE, "with 500", {0}},
    {"O88 a web server",
     &http,
     SLICE("HTTP/1.1 405 x\r\n\r\n"),
     ERR_UNSUPPORTED,
     "is it a proxy?",
     {0}},
    {"O88 a redirect",
     &http,
     SLICE("HTTP/1.1 302 x\r\nLocation: /\r\n\r\n"),
     ERR_UNSUPPORTED,
     "is it a proxy?",
     {0}},
    {"O87 SOCKS", &socks, SLICE("\x05\x00\x05\x00\x00\x01\x7f\x00\x00\x01\x01\xbb"), 0, NULL,
     SLICE("\x05\x01\x00\x03\x0b"
           "example.com\x01\xbb")},
    {"O87 SOCKS, bound to IPv6",
     &socks,
     SLICE("\x05\x00\x05\x00\x00\x04"
           "0123456789abcdef\x01\xbb"),
     0,
     NULL,
     {0}},
    {"O87 SOCKS, bound to a name",
     &socks,
     SLICE("\x05\x00\x05\x00\x00\x03\x03"
           "abc\x01\xbb"),
     0,
     NULL,
     {0}},
    {"O87 SOCKS, bound to no name",
     &socks,
     SLICE("\x05\x00\x05\x00\x00\x03\x00\x01\xbb"),
     0,
     NULL,
     {0}},
    {"O87 SOCKS with a login", &socks_login,
     SLICE("\x05\x02\x01\x00\x05\x00\x00\x01\x7f\x00\x00\x01\x01\xbb"), 0, NULL,
     SLICE("\x01\x03"
           "ann\x02"
           "bc\x05\x01\x00\x03\x0b"
           "example.com\x01\xbb")},
    {"O87 SOCKS needs no login",
     &socks_login,
     SLICE("\x05\x00\x05\x00\x00\x01\x7f\x00\x00\x01\x01\xbb"),
     0,
     NULL,
     {0}},
    {"O87 SOCKS 4", &socks, SLICE("\x00"), ERR_PROTOCOL, "SOCKS 5", {0}},
    {"O87 not SOCKS: HTTP", &socks, SLICE("H"), ERR_PROTOCOL, "SOCKS 5", {0}},
    {"O87 a way that was not offered", &socks, SLICE("\x05\x02"), ERR_PROTOCOL, "not offered", {0}},
    {"O87 GSSAPI", &socks_login, SLICE("\x05\x01"), ERR_PROTOCOL, "not offered", {0}},
    {"O88 SOCKS wants a login", &socks, SLICE("\x05\xff"), ERR_DENIED, "wants a login", {0}},
    {"O88 SOCKS wants another login",
     &socks_login,
     SLICE("\x05\xff"),
     ERR_DENIED,
     "no login by",
     {0}},
    {"O88 SOCKS refuses the password",
     &socks_login,
     SLICE("\x05\x02\x01\x01"),
     ERR_DENIED,
     "user or password",
     {0}},
    {"O88 SOCKS: a short refusal",
     &socks,
     SLICE("\x05\x00\x05\x02"),
     ERR_DENIED,
     "rules forbid",
     {0}},
    {"O88 SOCKS 1", &socks, SLICE("\x05\x00\x05\x01"), ERR_UNREACHABLE, "failed (SOCKS 1)", {0}},
    {"O88 SOCKS 4: host", &socks, SLICE("\x05\x00\x05\x04"), ERR_UNREACHABLE, "the name", {0}},
    {"O88 SOCKS 5: refused",
     &socks,
     SLICE("\x05\x00\x05\x05"),
     ERR_UNREACHABLE,
     "nobody listens",
     {0}},
    {"O88 SOCKS 8", &socks, SLICE("\x05\x00\x05\x08"), ERR_UNSUPPORTED, "know names", {0}},
    {"O88 SOCKS 99",
     &socks,
     SLICE("\x05\x00\x05\x63"),
     ERR_UNREACHABLE,
     "not say why (SOCKS 99)",
     {0}},
    {"O87 an unknown kind of address",
     &socks,
     SLICE("\x05\x00\x05\x00\x00\x02\x01"),
     ERR_PROTOCOL,
     "malformed",
     {0}},
};

/* Reads @in in two pieces, and what follows it. Returns the verdict; @said has what was said. */
static enum proxy_verdict read_cut(struct proxy_talk *t, struct slice in, size_t cut,
                                   struct slice behind, size_t *left, struct buf *said)
{
    struct buf all;
    enum proxy_verdict verdict = PROXY_MORE;
    buf_init(&all, 1 << 20);
    assert_int_equal(buf_append(&all, in), 0);
    assert_int_equal(buf_append(&all, behind), 0);
    struct slice rest = buf_slice(&all);
    size_t stop = cut < rest.len ? cut : rest.len, at = 0;
    while (at < rest.len && (verdict == PROXY_MORE || verdict == PROXY_SAYS)) {
        size_t used = 0, end = at < stop ? stop : rest.len;
        verdict = proxy_read(t, slice_make(rest.ptr + at, end - at), &used);
        assert_true(used > 0 && used <= end - at);
        assert_true(verdict != PROXY_MORE || used == end - at);
        at += used;
        if (verdict == PROXY_SAYS)
            assert_int_equal(buf_append(said, slice_make(t->say, t->say_len)), 0);
    }
    *left = rest.len - at;
    buf_release(&all);
    return verdict;
}

static void check_answer(size_t i, size_t cut)
{
    static struct proxy_talk t;
    struct buf said;
    size_t left = 0;
    buf_init(&said, 1 << 16);
    assert_int_equal(proxy_begin(&t, answers[i].proxy, "example.com", 443), 0);
    enum proxy_verdict v =
        read_cut(&t, answers[i].answer, cut, SLICE("HTTP/1.1 200 \x16\x03"), &left, &said);
    if (answers[i].err == 0) {
        assert_int_equal(v, PROXY_DONE);
        assert_int_equal(left, 15); /* what follows is not the proxy's */
    } else {
        assert_int_equal(v, PROXY_FAILED);
        assert_int_equal(t.err, answers[i].err);
        if (!strstr(t.reason, answers[i].reason))
            fail_msg("%s: %s", answers[i].what, t.reason);
    }
    if (answers[i].said.len > 0)
        assert_true(slice_eq(buf_slice(&said), answers[i].said));
    buf_release(&said);
}

static void test_answers(void **state)
{
    for (size_t i = 0; i < sizeof answers / sizeof *answers; i++) {
        print_message("%s\n", answers[i].what);
        for (size_t cut = 1; cut <= answers[i].answer.len; cut++)
            check_answer(i, cut);
    }
}

/* O87: an answer has a bound, as has each of its lines. */
static void test_bounds(void **state)
{
    static struct proxy_talk t;
    static const struct slice begin = SLICE("HTTP/1.1 200 OK\r\n");
    char line[102] = "X: ";
    size_t used, sum = 0;
    memset(line + 3, 'x', 95);
    memcpy(line + 98, "\r\n", 3);
    assert_int_equal(proxy_begin(&t, &http, "h", 1), 0);
    assert_int_equal(proxy_read(&t, begin, &used), PROXY_MORE);
    while (proxy_read(&t, slice_make(line, 100), &used) == PROXY_MORE)
        sum += used;
    assert_string_equal(t.reason, "answers without end");
    assert_true(sum < PROXY_ANSWER_MAX && sum > PROXY_ANSWER_MAX - 200);

    assert_int_equal(proxy_begin(&t, &http, "h", 1), 0);
    assert_int_equal(proxy_read(&t, begin, &used), PROXY_MORE);
    for (sum = 0; proxy_read(&t, SLICE("x"), &used) == PROXY_MORE;)
        sum++;
    assert_string_equal(t.reason, "answers with too long a line");
    assert_int_equal(sum, PROXY_LINE_MAX);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_asks),
        cmocka_unit_test(test_longest),
        cmocka_unit_test(test_answers),
        cmocka_unit_test(test_bounds),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
