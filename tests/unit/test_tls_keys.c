/* SPDX-License-Identifier: MIT */
/* test_tls_keys.c - keys have an end: KeyUpdate after many records, and session tickets whose keys
 * change every hour. sock_tls.c, tls_resume.h; RFC 8446 4.6.1, 4.6.3, 5.5. */
#include "secure.h"

#include <sys/wait.h>

#include "h2mux/io/tls_resume.h"

/* ---- KeyUpdate */

/* The KeyUpdates that an end has sent and got. */
struct updates {
    struct sock *sock;
    int sent, got;
};

static struct updates updates[2];

/* Stands in for the sock's own callback, which bounds the number of such messages. */
static void on_message(int written, int version, int type, const void *bytes, size_t len, SSL *ssl,
                       void *user)
{
    struct updates *u = &updates[SSL_is_server(ssl)];
    if (type == SSL3_RT_HANDSHAKE && len > 0 && *(const unsigned char *)bytes == SSL3_MT_KEY_UPDATE)
        *(written ? &u->sent : &u->got) += 1;
}

static void watch(struct sock *s, uint64_t rekey_after)
{
    updates[SSL_is_server(s->tls.ssl)] = (struct updates){.sock = s};
    SSL_set_msg_callback(s->tls.ssl, on_message);
    s->tls.rekey_after = rekey_after;
}

/* F43: each end changes its own key after so many records, whatever the other end does, and all
 * bytes come through. */
static void test_key_update(void **state)
{
    const size_t total = 3 << 20; /* 192 records */
    for (enum wire_kind kind = 0; kind < WIRE_KINDS; kind++) {
        struct secure s = secure_up(kind);
        struct wire *w = s.w;
        char *data = wire_pattern(total);
        assert_int_equal(w->a.sock->tls.rekey_after, 1 << 23);
        watch(w->a.sock, 50);
        watch(w->b.sock, 100);
        sock_read_ahead(w->b.sock);
        sock_write(w->a.sock, slice_make(data, total));
        for (size_t at = 0; at < total; at += 100000)
            sock_write(w->b.sock, slice_make(data + at, total - at < 100000 ? total - at : 100000));
        free(data);
        w->want = total;
        wire_until(w, wire_both_got);
        wire_check_pattern(&w->a.got, total);
        wire_check_pattern(&w->b.got, total);
        assert_in_range(updates[0].sent, 3, 4); /* the client's */
        assert_in_range(updates[1].sent, 1, 3);
        assert_int_equal(updates[0].got, updates[1].sent);
        assert_int_equal(updates[1].got, updates[0].sent);
        secure_close(&s);
    }
}

/* F43: TLS 1.2 has no KeyUpdate, and goes on. */
static void test_tls_1_2_goes_on(void **state)
{
    struct secure s = secure_open(WIRE_MEMORY, &ordinary);
    SSL_set_max_proto_version(s.w->a.sock->tls.ssl, TLS1_2_VERSION);
    wire_until(s.w, both_settled);
    watch(s.w->a.sock, 2);
    for (int i = 0; i < 10; i++)
        sock_write(s.w->a.sock, SLICE("record"));
    s.w->want = 60;
    wire_until(s.w, wire_b_got);
    assert_int_equal(updates[0].sent, 0);
    secure_close(&s);
}

/* Runs `openssl s_client`, which copies what it gets to @out. */
static pid_t run_s_client(unsigned port, const char *out)
{
    char to[32];
    snprintf(to, sizeof to, "127.0.0.1:%u", port);
    pid_t pid = fork();
    if (pid == 0) {
        if (!freopen("/dev/null", "r", stdin) || !freopen(out, "w", stdout) ||
            !freopen("/dev/null", "w", stderr))
            _exit(126);
        execlp("openssl", "openssl", "s_client", "-quiet", "-connect", to, (char *)NULL);
        _exit(127);
    }
    return pid;
}

static bool b_opened(void *user)
{
    return ((struct wire *)user)->b.opened > 0;
}

static bool b_over(void *user)
{
    struct wire *w = user;
    return w->b.ended || w->b.errors > 0;
}

/* F43: another author's end follows the new keys. */
static void test_key_update_with_s_client(void **state)
{
    const size_t total = 1 << 20;
    struct secure s = {.w = wire_new(), .server = server_context("good.pem")};
    struct sockaddr_in at;
    int listener = wire_listen(&at), status;
    pid_t pid = run_s_client(ntohs(at.sin_port), path("got"));
    wire_take(&s.w->b, wire_sock(s.w->loop, accept(listener, NULL, NULL)));
    assert_int_equal(sock_start_tls(s.w->b.sock, s.server, NULL), 0);
    wire_until(s.w, b_opened);
    watch(s.w->b.sock, 5);
    char *data = wire_pattern(total);
    sock_write(s.w->b.sock, slice_make(data, total));
    sock_shutdown(s.w->b.sock);
    wire_until(s.w, b_over);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_in_range(updates[1].sent, 10, 13);
    FILE *f = fopen(path("got"), "r");
    char *got = malloc(total + 1);
    assert_int_equal(fread(got, 1, total + 1, f), total);
    assert_memory_equal(got, data, total);
    fclose(f);
    free(got);
    free(data);
    close(listener);
    secure_close(&s);
}

