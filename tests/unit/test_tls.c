/* SPDX-License-Identifier: MIT */
/* test_tls.c - TLS between two socks: who is believed, bytes in every size, and the end. tls.h,
 * sock_tls.c; RFC 8446, RFC 7301. */
#include "secure.h"

#include <sys/stat.h>

/* ---- who is believed */

static const struct {
    const char *what;
    struct pairing p;
    const char *refusal; /* NULL: accepted */
} peers[] = {
    {"name", {"good.pem", "ca.pem", "tunnel.test", false}, NULL},
    {"name in capitals", {"good.pem", "ca.pem", "TUNNEL.test", false}, NULL},
    {"wildcard", {"good.pem", "ca.pem", "a.wild.test", false}, NULL},
    {"D32 name with a dot", {"good.pem", "ca.pem", "tunnel.test.", false}, NULL},
    {"D32 address with a zone", {"good.pem", "ca.pem", "::1%lo", false}, NULL},
    {"D32 a dot alone", {"good.pem", "ca.pem", ".", false}, "ostname mismatch"},
    {"IPv4", {"good.pem", "ca.pem", "127.0.0.1", false}, NULL},
    {"IPv6", {"good.pem", "ca.pem", "::1", false}, NULL},
    {"IPv6 written out", {"good.pem", "ca.pem", "0:0:0:0:0:0:0:1", false}, NULL},
    {"wildcard is one label", {"good.pem", "ca.pem", "a.b.wild.test", false}, "ostname mismatch"},
    {"other name", {"good.pem", "ca.pem", "tunnel.test.evil", false}, "ostname mismatch"},
    {"other IPv4", {"good.pem", "ca.pem", "127.0.0.2", false}, "IP address mismatch"},
    {"other CA", {"good.pem", "other-ca.pem", "tunnel.test", false}, "local issuer"},
    {"no CA", {"unsigned.pem", "ca.pem", "tunnel.test", false}, "self"},
    {"expired", {"expired.pem", "ca.pem", "tunnel.test", false}, "expired"},
    {"not yet", {"future.pem", "ca.pem", "tunnel.test", false}, "not yet valid"},
    {"the subject is no name", {"nameless.pem", "ca.pem", "leaf", false}, "ostname mismatch"},
    {"insecure: no CA", {"unsigned.pem", "ca.pem", "tunnel.test", true}, NULL},
    {"insecure: other name", {"good.pem", "ca.pem", "elsewhere.test", true}, NULL},
    {"insecure: expired", {"expired.pem", "other-ca.pem", "127.0.0.2", true}, NULL},
};

static void check_accepted(struct wire *w, const char *what)
{
    if (w->a.opened != 1 || w->b.opened != 1 || w->a.errors + w->b.errors > 0)
        fail_msg("%s: refused: %s", what, w->a.reason);
    w->want = 6;
    wire_until(w, wire_b_got);
    wire_check_text(&w->b.got, "ticket");
}

static void check_refused(struct wire *w, const char *what, const char *refusal)
{
    if (w->a.opened > 0 || w->a.error != ERR_CERT || !strstr(w->a.reason, refusal))
        fail_msg("%s: opened %d, error %d, reason '%s'", what, w->a.opened, w->a.error,
                 w->a.reason);
    assert_int_equal(w->a.errors, 1);
    assert_int_equal(w->b.errors, 1);
    assert_int_equal(w->b.error, ERR_TLS); /* it is told why: by an alert */
    assert_non_null(strstr(w->b.reason, "alert"));
    assert_int_equal(buf_len(&w->b.got), 0);
    assert_int_equal(sock_read(w->a.sock, (char[1]){0}, 1), ERR_CERT);
}

/* To OpenSSL an empty name is any name. */
static void test_empty_host(void **state)
{
    struct secure s = {.w = wire_open(WIRE_MEMORY), .client = client_context("ca.pem", false)};
    assert_int_equal(sock_start_tls(s.w->a.sock, s.client, ""), ERR_TLS);
    assert_false(sock_is_tls(s.w->a.sock));
    secure_close(&s);
}

