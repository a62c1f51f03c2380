/* SPDX-License-Identifier: MIT */
/* test_passage.c - a sock that is taken through a proxy: what it gives back, and how it fails. */
#include "h2mux/io/passage.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "secure.h"

static const struct proxy http = {.kind = PROXY_HTTP, .host = "p", .port = 3128};
static const struct proxy socks = {
    .kind = PROXY_SOCKS, .host = "p", .port = 1080, .user = "u", .password = "p"};

/* End a goes through, end b is the proxy, and then the host. */
struct walk {
    struct wire *w;
    struct tls *tls; /* NULL: none */
    int through, failed, err;
    char reason[PROXY_REASON_MAX];
};

static void on_through(void *user)
{
    struct walk *k = user;
    k->through++;
    wire_take(&k->w->a, k->w->a.sock);
    if (k->tls)
        assert_int_equal(sock_start_tls(k->w->a.sock, k->tls, "tunnel.test"), 0);
}

static void on_failed(void *user, int err, const char *reason)
{
    struct walk *k = user;
    k->failed++;
    k->err = err;
    snprintf(k->reason, sizeof k->reason, "%s", reason);
    wire_take(&k->w->a, k->w->a.sock);
}

static const struct passage_ops ops = {.on_through = on_through, .on_failed = on_failed};

static bool is_over(void *user)
{
    struct walk *k = user;
    return k->through + k->failed > 0;
}

static bool has_asked(void *user)
{
    struct walk *k = user;
    return buf_len(&k->w->b.got) >= k->w->want;
}

static struct passage *begin(struct walk *k, const struct proxy *p, uint64_t ms, size_t want)
{
    struct passage *passage =
        passage_start(k->w->loop, k->w->a.sock, p, "example.com", 443, ms, &ops, k);
    assert_int_equal(k->through + k->failed, 0); /* never inside the call */
    k->w->want = want;
    turns_until(k->w->loop, has_asked, k);
    return passage;
}

static void hear(struct walk *k, struct slice answer)
{
    sock_write(k->w->b.sock, answer);
    turns_until(k->w->loop, is_over, k);
}

/* O87: what comes with the answer is neither lost nor read. */
static void test_bytes_behind_the_answer(void **state)
{
    for (enum wire_kind kind = 0; kind < WIRE_KINDS; kind++) {
        struct walk k = {.w = wire_open(kind)};
        struct passage *p = begin(&k, &http, 5000, 40);
        assert_non_null(p);
        assert_true(slice_ends(buf_slice(&k.w->b.got), SLICE("\r\n\r\n")));
        hear(&k, SLICE("HTTP/1.1 200 OK\r\n\r\nhello"));
        assert_int_equal(k.through, 1);
        k.w->want = 5;
        sock_write(k.w->a.sock, SLICE("there"));
        buf_release(&k.w->b.got);
        wire_until(k.w, wire_both_got);
        wire_check_text(&k.w->a.got, "hello");
        wire_check_text(&k.w->b.got, "there");
        wire_close(k.w);
    }
}

static bool both_open(void *user)
{
    struct walk *k = user;
    return k->w->a.opened + k->w->a.errors > 0 && k->w->b.opened + k->w->b.errors > 0;
}

/* O87: TLS begins behind the answer, also with what came along with it. */
static void test_tls_behind_the_answer(void **state)
{
    for (enum wire_kind kind = 0; kind < WIRE_KINDS; kind++) {
        struct walk k = {.w = wire_open(kind)};
        struct secure s = {.w = k.w};
        struct passage *p = begin(&k, &socks, 5000, 4);
        assert_non_null(p);
        sock_write(k.w->b.sock, SLICE("\x05\x02"));
        k.w->want = 4 + 5;
        turns_until(k.w->loop, has_asked, &k);
        sock_write(k.w->b.sock, SLICE("\x01\x00\x05"));
        k.w->want = 4 + 5 + 18;
        turns_until(k.w->loop, has_asked, &k);
        hear(&k, SLICE("\x00\x00\x01\x00\x00\x00\x00\x00\x00"));
        assert_int_equal(k.through, 1);
        contexts(&s, &ordinary);
        start(&s, &ordinary);
        turns_until(k.w->loop, both_open, &k);
        assert_int_equal(k.w->a.errors + k.w->b.errors, 0);
        secure_close(&s);
    }
}