/* ---- tickets */

#define HOUR_US ((uint64_t)TLS_RESUME_LIFE_S * 1000000)

static const struct {
    uint64_t later_us;
    bool found, current;
} ages[] = {
    {0, true, true},
    {HOUR_US - 1, true, true},
    {HOUR_US, true, false},
    {2 * HOUR_US - 1, true, false},
    {2 * HOUR_US, false, false},
    {50 * HOUR_US, false, false},
};

/* F44: a key seals for an hour and opens for another one. */
static void test_ticket_keys(void **state)
{
    const uint64_t start = 1234567;
    for (size_t i = 0; i < sizeof ages / sizeof *ages; i++) {
        struct tls_resume *t = tls_resume_new(start);
        struct tls_resume_key first, now, found;
        bool current;
        tls_resume_current(t, start, &first);
        tls_resume_current(t, start + ages[i].later_us, &now);
        assert_int_equal(memcmp(&first, &now, sizeof now) == 0, ages[i].current);
        assert_int_equal(tls_resume_find(t, start + ages[i].later_us, first.name, &found, &current),
                         ages[i].found);
        if (ages[i].found) {
            assert_int_equal(current, ages[i].current);
            assert_memory_equal(&found, &first, sizeof found);
        }
        assert_true(tls_resume_find(t, start + ages[i].later_us, now.name, &found, &current));
        assert_true(current);
        tls_resume_free(t);
    }
    tls_resume_free(NULL);
}

/* F44: an hour runs from the key's own beginning, not from when somebody asked. */
static void test_ticket_keys_keep_the_hour(void **state)
{
    struct tls_resume *t = tls_resume_new(0);
    struct tls_resume_key second, key;
    bool current;
    tls_resume_current(t, HOUR_US + HOUR_US / 2, &second);
    tls_resume_current(t, 2 * HOUR_US + 1, &key);
    assert_memory_not_equal(&second, &key, sizeof key);
    assert_true(tls_resume_find(t, 2 * HOUR_US + 1, second.name, &key, &current));
    assert_false(current);
    tls_resume_free(t);
}

/* Connects with the session of the connection before. Returns whether it was resumed, and the new
 * session in @session. */
static bool resume(struct secure *s, SSL_SESSION **session)
{
    s->w = wire_open(WIRE_MEMORY);
    start(s, &ordinary);
    if (*session)
        assert_int_equal(SSL_set_session(s->w->a.sock->tls.ssl, *session), 1);
    wire_until(s->w, both_settled);
    sock_write(s->w->b.sock, SLICE("!")); /* behind the tickets */
    wire_until(s->w, a_got);
    bool resumed = SSL_session_reused(s->w->a.sock->tls.ssl);
    SSL_SESSION_free(*session);
    *session = SSL_SESSION_dup(SSL_get0_session(s->w->a.sock->tls.ssl)); /* a cut ends the other */
    wire_close(s->w);
    return resumed;
}

/* F44: a session outlives a reload of the certificate, which makes a context anew; another server
 * does not know it. */
static void test_resumption_after_a_reload(void **state)
{
    struct tls_pair pair = {path("good.pem"), path("good.pem"), ""};
    SSL_SESSION *session = NULL;
    struct secure s = {.w = NULL};
    contexts(&s, &ordinary);
    assert_false(resume(&s, &session));
    assert_true(resume(&s, &session));
    assert_true(SSL_SESSION_get_ticket_lifetime_hint(session) <= TLS_RESUME_LIFE_S);
    tls_server_reload(s.server, &pair, 1);
    assert_string_equal(pair.reason, "");
    assert_true(resume(&s, &session));
    tls_free(s.server);
    s.server = server_context("good.pem");
    assert_false(resume(&s, &session));
    SSL_SESSION_free(session);
    tls_free(s.client);
    tls_free(s.server);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_key_update),
        cmocka_unit_test(test_tls_1_2_goes_on),
        cmocka_unit_test(test_key_update_with_s_client),
        cmocka_unit_test(test_ticket_keys),
        cmocka_unit_test(test_ticket_keys_keep_the_hour),
        cmocka_unit_test(test_resumption_after_a_reload),
    };
    return cmocka_run_group_tests_name("tls_keys", tests, make_certificates, remove_certificates);
}