/* What is written before the peer is known never leaves to one that is refused. */
static void test_who_is_believed(void **state)
{
    for (enum wire_kind kind = 0; kind < WIRE_KINDS; kind++)
        for (size_t i = 0; i < sizeof peers / sizeof *peers; i++) {
            struct secure s = secure_open(kind, &peers[i].p);
            sock_write(s.w->a.sock, SLICE("ticket"));
            wire_until(s.w, both_settled);
            if (!peers[i].refusal)
                check_accepted(s.w, peers[i].what);
            else
                check_refused(s.w, peers[i].what, peers[i].refusal);
            secure_close(&s);
        }
}

/* O91: the system's authorities are trusted beside those of a file if that is asked for. */
static void test_beside_the_system(void **state)
{
    setenv("SSL_CERT_FILE", path("ca.pem"), 1);
    for (int beside = 0; beside < 2; beside++) {
        char reason[TLS_REASON_MAX] = "";
        struct tls_client_options o = {.ca_file = path("other-ca.pem"), .ca_beside = beside};
        struct secure s = {.w = wire_open(WIRE_MEMORY),
                           .client = tls_client_new(&o, reason),
                           .server = server_context("good.pem")};
        start(&s, &ordinary);
        sock_write(s.w->a.sock, SLICE("ticket"));
        wire_until(s.w, both_settled);
        if (beside)
            check_accepted(s.w, "the system's");
        else
            check_refused(s.w, "not the system's", "unable to get local issuer certificate");
        secure_close(&s);
    }
    unsetenv("SSL_CERT_FILE");
}

/* E1: RFC 7301 3.2. No protocol in common is fatal; a client that names none is served. */
static void test_alpn(void **state)
{
    static const struct {
        const char *offer;
        unsigned len;
        bool accepted;
        const char *chosen;
    } rows[] = {
        {"\x02h3", 3, false, ""},
        {"\x02h2", 3, true, "h2"},
        {"\x08http/1.1\x02h2", 12, true, "h2"},
        {"\x08http/1.1", 9, true, "http/1.1"},
        {"", 0, true, ""},
    };
    for (enum wire_kind kind = 0; kind < WIRE_KINDS; kind++)
        for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
            struct secure s = secure_open(kind, &ordinary);
            struct wire *w = s.w;
            SSL_set_alpn_protos(w->a.sock->tls.ssl, (const unsigned char *)rows[i].offer,
                                rows[i].len);
            wire_until(w, both_settled);
            assert_int_equal(w->a.opened, rows[i].accepted);
            assert_int_equal(w->a.error, rows[i].accepted ? 0 : ERR_TLS);
            assert_int_equal(w->b.error, rows[i].accepted ? 0 : ERR_TLS);
            if (!rows[i].accepted)
                assert_non_null(strstr(w->a.reason, "no application protocol"));
            else
                assert_true(slice_eq(sock_protocol(w->b.sock), slice_str(rows[i].chosen)));
            secure_close(&s);
        }
}

/* ---- TLS 1.2 */

static const struct {
    const char *ciphers; /* of a client that knows TLS 1.2 only */
    bool accepted;
} old_clients[] = {
    {"ECDHE-ECDSA-AES128-GCM-SHA256", true},
    {"ECDHE-ECDSA-AES256-GCM-SHA384", true},
    {"ECDHE-ECDSA-CHACHA20-POLY1305", true},
    {"ECDHE-ECDSA-AES128-SHA256", false}, /* CBC */
    {"ECDHE-ECDSA-AES256-SHA", false},
    {"ECDHE-ECDSA-AES128-CCM8", false},
    {"AES128-GCM-SHA256:DHE-RSA-AES128-GCM-SHA256", false}, /* no ECDHE */
    {"ALL:!ECDHE:@SECLEVEL=0", false},
};

/* F41: a server takes TLS 1.2 with ECDHE and AEAD only. */
static void test_old_clients(void **state)
{
    for (size_t i = 0; i < sizeof old_clients / sizeof *old_clients; i++) {
        struct secure s = secure_open(WIRE_MEMORY, &ordinary);
        SSL *ssl = s.w->a.sock->tls.ssl;
        SSL_set_max_proto_version(ssl, TLS1_2_VERSION);
        assert_int_equal(SSL_set_cipher_list(ssl, old_clients[i].ciphers), 1);
        wire_until(s.w, both_settled);
        if (s.w->b.opened != old_clients[i].accepted)
            fail_msg("%s: %s", old_clients[i].ciphers, s.w->b.reason);
        secure_close(&s);
    }
}

