/* test_tls.c - TLS over socks in memory and over TCP: who is believed, how it starts, how it ends,
 * how it is cut. tls.h, sock_tls.c; RFC 8446, RFC 7301. The certificates are made here. */
#include "wire.h"

#include <openssl/pem.h>
#include <openssl/x509v3.h>

#include "h2mux/sock_int.h"

/* ---- certificates */

enum { DAY_S = 86400, FILE_MAX = 128 };

struct authority {
    EVP_PKEY *key;
    X509 *cert;
};

static char dir[] = "/tmp/test_tls.XXXXXX";

static const char *path(const char *file)
{
    static char text[4][FILE_MAX];
    static unsigned turn;
    char *to = text[turn++ % 4];
    snprintf(to, FILE_MAX, "%s/%s", dir, file);
    return to;
}

static void write_pem(const char *file, X509 *cert, EVP_PKEY *key)
{
    FILE *f = fopen(path(file), "w");
    assert_non_null(f);
    if (cert != NULL)
        assert_int_equal(PEM_write_X509(f, cert), 1);
    if (key != NULL)
        assert_int_equal(PEM_write_PrivateKey(f, key, NULL, NULL, 0, NULL, NULL), 1);
    assert_int_equal(fclose(f), 0);
}

static void add_extension(X509 *cert, int nid, const char *value)
{
    X509V3_CTX ctx;
    X509V3_set_ctx(&ctx, cert, cert, NULL, NULL, 0);
    X509_EXTENSION *e = X509V3_EXT_conf_nid(NULL, &ctx, nid, value);
    assert_non_null(e);
    assert_int_equal(X509_add_ext(cert, e, -1), 1);
    X509_EXTENSION_free(e);
}

/* @by NULL: signed by itself, and able to sign others. */
static X509 *make_cert(const char *name, EVP_PKEY *key, const struct authority *by, const char *san,
                       long from_s, long until_s)
{
    static long serial;
    X509 *cert = X509_new();
    X509_set_version(cert, X509_VERSION_3);
    ASN1_INTEGER_set(X509_get_serialNumber(cert), ++serial);
    X509_gmtime_adj(X509_getm_notBefore(cert), from_s);
    X509_gmtime_adj(X509_getm_notAfter(cert), until_s);
    X509_set_pubkey(cert, key);
    X509_NAME_add_entry_by_txt(X509_get_subject_name(cert), "CN", MBSTRING_ASC,
                               (const unsigned char *)name, -1, -1, 0);
    X509_set_issuer_name(cert, X509_get_subject_name(by ? by->cert : cert));
    if (by == NULL)
        add_extension(cert, NID_basic_constraints, "critical,CA:TRUE");
    if (san != NULL)
        add_extension(cert, NID_subject_alt_name, san);
    assert_true(X509_sign(cert, by ? by->key : key, EVP_sha256()) > 0);
    return cert;
}

static struct authority make_authority(const char *name, const char *file)
{
    struct authority a = {.key = EVP_EC_gen("P-256")};
    a.cert = make_cert(name, a.key, NULL, NULL, -DAY_S, DAY_S);
    write_pem(file, a.cert, NULL);
    return a;
}

static void make_leaf(const char *file, const struct authority *by, const char *san, long from_s,
                      long until_s)
{
    EVP_PKEY *key = EVP_EC_gen("P-256");
    X509 *cert = make_cert("leaf", key, by, san, from_s, until_s);
    write_pem(file, cert, key);
    X509_free(cert);
    EVP_PKEY_free(key);
}

