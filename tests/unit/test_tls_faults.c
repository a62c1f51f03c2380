/* SPDX-License-Identifier: MIT */
/* test_tls_faults.c - TLS over a wire that splits, cuts and spoils it. */
#include "secure.h"

struct relay_end {
    struct relay *relay;
    struct sock *sock; /* NULL once cut */
    struct relay_end *to;
    size_t passed, cut_at; /* bytes from this end to the other */
    size_t spoil_at;
};

struct relay {
    struct relay_end left, right; /* towards the client, the server */
    size_t step;                  /* bytes passed on at a time */
};

static void relay_cut(struct relay *r)
{
    sock_close(r->left.sock);
    sock_close(r->right.sock);
    r->left.sock = r->right.sock = NULL;
}

static void relay_readable(void *user)
{
    struct relay_end *e = user;
    char bytes[4096];
    size_t room = e->cut_at - e->passed;
    size_t step = e->relay->step < room ? e->relay->step : room;
    ssize_t n = step > 0 ? sock_read(e->sock, bytes, step < sizeof bytes ? step : sizeof bytes) : 0;
    if (n == ERR_AGAIN)
        return;
    if (n <= 0 && room > 0) {
        sock_shutdown(e->to->sock);
        return;
    }
    if (e->spoil_at >= e->passed && e->spoil_at < e->passed + (size_t)n)
        bytes[e->spoil_at - e->passed] ^= 0x55;
    e->passed += (size_t)n;
    sock_write(e->to->sock, slice_make(bytes, (size_t)n));
    sock_push(e->to->sock);
    if (e->passed == e->cut_at)
        relay_cut(e->relay);
}

static void relay_take(struct relay *r, struct relay_end *e, struct relay_end *to, struct sock *s)
{
    static const struct sock_ops ops = {.on_readable = relay_readable};
    *e = (struct relay_end){
        .relay = r, .sock = s, .to = to, .cut_at = SIZE_MAX, .spoil_at = SIZE_MAX};
    sock_set_ops(s, &ops, e);
}

static void relay_open(struct secure *s, struct relay *r, size_t step, const struct pairing *p)
{
    struct sock *a, *left, *right, *b;
    s->w = wire_new();
    sock_pair(s->w->loop, &a, &left);
    sock_pair(s->w->loop, &b, &right);
    wire_take(&s->w->a, a);
    wire_take(&s->w->b, b);
    r->step = step;
    relay_take(r, &r->left, &r->right, left);
    relay_take(r, &r->right, &r->left, right);
    start(s, p);
}

static struct secure relayed(struct relay *r, size_t step, const struct pairing *p)
{
    struct secure s = {0};
    contexts(&s, p);
    relay_open(&s, r, step, p);
    return s;
}

/* Each byte of the handshake, the data and the end comes by itself. */
static void test_split(void **state)
{
    struct relay r;
    struct secure s = relayed(&r, 1, &ordinary);
    struct wire *w = s.w;
    sock_write(w->a.sock, SLICE("question"));
    sock_write(w->b.sock, SLICE("answer"));
    w->want = 6;
    wire_until(w, wire_both_got);
    sock_shutdown(w->a.sock);
    sock_shutdown(w->b.sock);
    wire_until(w, wire_both_ended);
    assert_int_equal(w->a.end, 0);
    assert_int_equal(w->b.end, 0);
    wire_check_text(&w->b.got, "question");
    wire_check_text(&w->a.got, "answer");
    assert_true(r.left.passed > 200 && r.right.passed > 500);
    relay_cut(&r);
    secure_close(&s);
}

enum { CUT_STEP = 11 }; /* prime, so that over the directions every sort of place is met */

static void check_cut(const struct wire_end *e, size_t at)
{
    if (e->opened == 0 && (e->errors != 1 || e->error != ERR_EOF))
        fail_msg("cut at %zu: error %d '%s'", at, e->error, e->reason);
    if (e->opened > 0 && e->end != ERR_TRUNCATED)
        fail_msg("cut at %zu: end %zd", at, e->end);
}

static bool both_over(void *user)
{
    struct wire *w = user;
    return (w->a.errors > 0 || w->a.ended) && (w->b.errors > 0 || w->b.ended);
}

/* Cut behind bytes all over either direction: both ends know at once, and none calls it a bad
 * certificate, a good end or data. */
static void test_cut(void **state)
{
    static const struct pairing blind = {"unsigned.pem", "ca.pem", "tunnel.test", true};
    struct relay r;
    struct secure s = relayed(&r, 4096, &blind);
    wire_until(s.w, both_settled);
    for (int i = 0; i < 10; i++)
        wire_until(s.w, wire_always);
    size_t total[2] = {r.left.passed, r.right.passed};
    for (int side = 0; side < 2; side++)
        for (size_t at = 0; at < total[side] - 8;
             at += CUT_STEP) { /* a signature may be some bytes shorter the next time */
            relay_cut(&r);
            wire_close(s.w);
            relay_open(&s, &r, 4096, &blind);
            (side ? &r.right : &r.left)->cut_at = at;
            wire_until(s.w, both_over);
            check_cut(&s.w->a, at);
            check_cut(&s.w->b, at);
        }
    relay_cut(&r);
    secure_close(&s);
}

/* A spoiled record is a failure of TLS, not an end, and nothing of it is given up. */
static void test_spoiled(void **state)
{
    struct relay r;
    struct secure s = relayed(&r, 4096, &ordinary);
    wire_until(s.w, both_settled);
    for (int i = 0; i < 10; i++)
        wire_until(s.w, wire_always);
    r.left.spoil_at = r.left.passed + 10;
    sock_write(s.w->a.sock, SLICE("some words of data"));
    wire_until(s.w, any_over);
    assert_int_equal(s.w->b.end, ERR_TLS);
    assert_int_equal(buf_len(&s.w->b.got), 0);
    relay_cut(&r);
    secure_close(&s);
}

/* Plain HTTP at a TLS port. */
static void test_not_tls(void **state)
{
    for (enum wire_kind kind = 0; kind < WIRE_KINDS; kind++) {
        struct secure s = {.w = wire_open(kind), .server = server_context("good.pem")};
        assert_int_equal(sock_start_tls(s.w->b.sock, s.server, NULL), 0);
        sock_write(s.w->a.sock, SLICE("GET / HTTP/1.1\r\nHost: tunnel.test\r\n\r\n"));
        wire_until(s.w, any_over);
        assert_int_equal(s.w->b.error, ERR_TLS);
        assert_non_null(strstr(s.w->b.reason, "http request"));
        secure_close(&s);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_split),
        cmocka_unit_test(test_cut),
        cmocka_unit_test(test_spoiled),
        cmocka_unit_test(test_not_tls),
    };
    return cmocka_run_group_tests_name("tls, faults", tests, make_certificates,
                                       remove_certificates);
}