/* F41: a client offers nothing else either. */
static void test_offers(void **state)
{
    struct secure s = secure_open(WIRE_MEMORY, &ordinary);
    STACK_OF(SSL_CIPHER) *offers = SSL_get1_supported_ciphers(s.w->a.sock->tls.ssl);
    int old = 0;
    for (int i = 0; i < sk_SSL_CIPHER_num(offers); i++) {
        const SSL_CIPHER *c = sk_SSL_CIPHER_value(offers, i);
        assert_true(SSL_CIPHER_is_aead(c));
        if (strcmp(SSL_CIPHER_get_version(c), "TLSv1.3") == 0)
            continue;
        assert_int_equal(SSL_CIPHER_get_kx_nid(c), NID_kx_ecdhe);
        old++;
    }
    assert_int_equal(old, 6);
    sk_SSL_CIPHER_free(offers);
    secure_close(&s);
}

/* ---- ports without TLS */

static const struct {
    const char *what, *answer;
    size_t len;
    const char *reason;
} strangers[] = {
    {"F40 a plain port of a web server", "HTTP/1.1 400 Bad Request\r\n\r\n", 28,
     "speaks no TLS on this port"},
    {"F40 a plain port of SSH", "SSH-2.0-x\r\n", 11, "speaks no TLS on this port"},
    {"F40 the alert of an oneportd without a certificate", "\x15\x03\x01\x00\x02\x02\x28", 7,
     "speaks no TLS on this port"},
    {"another alert", "\x15\x03\x01\x00\x02\x02\x50", 7, "internal error"},
};

static void test_no_tls(void **state)
{
    for (enum wire_kind kind = 0; kind < WIRE_KINDS; kind++)
        for (size_t i = 0; i < sizeof strangers / sizeof *strangers; i++) {
            struct secure s = {.w = wire_open(kind), .client = client_context("ca.pem", false)};
            assert_int_equal(sock_start_tls(s.w->a.sock, s.client, "tunnel.test"), 0);
            sock_write(s.w->b.sock, slice_make(strangers[i].answer, strangers[i].len));
            while (s.w->a.errors == 0)
                wire_until(s.w, wire_always);
            assert_int_equal(s.w->a.error, ERR_TLS);
            if (!strstr(s.w->a.reason, strangers[i].reason))
                fail_msg("%s: %s", strangers[i].what, s.w->a.reason);
            secure_close(&s);
        }
}

/* ---- the server's own certificate */

static const struct {
    const char *cert, *domain;
    bool covers_domain, covers_subdomains;
} judged[] = {
    {"good.pem", "tunnel.test", true, false}, {"good.pem", "wild.test", false, true},
    {"good.pem", "a.wild.test", true, false}, /* a wildcard covers the domain itself */
    {"good.pem", "test", false, false},       {"good.pem", "other.test", false, false},
    {"nameless.pem", "leaf", false, false},   {"local.pem", "localhost", true, true},
};

static void keep_certificate(const struct tls_certificate *one, void *user)
{
    struct tls_certificate *to = user;
    *to = *one;
}

/* F42: what a certificate covers, and until when. */
static void test_certificate(void **state)
{
    struct tls_certificate c;
    for (size_t i = 0; i < sizeof judged / sizeof *judged; i++) {
        struct tls *t = server_context(judged[i].cert);
        char wildcard[100];
        snprintf(wildcard, sizeof wildcard, "*.%s", judged[i].domain);
        struct slice names[] = {slice_str(judged[i].domain), slice_str(wildcard)};
        tls_server_each(t, keep_certificate, &c);
        for (int k = 0; k < 2; k++) {
            bool covers = k == 0 ? judged[i].covers_domain : judged[i].covers_subdomains;
            if (tls_server_covers(t, names[k]) != covers ||
                tls_certificate_covers(&c, names[k]) != covers)
                fail_msg("%s for %s", judged[i].cert, names[k].ptr);
        }
        tls_free(t);
    }
    struct tls *t = server_context("short.pem");
    tls_server_each(t, keep_certificate, &c);
    assert_true(llabs(c.not_after_s - (time(NULL) + 13 * DAY_S)) < 60);
    assert_true(llabs(c.not_before_s - (time(NULL) - DAY_S)) < 60);
    assert_string_equal(c.cert_file, path("short.pem"));
    tls_free(t);
}