static int make_certificates(void **state)
{
    static const char names[] = "DNS:tunnel.test,DNS:*.wild.test,IP:127.0.0.1,IP:::1";
    if (mkdtemp(dir) == NULL)
        return -1;
    struct authority good = make_authority("good", "ca.pem"),
                     other = make_authority("other", "other-ca.pem");
    make_leaf("good.pem", &good, names, -DAY_S, DAY_S);
    make_leaf("expired.pem", &good, names, -2 * DAY_S, -DAY_S);
    make_leaf("future.pem", &good, names, DAY_S / 2, DAY_S);
    make_leaf("unsigned.pem", NULL, names, -DAY_S, DAY_S);
    make_leaf("nameless.pem", &good, NULL, -DAY_S, DAY_S);
    X509_free(good.cert);
    X509_free(other.cert);
    EVP_PKEY_free(good.key);
    EVP_PKEY_free(other.key);
    return 0;
}

static int remove_certificates(void **state)
{
    char command[FILE_MAX + 8];
    snprintf(command, sizeof command, "rm -rf %s", dir);
    return system(command);
}

/* ---- two ends */

struct pairing {
    const char *cert, *ca, *host;
    bool insecure;
};

static const struct pairing ordinary = {"good.pem", "ca.pem", "tunnel.test", false};

/* a is the client, b the server. */
struct secure {
    struct wire *w;
    struct tls *client, *server;
};

static struct tls *server_context(const char *cert)
{
    char reason[TLS_REASON_MAX] = "";
    struct tls *t = tls_server_new(path(cert), path(cert), reason);
    assert_string_equal(reason, "");
    return t;
}

static struct tls *client_context(const char *ca, bool insecure)
{
    char reason[TLS_REASON_MAX] = "";
    struct tls_client_options o = {.ca_file = path(ca), .insecure = insecure};
    struct tls *t = tls_client_new(&o, reason);
    assert_string_equal(reason, "");
    return t;
}

static void contexts(struct secure *s, const struct pairing *p)
{
    s->client = client_context(p->ca, p->insecure);
    s->server = server_context(p->cert);
}

static void start(struct secure *s, const struct pairing *p)
{
    assert_false(sock_is_tls(s->w->a.sock));
    assert_int_equal(sock_start_tls(s->w->a.sock, s->client, p->host), 0);
    assert_int_equal(sock_start_tls(s->w->b.sock, s->server, NULL), 0);
    assert_true(sock_is_tls(s->w->a.sock));
}

static struct secure secure_open(enum wire_kind kind, const struct pairing *p)
{
    struct secure s = {.w = wire_open(kind)};
    contexts(&s, p);
    start(&s, p);
    return s;
}

static void secure_close(struct secure *s)
{
    wire_close(s->w);
    tls_free(s->client);
    tls_free(s->server);
}

static bool settled(const struct wire_end *e)
{
    return e->opened > 0 || e->errors > 0;
}

static bool both_settled(void *user)
{
    struct wire *w = user;
    return settled(&w->a) && settled(&w->b);
}

static bool a_got(void *user)
{
    return buf_len(&((struct wire *)user)->a.got) > 0;
}

static struct secure secure_up(enum wire_kind kind)
{
    struct secure s = secure_open(kind, &ordinary);
    wire_until(s.w, both_settled);
    assert_int_equal(s.w->a.opened, 1);
    assert_int_equal(s.w->b.opened, 1);
    sock_write(s.w->b.sock, SLICE("!")); /* behind the session tickets: no unread octet is left to
                                            make an RST of a close */
    wire_until(s.w, a_got);
    buf_truncate(&s.w->a.got, 0);
    return s;
}

/* ---- who is believed */

static const struct {
    const char *what;
    struct pairing p;
    const char *refusal; /* NULL: accepted */
} peers[] = {
    {"name", {"good.pem", "ca.pem", "tunnel.test", false}, NULL},
    {"name in capitals", {"good.pem", "ca.pem", "TUNNEL.test", false}, NULL},
    {"wildcard", {"good.pem", "ca.pem", "a.wild.test", false}, NULL},
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
    if (w->a.opened > 0 || w->a.error != ERR_CERT || strstr(w->a.reason, refusal) == NULL)
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
            if (peers[i].refusal == NULL)
                check_accepted(s.w, peers[i].what);
            else
                check_refused(s.w, peers[i].what, peers[i].refusal);
            secure_close(&s);
        }
}