static bool has_failed(void *user)
{
    struct walk *k = user;
    return k->w->a.errors > 0;
}

/* O87: a host that speaks TLS never speaks first; what looks so is no TLS, and is not trusted. */
static void test_forged_bytes_behind_the_answer(void **state)
{
    struct walk k = {.w = wire_open(WIRE_TCP)};
    struct secure s = {.w = k.w};
    struct passage *p = begin(&k, &http, 5000, 40);
    assert_non_null(p);
    k.tls = s.client = client_context("ca.pem", false);
    hear(&k, SLICE("HTTP/1.1 200 OK\r\n\r\nHTTP/1.1 101 x\r\n\r\n"));
    assert_int_equal(k.through, 1);
    turns_until(k.w->loop, has_failed, &k);
    assert_int_equal(k.w->a.error, ERR_TLS);
    assert_int_equal(k.w->a.opened, 0);
    secure_close(&s);
}

static const struct {
    const char *what;
    struct slice answer;
    bool ends;
    int err;
    const char *reason;
} failures[] = {
    {"O88 refused", SLICE("HTTP/1.1 403 x\r\n\r\n"), false, ERR_DENIED, "forbids"},
    {"O87 no proxy", SLICE("SSH-2.0-x\r\n"), false, ERR_PROTOCOL, "does not answer as"},
    {"O87 half an answer", SLICE("HTTP/1.1 200 OK\r\n"), true, ERR_EOF, "without a whole answer"},
    {"O87 no answer", SLICE(""), true, ERR_EOF, "without a whole answer"},
    {"O87 silence", SLICE("HTTP/1.1 200"), false, ERR_TIMEOUT, "does not answer in time"},
};

static void test_failures(void **state)
{
    for (enum wire_kind kind = 0; kind < WIRE_KINDS; kind++)
        for (size_t i = 0; i < sizeof failures / sizeof *failures; i++) {
            struct walk k = {.w = wire_open(kind)};
            print_message("%s\n", failures[i].what);
            bool silent = failures[i].err == ERR_TIMEOUT;
            struct passage *p = begin(&k, &http, silent ? 50 : 5000, silent ? 0 : 40);
            assert_non_null(p);
            sock_write(k.w->b.sock, failures[i].answer);
            if (failures[i].ends)
                sock_shutdown(k.w->b.sock);
            turns_until(k.w->loop, is_over, &k);
            assert_int_equal(k.failed, 1);
            assert_int_equal(k.err, failures[i].err);
            assert_non_null(strstr(k.reason, failures[i].reason));
            wire_close(k.w);
        }
}

static void test_cancel(void **state)
{
    struct walk k = {.w = wire_open(WIRE_MEMORY)};
    struct passage *p =
        passage_start(k.w->loop, k.w->a.sock, &http, "example.com", 443, 5000, &ops, &k);
    passage_cancel(p);
    passage_cancel(NULL);
    wire_take(&k.w->a, k.w->a.sock);
    wire_until(k.w, wire_always);
    assert_int_equal(buf_len(&k.w->b.got), 0);
    assert_int_equal(k.through + k.failed, 0);
    wire_close(k.w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_bytes_behind_the_answer),
        cmocka_unit_test(test_tls_behind_the_answer),
        cmocka_unit_test(test_forged_bytes_behind_the_answer),
        cmocka_unit_test(test_failures),
        cmocka_unit_test(test_cancel),
    };
    return cmocka_run_group_tests(tests, make_certificates, remove_certificates);
}