/* F42: a key is exposed if everybody may read it; a group may. */
static void test_key_exposed(void **state)
{
    assert_int_equal(chmod(path("good.pem"), 0600), 0);
    assert_false(tls_key_exposed(path("good.pem")));
    assert_int_equal(chmod(path("good.pem"), 0640), 0);
    assert_false(tls_key_exposed(path("good.pem")));
    assert_int_equal(chmod(path("good.pem"), 0644), 0);
    assert_true(tls_key_exposed(path("good.pem")));
    assert_int_equal(symlink(path("good.pem"), path("link.pem")), 0);
    assert_true(tls_key_exposed(path("link.pem")));
    assert_false(tls_key_exposed(path("none.pem")));
}

static void close_server(void *user, int err, const char *reason)
{
    struct wire_end *e = user;
    wire_on_error(e, err, reason);
    sock_close(e->sock);
    e->sock = NULL;
}

/* The alert is believed before the close behind it. */
static void test_alert_before_close(void **state)
{
    static const struct sock_ops closing = {wire_on_open, wire_on_readable, wire_on_sent,
                                            wire_on_hangup, close_server};
    for (enum wire_kind kind = 0; kind < WIRE_KINDS; kind++) {
        struct secure s = secure_open(kind, &ordinary);
        sock_set_ops(s.w->b.sock, &closing, &s.w->b);
        SSL_set_alpn_protos(s.w->a.sock->tls.ssl, (const unsigned char *)"\x02h3", 3);
        wire_until(s.w, both_settled);
        assert_int_equal(s.w->a.error, ERR_TLS);
        secure_close(&s);
    }
}

static const struct {
    const char *what, *cert, *key, *reason;
} files[] = {
    {"no certificate file", "none.pem", "good.pem", "none.pem"},
    {"no key file", "good.pem", "none.pem", "none.pem"},
    {"not a certificate", "garbage.pem", "good.pem", "certificate"},
    {"another's key", "good.pem", "expired.pem", "expired.pem"},
};

static void test_files(void **state)
{
    char reason[TLS_REASON_MAX] = "";
    FILE *f = fopen(path("garbage.pem"), "w");
    fputs("nothing\n", f);
    fclose(f);
    for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
        struct tls_pair pair = {path(files[i].cert), path(files[i].key), ""};
        struct tls *t = tls_server_new(&pair, 1);
        if (!strstr(pair.reason, files[i].reason))
            fail_msg("%s: %s", files[i].what, pair.reason);
        assert_false(tls_server_ready(t));
        assert_null(tls_ssl_server(t, SLICE("")));
        tls_free(t);
    }
    struct tls_client_options o = {.ca_file = path("none.pem")};
    assert_null(tls_client_new(&o, reason));
    assert_non_null(strstr(reason, "none.pem"));
    o = (struct tls_client_options){.ca_file = path("ca.pem"), .cert_file = path("garbage.pem")};
    assert_null(tls_client_new(&o, reason));
    tls_free(NULL);
}

/* ---- bytes */

static void test_large(void **state)
{
    const size_t total = 5 << 20;
    for (enum wire_kind kind = 0; kind < WIRE_KINDS; kind++) {
        struct secure s = secure_up(kind);
        struct wire *w = s.w;
        char *data = wire_pattern(total);
        sock_write(w->a.sock, slice_make(data, total));
        for (size_t at = 0; at < total; at += 100000)
            sock_write(w->b.sock, slice_make(data + at, total - at < 100000 ? total - at : 100000));
        assert_true(sock_queued(w->a.sock) > total);
        assert_false(sock_unsend(w->a.sock, 1)); /* records cannot be taken back */
        free(data);
        w->want = total;
        wire_until(w, wire_both_got);
        wire_check_pattern(&w->a.got, total);
        wire_check_pattern(&w->b.got, total);
        assert_true(w->a.sent > 0);
        secure_close(&s);
    }
}

static void test_pause(void **state)
{
    for (enum wire_kind kind = 0; kind < WIRE_KINDS; kind++) {
        struct secure s = secure_up(kind);
        int before = s.w->b.readable;
        sock_pause(s.w->b.sock);
        sock_write(s.w->a.sock, SLICE("waits"));
        for (int i = 0; i < 5; i++)
            wire_until(s.w, wire_always);
        assert_int_equal(s.w->b.readable, before);
        sock_resume(s.w->b.sock);
        s.w->want = 5;
        wire_until(s.w, wire_b_got);
        secure_close(&s);
    }
}

