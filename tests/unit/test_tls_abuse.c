/* SPDX-License-Identifier: MIT */
/* test_tls_abuse.c - what a peer may do behind the handshake, and how often. */
#include "secure.h"

enum { REKEYS = 32 }; /* a minute */

/* One more from @from, with a byte behind it: the sender learns nothing of it. */
static void rekey(struct sock *from, int how)
{
    assert_int_equal(SSL_key_update(from->tls.ssl, how), 1);
    sock_write(from, SLICE("k"));
}

static void flood(struct secure *s, struct wire_end *from, struct wire_end *to, int allowed)
{
    for (int i = 1; i <= allowed; i++) {
        rekey(from->sock, SSL_KEY_UPDATE_NOT_REQUESTED);
        while (buf_len(&to->got) < (size_t)i && !to->ended)
            wire_until(s->w, wire_always);
        if (to->ended)
            fail_msg("ended with %zd at %d", to->end, i);
    }
    rekey(from->sock, SSL_KEY_UPDATE_NOT_REQUESTED);
    wire_until(s->w, any_over);
    assert_int_equal(to->end, ERR_ABUSE);
    assert_int_equal(buf_len(&to->got), allowed); /* what comes with the surplus is not read */
}

/* Of a server its two session tickets count too. */
static void test_rekeys_are_counted(void **state)
{
    for (enum wire_kind kind = 0; kind < WIRE_KINDS; kind++) {
        struct secure s = secure_up(kind);
        flood(&s, &s.w->a, &s.w->b, REKEYS);
        secure_close(&s);
        s = secure_up(kind);
        flood(&s, &s.w->b, &s.w->a, REKEYS - 2);
        secure_close(&s);
    }
}

static void test_rekeys_of_another_minute(void **state)
{
    struct secure s = secure_up(WIRE_MEMORY);
    for (int minute = 0; minute < 3; minute++) {
        for (int i = 0; i < REKEYS; i++)
            rekey(s.w->a.sock, SSL_KEY_UPDATE_NOT_REQUESTED);
        s.w->want += REKEYS;
        wire_until(s.w, wire_b_got);
        s.w->b.sock->tls.rekeys_since_us -= 60 * 1000 * 1000;
    }
    assert_false(s.w->b.ended);
    secure_close(&s);
}

/* All at once, as one who does not wait for answers sends them, to a reader that reads ahead. */
static void test_rekeys_all_at_once(void **state)
{
    for (enum wire_kind kind = 0; kind < WIRE_KINDS; kind++) {
        struct secure s = secure_up(kind);
        sock_read_ahead(s.w->b.sock);
        for (int i = 0; i < 10000; i++)
            rekey(s.w->a.sock, SSL_KEY_UPDATE_REQUESTED);
        wire_until(s.w, any_over);
        assert_int_equal(s.w->b.end, ERR_ABUSE);
        assert_int_equal(buf_len(&s.w->b.got), REKEYS);
        secure_close(&s);
    }
}

static struct secure old_version(enum wire_kind kind)
{
    struct secure s = secure_open(kind, &ordinary);
    SSL_set_max_proto_version(s.w->a.sock->tls.ssl, TLS1_2_VERSION);
    wire_until(s.w, both_settled);
    assert_int_equal(SSL_version(s.w->b.sock->tls.ssl), TLS1_2_VERSION);
    return s;
}

static void renegotiate(struct sock *from)
{
    SSL_clear_options(from->tls.ssl, SSL_OP_NO_RENEGOTIATION);
    assert_int_equal(SSL_renegotiate(from->tls.ssl), 1);
    SSL_do_handshake(from->tls.ssl);
}

/* OpenSSL's client gives up when it is refused; what it is told is that, and no other keys. */
static void test_renegotiation_is_refused(void **state)
{
    for (enum wire_kind kind = 0; kind < WIRE_KINDS; kind++) {
        struct secure s = old_version(kind);
        renegotiate(s.w->a.sock);
        wire_until(s.w, any_over);
        assert_int_equal(s.w->a.end, ERR_TLS);
        assert_int_equal(s.w->b.sock->tls.rekeys, 1);
        secure_close(&s);
    }
}

/* A server that asks and asks, and does not read the refusals. */
static void test_asking_to_renegotiate_is_counted(void **state)
{
    for (enum wire_kind kind = 0; kind < WIRE_KINDS; kind++) {
        struct secure s = old_version(kind);
        sock_pause(s.w->b.sock);
        for (int i = 0; i < 1000; i++)
            renegotiate(s.w->b.sock);
        wire_until(s.w, any_over);
        assert_int_equal(s.w->a.end, ERR_ABUSE);
        secure_close(&s);
    }
}

/* A client that sends early data although the ticket allowed none: they are never read, and the
 * handshake goes on without them (RFC 8446 4.2.10). */
static void test_early_data_are_never_read(void **state)
{
    for (enum wire_kind kind = 0; kind < WIRE_KINDS; kind++) {
        struct secure s = secure_up(kind);
        /* The close spoils its own. */
        SSL_SESSION *session = SSL_SESSION_dup(SSL_get_session(s.w->a.sock->tls.ssl));
        assert_true(SSL_SESSION_is_resumable(session));
        assert_int_equal(SSL_SESSION_get_max_early_data(session), 0);
        wire_close(s.w);
        s.w = wire_open(kind);
        start(&s, &ordinary);
        SSL *ssl = s.w->a.sock->tls.ssl;
        size_t n = 0;
        assert_int_equal(SSL_SESSION_set_max_early_data(session, 16384), 1);
        assert_int_equal(SSL_set_session(ssl, session), 1);
        assert_int_equal(SSL_write_early_data(ssl, "GET /replayed", 13, &n), 1);
        assert_int_equal(n, 13);
        wire_until(s.w, both_settled);
        assert_int_equal(s.w->b.opened, 1);
        assert_int_equal(SSL_session_reused(ssl), 1);
        assert_int_equal(SSL_get_early_data_status(ssl), SSL_EARLY_DATA_REJECTED);
        sock_write(s.w->a.sock, SLICE("GET /"));
        s.w->want = 5;
        wire_until(s.w, wire_b_got);
        wire_check_text(&s.w->b.got, "GET /");
        SSL_SESSION_free(session);
        secure_close(&s);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rekeys_are_counted),
        cmocka_unit_test(test_rekeys_of_another_minute),
        cmocka_unit_test(test_rekeys_all_at_once),
        cmocka_unit_test(test_renegotiation_is_refused),
        cmocka_unit_test(test_asking_to_renegotiate_is_counted),
        cmocka_unit_test(test_early_data_are_never_read),
    };
    return cmocka_run_group_tests_name("tls, abuse", tests, make_certificates, remove_certificates);
}