/* RFC 7301 3.2: no protocol in common is fatal; a client that names none is served. */
static void test_alpn(void **state)
{
    static const struct {
        const char *offer;
        unsigned len;
        bool accepted;
    } rows[] = {
        {"\x02h2", 3, false},
        {"\x02h2\x08http/1.1", 12, true},
        {"", 0, true},
    };
    for (enum wire_kind kind = 0; kind < WIRE_KINDS; kind++)
        for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
            struct secure s = secure_open(kind, &ordinary);
            struct wire *w = s.w;
            SSL_set_alpn_protos(w->a.sock->ssl, (const unsigned char *)rows[i].offer, rows[i].len);
            wire_until(w, both_settled);
            assert_int_equal(w->a.opened, rows[i].accepted);
            assert_int_equal(w->a.error, rows[i].accepted ? 0 : ERR_TLS);
            assert_int_equal(w->b.error, rows[i].accepted ? 0 : ERR_TLS);
            if (!rows[i].accepted)
                assert_non_null(strstr(w->a.reason, "no application protocol"));
            secure_close(&s);
        }
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
        SSL_set_alpn_protos(s.w->a.sock->ssl, (const unsigned char *)"\x02h2", 3);
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
    char reason[TLS_REASON_MAX];
    FILE *f = fopen(path("garbage.pem"), "w");
    fputs("nothing\n", f);
    fclose(f);
    for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
        reason[0] = '\0';
        assert_null(tls_server_new(path(files[i].cert), path(files[i].key), reason));
        if (strstr(reason, files[i].reason) == NULL)
            fail_msg("%s: %s", files[i].what, reason);
    }
    struct tls_client_options o = {.ca_file = path("none.pem")};
    assert_null(tls_client_new(&o, reason));
    assert_non_null(strstr(reason, "none.pem"));
    o = (struct tls_client_options){.ca_file = path("ca.pem"), .cert_file = path("garbage.pem")};
    assert_null(tls_client_new(&o, reason));
    tls_free(NULL);
}

/* ---- octets */

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

/* A reader that takes one octet of a record at a time is called again for the rest of it. */
static void read_one(void *user)
{
    struct wire_end *e = user;
    char octet;
    if (sock_read(e->sock, &octet, 1) == 1)
        assert_int_equal(buf_append(&e->got, slice_make(&octet, 1)), 0);
}

static void test_octet_by_octet(void **state)
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