/* A reader that takes one byte of a record at a time is called again for the rest of it. */
static void read_one(void *user)
{
    struct wire_end *e = user;
    char byte;
    if (sock_read(e->sock, &byte, 1) == 1)
        assert_int_equal(buf_append(&e->got, slice_make(&byte, 1)), 0);
}

static void test_byte_by_byte(void **state)
{
    static const struct sock_ops slow = {.on_readable = read_one};
    for (enum wire_kind kind = 0; kind < WIRE_KINDS; kind++) {
        struct secure s = secure_up(kind);
        sock_set_ops(s.w->b.sock, &slow, &s.w->b);
        sock_write(s.w->a.sock, SLICE("one record"));
        s.w->want = 10;
        wire_until(s.w, wire_b_got);
        wire_check_text(&s.w->b.got, "one record");
        secure_close(&s);
    }
}

/* Written and shut before the handshake: both go, in order, when it is through. */
static void test_early(void **state)
{
    for (enum wire_kind kind = 0; kind < WIRE_KINDS; kind++) {
        struct secure s = secure_open(kind, &ordinary);
        struct wire *w = s.w;
        sock_write(w->a.sock, SLICE("early"));
        sock_write(w->a.sock, SLICE(" words"));
        assert_int_equal(sock_queued(w->a.sock), 11);
        sock_shutdown(w->a.sock);
        sock_write(w->b.sock, SLICE("answer"));
        w->want = 6;
        wire_until(w, wire_b_ended);
        wire_check_text(&w->b.got, "early words");
        assert_int_equal(w->b.end, 0);
        sock_shutdown(w->b.sock);
        wire_until(w, wire_a_ended);
        assert_int_equal(w->a.end, 0);
        wire_check_text(&w->a.got, "answer");
        secure_close(&s);
    }
}

/* TLS asked for before TCP is there, and a server that looked at the first byte. */
static void test_connect_and_peek(void **state)
{
    struct secure s = {.w = wire_new()};
    struct sockaddr_in at;
    struct slice first;
    int listener = wire_listen(&at);
    wire_take(&s.w->a, sock_connect(s.w->loop, (struct sockaddr *)&at, sizeof at, 0));
    s.client = client_context("ca.pem", false);
    s.server = server_context("good.pem");
    assert_int_equal(sock_start_tls(s.w->a.sock, s.client, "127.0.0.1"), 0);
    wire_take(&s.w->b, wire_sock(s.w->loop, accept(listener, NULL, NULL)));
    s.w->b.lazy = true;
    wire_until(s.w, wire_b_readable);
    while (sock_peek(s.w->b.sock, &first) == ERR_AGAIN)
        wire_until(s.w, wire_always);
    assert_int_equal(first.ptr[0], 0x16);
    s.w->b.lazy = false;
    sock_resume(s.w->b.sock);
    assert_int_equal(sock_start_tls(s.w->b.sock, s.server, NULL), 0);
    wire_until(s.w, both_settled);
    assert_int_equal(s.w->a.opened, 1);
    assert_int_equal(s.w->b.opened, 1);
    close(listener);
    secure_close(&s);
}

/* ---- the end */

static const struct {
    const char *what;
    void (*end)(struct sock *s);
    ssize_t want;
} ends[] = {
    {"close_notify", sock_shutdown, 0},
    {"FIN alone", sock_close, ERR_TRUNCATED},
    {"RST", sock_abort, ERR_RESET},
};

static void test_ends(void **state)
{
    for (enum wire_kind kind = 0; kind < WIRE_KINDS; kind++)
        for (size_t i = 0; i < sizeof ends / sizeof *ends; i++)
            for (int server = 0; server < 2; server++) {
                struct secure s = secure_up(kind);
                struct wire_end *from = server ? &s.w->b : &s.w->a,
                                *to = server ? &s.w->a : &s.w->b;
                sock_write(from->sock, SLICE("data"));
                sock_push(from->sock);
                ends[i].end(from->sock);
                if (ends[i].want != 0)
                    from->sock = NULL;
                wire_until(s.w, server ? wire_a_ended : wire_b_ended);
                if (to->end != ends[i].want)
                    fail_msg("%s, server %d, wire %d: %zd", ends[i].what, server, kind, to->end);
                wire_check_text(&to->got, "data");
                assert_int_equal(sock_read(to->sock, (char[1]){0}, 1), ends[i].want);
                secure_close(&s);
            }
}

static void test_half_close(void **state)
{
    for (enum wire_kind kind = 0; kind < WIRE_KINDS; kind++) {
        struct secure s = secure_up(kind);
        sock_shutdown(s.w->a.sock);
        wire_until(s.w, wire_b_ended);
        sock_write(s.w->b.sock, SLICE("later"));
        sock_shutdown(s.w->b.sock);
        wire_until(s.w, wire_a_ended);
        assert_int_equal(s.w->a.end, 0);
        wire_check_text(&s.w->a.got, "later");
        secure_close(&s);
    }
}

static void test_finish(void **state)
{
    const size_t total = 4 << 20;
    for (enum wire_kind kind = 0; kind < WIRE_KINDS; kind++) {
        struct secure s = secure_up(kind);
        char *data = wire_pattern(total);
        sock_write(s.w->b.sock, slice_make(data, total));
        sock_finish(s.w->b.sock, 10, SIZE_MAX);
        s.w->b.sock = NULL;
        wire_until(s.w, wire_a_ended);
        assert_int_equal(s.w->a.end, 0);
        wire_check_pattern(&s.w->a.got, total);
        free(data);
        secure_close(&s);
    }
}

/* Opens a connection with contexts that are kept, and hears one byte. Returns whether it resumed a
 * session. */
static bool resumes(struct secure *kept, const char *host, int version)
{
    struct secure s = {.w = wire_open(WIRE_TCP), .client = kept->client, .server = kept->server};
    const struct pairing p = {"good.pem", "ca.pem", host, false};
    start(&s, &p);
    SSL_set_max_proto_version(s.w->b.sock->tls.ssl, version);
    wire_until(s.w, both_settled);
    assert_int_equal(s.w->a.errors, 0);
    sock_write(s.w->b.sock, SLICE("!")); /* behind the session tickets */
    wire_until(s.w, a_got);
    bool reused = SSL_session_reused(s.w->a.sock->tls.ssl);
    wire_close(s.w); /* without close_notify */
    return reused;
}

/* D15: a context of one host resumes its newest session; others make a whole handshake. */
static void test_sessions(void **state)
{
    char reason[TLS_REASON_MAX] = "";
    struct tls_client_options o = {.ca_file = path("ca.pem"), .resumes = true};
    struct secure kept = {.client = tls_client_new(&o, reason),
                          .server = server_context("good.pem")};
    for (int i = 0; i < 3; i++)
        assert_int_equal(resumes(&kept, "tunnel.test", TLS1_2_VERSION), i > 0);
    for (int i = 0; i < 3; i++)
        assert_int_equal(resumes(&kept, "tunnel.test", TLS1_3_VERSION), i > 0);
    assert_false(resumes(&kept, "a.wild.test", TLS1_3_VERSION));
    assert_true(resumes(&kept, "tunnel.test", TLS1_3_VERSION));
    tls_free(kept.server);
    kept.server = server_context("good.pem"); /* restarted: its keys for tickets are new */
    assert_false(resumes(&kept, "tunnel.test", TLS1_3_VERSION));
    assert_true(resumes(&kept, "tunnel.test", TLS1_3_VERSION));
    tls_free(kept.client);
    kept.client = client_context("ca.pem", false);
    for (int i = 0; i < 3; i++)
        assert_false(resumes(&kept, "tunnel.test", TLS1_3_VERSION));
    tls_free(kept.client);
    tls_free(kept.server);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_who_is_believed),
        cmocka_unit_test(test_empty_host),
        cmocka_unit_test(test_beside_the_system),
        cmocka_unit_test(test_alpn),
        cmocka_unit_test(test_old_clients),
        cmocka_unit_test(test_offers),
        cmocka_unit_test(test_no_tls),
        cmocka_unit_test(test_certificate),
        cmocka_unit_test(test_key_exposed),
        cmocka_unit_test(test_sessions),
        cmocka_unit_test(test_alert_before_close),
        cmocka_unit_test(test_files),
        cmocka_unit_test(test_large),
        cmocka_unit_test(test_pause),
        cmocka_unit_test(test_byte_by_byte),
        cmocka_unit_test(test_early),
        cmocka_unit_test(test_connect_and_peek),
        cmocka_unit_test(test_ends),
        cmocka_unit_test(test_half_close),
        cmocka_unit_test(test_finish),
    };
    return cmocka_run_group_tests_name("tls", tests, make_certificates, remove_certificates);
}