/* TLS asked for before TCP is there, and a server that looked at the first octet. */
static void test_connect_and_peek(void **state)
{
    struct secure s = {.w = wire_new()};
    struct sockaddr_in at;
    struct slice first;
    int listener = wire_listen(&at);
    wire_take(&s.w->a, sock_connect(s.w->loop, (struct sockaddr *)&at, sizeof at));
    s.client = client_context("ca.pem", false);
    s.server = server_context("good.pem");
    assert_int_equal(sock_start_tls(s.w->a.sock, s.client, "127.0.0.1"), 0);
    wire_take(&s.w->b, sock_new(s.w->loop, accept(listener, NULL, NULL)));
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

/* ---- a wire in between that splits, cuts and spoils */

struct relay_end {
    struct relay *relay;
    struct sock *sock; /* NULL once cut */
    struct relay_end *to;
    size_t passed, cut_at; /* octets from this end to the other */
    size_t spoil_at;
};

struct relay {
    struct relay_end left, right; /* towards the client, the server */
    size_t step;                  /* octets passed on at a time */
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
    char octets[4096];
    size_t room = e->cut_at - e->passed;
    size_t step = e->relay->step < room ? e->relay->step : room;
    ssize_t n =
        step > 0 ? sock_read(e->sock, octets, step < sizeof octets ? step : sizeof octets) : 0;
    if (n == ERR_AGAIN)
        return;
    if (n <= 0 && room > 0) {
        sock_shutdown(e->to->sock);
        return;
    }
    if (e->spoil_at >= e->passed && e->spoil_at < e->passed + (size_t)n)
        octets[e->spoil_at - e->passed] ^= 0x55;
    e->passed += (size_t)n;
    sock_write(e->to->sock, slice_make(octets, (size_t)n));
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

/* Each octet of the handshake, the data and the end comes by itself. */
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

/* Cut behind octets all over either direction: both ends know at once, and none calls it a bad
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
             at += CUT_STEP) { /* a signature may be some octets shorter the next time */
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

static bool any_over(void *user)
{
    struct wire *w = user;
    return w->a.errors > 0 || w->a.ended || w->b.errors > 0 || w->b.ended;
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

/* ---- what a peer may do behind the handshake */

enum { REKEYS = 32 }; /* a minute */

/* One more from @from, with an octet behind it: the sender learns nothing of it. */
static void rekey(struct sock *from, int how)
{
    assert_int_equal(SSL_key_update(from->ssl, how), 1);
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
        s.w->b.sock->rekeys_since_us -= 60 * 1000 * 1000;
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
    SSL_set_max_proto_version(s.w->a.sock->ssl, TLS1_2_VERSION);
    wire_until(s.w, both_settled);
    assert_int_equal(SSL_version(s.w->b.sock->ssl), TLS1_2_VERSION);
    return s;
}

static void renegotiate(struct sock *from)
{
    SSL_clear_options(from->ssl, SSL_OP_NO_RENEGOTIATION);
    assert_int_equal(SSL_renegotiate(from->ssl), 1);
    SSL_do_handshake(from->ssl);
}

/* OpenSSL's client gives up when it is refused; what it is told is that, and no other keys. */
static void test_renegotiation_is_refused(void **state)
{
    for (enum wire_kind kind = 0; kind < WIRE_KINDS; kind++) {
        struct secure s = old_version(kind);
        renegotiate(s.w->a.sock);
        wire_until(s.w, any_over);
        assert_int_equal(s.w->a.end, ERR_TLS);
        assert_int_equal(s.w->b.sock->rekeys, 1);
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
        SSL_SESSION *session =
            SSL_SESSION_dup(SSL_get_session(s.w->a.sock->ssl)); /* the close spoils its own */
        assert_true(SSL_SESSION_is_resumable(session));
        assert_int_equal(SSL_SESSION_get_max_early_data(session), 0);
        wire_close(s.w);
        s.w = wire_open(kind);
        start(&s, &ordinary);
        SSL *ssl = s.w->a.sock->ssl;
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
        cmocka_unit_test(test_who_is_believed),
        cmocka_unit_test(test_empty_host),
        cmocka_unit_test(test_alpn),
        cmocka_unit_test(test_alert_before_close),
        cmocka_unit_test(test_files),
        cmocka_unit_test(test_large),
        cmocka_unit_test(test_pause),
        cmocka_unit_test(test_octet_by_octet),
        cmocka_unit_test(test_early),
        cmocka_unit_test(test_connect_and_peek),
        cmocka_unit_test(test_ends),
        cmocka_unit_test(test_half_close),
        cmocka_unit_test(test_finish),
        cmocka_unit_test(test_split),
        cmocka_unit_test(test_cut),
        cmocka_unit_test(test_spoiled),
        cmocka_unit_test(test_not_tls),
        cmocka_unit_test(test_rekeys_are_counted),
        cmocka_unit_test(test_rekeys_of_another_minute),
        cmocka_unit_test(test_rekeys_all_at_once),
        cmocka_unit_test(test_renegotiation_is_refused),
        cmocka_unit_test(test_asking_to_renegotiate_is_counted),
        cmocka_unit_test(test_early_data_are_never_read),
    };
    return cmocka_run_group_tests_name("tls", tests, make_certificates, remove_certificates);
}
