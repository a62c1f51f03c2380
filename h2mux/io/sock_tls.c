/* SPDX-License-Identifier: MIT */
/* sock_tls.c - runs TLS over a sock's raw buffers: OpenSSL reads and writes them through a BIO and
 * never sees the descriptor.
 *
 * Writing never blocks, because the BIO takes all bytes; so SSL_write is never repeated. A read
 * that lacks raw bytes returns ERR_AGAIN and is repeated when raw bytes have come. A handshake
 * message after the handshake costs the peer almost nothing, but costs this side a new key or, in
 * TLS 1.2, an alert; so the number of these messages in a minute is bounded. */
#include "h2mux/io/sock_int.h"
#include "h2mux/io/tls_clients.h"

#include <openssl/err.h>
#include <openssl/x509.h>
#include <pthread.h>
#include <stdlib.h>

enum {
    RECORD_OVERHEAD = 64, /* a record's head, tag and content type, with room to spare */
    RECORD_FULL = SOCK_RECORD_MAX + 22,
    TX_BULK = 320 * 1024,
    READ_AHEAD = 4 * RECORD_FULL + 3, /* four full records, and OpenSSL's alignment */
    REKEY_RECORDS = 1 << 23,          /* AES-GCM bears 2^24.5 full records of a key: RFC 8446 5.5 */
    REKEYS_MAX = 32,                  /* in REKEYS_US: count_rekey */
    REKEYS_US = 60 * 1000 * 1000
};

static int bio_write(BIO *bio, const char *data, int len)
{
    struct sock *s = BIO_get_data(bio);
    BIO_clear_retry_flags(bio);
    bool vanishes = s->tx.state == SOCK_TX_BROKEN || s->tx.state == SOCK_TX_ENDED;
    if (len > 0 && !vanishes && buf_append(&s->tx.raw, slice_make(data, (size_t)len)) < 0)
        return -1;
    loop_flush(s->loop, &s->tasks.flush);
    return len;
}

/* Returns to OpenSSL without bytes: -1 (retry) if bytes may come later, that is, @why is ERR_AGAIN;
 * otherwise 0 for the end. An error @why fails the sock. */
static int bio_starves(BIO *bio, struct sock *s, ssize_t why)
{
    buf_release(&s->rx.raw);
    if (why == ERR_AGAIN) {
        BIO_set_retry_read(bio);
        return -1;
    }
    if (why < 0)
        sock_rx_fail(s, (int)why);
    return 0;
}

/* Gives OpenSSL up to @cap raw bytes and returns their number, or the result of bio_starves.
 * OpenSSL asks for a record's head and then for the record's rest, so this function reads a large
 * chunk into rx.raw and serves OpenSSL from there. After sock_read_ahead OpenSSL itself reads many
 * records at once, and the bytes go straight to @to. If OpenSSL has a part of a record, it asks for
 * the rest alone, so that the next read begins with a record. */
static int bio_read(BIO *bio, char *to, int cap)
{
    struct sock *s = BIO_get_data(bio);
    BIO_clear_retry_flags(bio);
    if (s->rx.state == SOCK_RX_FAILED)
        return -1; /* the rest of the stream is worth nothing */
    if (buf_len(&s->rx.raw) > 0)
        return (int)sock_rx_take(s, to, (size_t)cap);
    bool direct = s->tls.reads_ahead && s->fd >= 0;
    ssize_t n = direct ? sock_raw_recv(s, to, (size_t)cap) : sock_raw_fill(s, SOCK_RX_CHUNK);
    if (n <= 0)
        return bio_starves(bio, s, n);
    return direct ? (int)n : (int)sock_rx_take(s, to, (size_t)cap);
}

static long bio_ctrl(BIO *bio, int command, long number, void *pointer)
{
    struct sock *s = BIO_get_data(bio);
    if (command == BIO_CTRL_FLUSH)
        return 1;
    return command == BIO_CTRL_EOF ? sock_has_ended(s) && buf_len(&s->rx.raw) == 0 : 0;
}

static int bio_create(BIO *bio)
{
    BIO_set_init(bio, 1);
    return 1;
}

static BIO_METHOD *bio_method;

static void bio_method_init(void)
{
    bio_method = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "sock");
    if (!bio_method)
        abort();
    BIO_meth_set_write(bio_method, bio_write);
    BIO_meth_set_read(bio_method, bio_read);
    BIO_meth_set_ctrl(bio_method, bio_ctrl);
    BIO_meth_set_create(bio_method, bio_create);
}

__attribute__((destructor)) static void bio_method_free(void)
{
    BIO_meth_free(bio_method);
}

/* Counts a handshake message that came after the handshake, and fails the sock with ERR_ABUSE at
 * the 33rd in a minute. These messages are KeyUpdate, a server's NewSessionTicket for resumption
 * (usually two), and in TLS 1.2 requests to renegotiate, which OpenSSL answers with an alert. */
static void count_rekey(struct sock *s)
{
    uint64_t now = loop_now_us(s->loop);
    if (s->tls.rekeys == 0 || now - s->tls.rekeys_since_us >= REKEYS_US) {
        s->tls.rekeys = 0;
        s->tls.rekeys_since_us = now;
    }
    if (++s->tls.rekeys > REKEYS_MAX)
        sock_rx_fail(s, ERR_ABUSE);
}

static void on_message(int written, int version, int type, const void *bytes, size_t len, SSL *ssl,
                       void *user)
{
    struct sock *s = user;
    if (!written && type == SSL3_RT_HANDSHAKE && s->state == SOCK_OPEN)
        count_rekey(s);
}

static int start_tls(struct sock *s, SSL *ssl)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, bio_method_init);
    if (!ssl)
        return ERR_TLS;
    BIO *bio = BIO_new(bio_method);
    if (!bio)
        abort();
    BIO_set_data(bio, s);
    s->tls.ssl = ssl;
    s->tls.rekey_after = REKEY_RECORDS;
    SSL_set_bio(s->tls.ssl, bio, bio);
    SSL_set_msg_callback(s->tls.ssl, on_message);
    SSL_set_msg_callback_arg(s->tls.ssl, s);
    sock_rx_held(s);
    if (s->state == SOCK_OPEN) {
        s->state = SOCK_HANDSHAKING;
        loop_defer(s->loop, &s->tasks.ready);
    }
    return ERR_OK;
}

int sock_start_tls(struct sock *s, struct tls *t, const char *host)
{
    return start_tls(s, host ? tls_ssl_client(t, host) : tls_ssl_server(t, SLICE("")));
}

int sock_serve_tls(struct sock *s, struct tls *t, struct slice name)
{
    return start_tls(s, tls_ssl_server(t, name));
}

void sock_read_ahead(struct sock *s)
{
    if (!s->tls.ssl)
        return;
    s->tls.reads_ahead = true;
    SSL_set_read_ahead(s->tls.ssl, 1);
    SSL_set_default_read_buffer_len(s->tls.ssl, READ_AHEAD);
}

bool sock_is_tls(const struct sock *s)
{
    return s->tls.ssl;
}

struct slice sock_protocol(const struct sock *s)
{
    const unsigned char *name = NULL;
    unsigned len = 0;
    if (s->tls.ssl)
        SSL_get0_alpn_selected(s->tls.ssl, &name, &len);
    return slice_make((const char *)name, len);
}

struct slice sock_tls_name(const struct sock *s)
{
    const char *name =
        s->tls.ssl ? SSL_get_servername(s->tls.ssl, TLSEXT_NAMETYPE_host_name) : NULL;
    return name ? slice_str(name) : SLICE("");
}

bool sock_tls_client(const struct sock *s, char *out, size_t cap)
{
    out[0] = '\0';
    return s->tls.ssl && tls_clients_subject(s->tls.ssl, out, cap);
}

/* Empties this thread's queue of OpenSSL errors, so that the next error found there is a new one.
 * Looks first whether the queue is empty, because the look is faster than ERR_clear_error. */
static void forget_errors(void)
{
    if (ERR_peek_error() != 0)
        ERR_clear_error();
}

/* Counts the records that @bytes bytes make. When a key has served for enough of them, makes
 * OpenSSL send a KeyUpdate before the next record. The peer does the same for its own direction.
 * TLS 1.2 knows no KeyUpdate. */
static void count_records(struct sock *s, size_t bytes)
{
    s->tls.records += (bytes + SOCK_RECORD_MAX - 1) / SOCK_RECORD_MAX;
    if (s->tls.records < s->tls.rekey_after || SSL_version(s->tls.ssl) < TLS1_3_VERSION)
        return;
    if (SSL_key_update(s->tls.ssl, SSL_KEY_UPDATE_NOT_REQUESTED) == 1)
        s->tls.records = 0;
    else
        ERR_clear_error(); /* tried again at the next write */
}

void sock_tls_write(struct sock *s, struct slice data)
{
    size_t need = data.len + (data.len / SOCK_RECORD_MAX + 1) * RECORD_OVERHEAD;
    if (buf_room(&s->tx.raw) < need && data.len >= SOCK_RECORD_MAX / 2 && need < TX_BULK)
        need = TX_BULK; /* more will follow */
    if (!buf_reserve(&s->tx.raw, need))
        abort(); /* the limit is half the address space */
    while (data.len > 0) {
        size_t n = 0;
        forget_errors();
        if (SSL_write_ex(s->tls.ssl, data.ptr, data.len, &n) != 1) {
            sock_tx_break(s);
            return;
        }
        count_records(s, n);
        data = slice_skip(data, n);
    }
}

/* Returns whether OpenSSL failed because the peer's bytes ended without close_notify. */
static bool cut_off(void)
{
    return ERR_GET_REASON(ERR_peek_last_error()) == SSL_R_UNEXPECTED_EOF_WHILE_READING;
}

ssize_t sock_tls_read(struct sock *s, void *to, size_t cap)
{
    size_t n = 0;
    forget_errors();
    bool got = SSL_read_ex(s->tls.ssl, to, cap, &n) == 1;
    if (s->rx.state == SOCK_RX_FAILED) {
        ERR_clear_error();
        return s->rx.failed;
    }
    if (got)
        return (ssize_t)n;
    int why = SSL_get_error(s->tls.ssl, 0);
    if (why == SSL_ERROR_ZERO_RETURN)
        return 0;
    if (why == SSL_ERROR_WANT_READ) {
        sock_rx_starved(s);
        return ERR_AGAIN;
    }
    int err = cut_off() ? ERR_TRUNCATED : ERR_TLS;
    ERR_clear_error();
    return err;
}

void sock_tls_shutdown(struct sock *s)
{
    ERR_clear_error();
    SSL_shutdown(s->tls.ssl);
}

/* Returns text if the peer answered this client's first message as a port without TLS does: with
 * something that is no TLS, or with the alert of a server that has no certificate, as oneportd
 * sends it. Returns NULL otherwise. */
static const char *not_tls(const SSL *ssl)
{
    if (SSL_is_server(ssl) || SSL_get_state(ssl) != TLS_ST_CW_CLNT_HELLO)
        return NULL;
    switch (ERR_GET_REASON(ERR_peek_last_error())) {
    case SSL_R_WRONG_VERSION_NUMBER:
        return "the server speaks no TLS on this port";
    case SSL_R_SSLV3_ALERT_HANDSHAKE_FAILURE:
        return "the server speaks no TLS on this port, or no cipher that we know (TLS alert "
               "handshake_failure)";
    default:
        return NULL;
    }
}

static void handshake_failed(struct sock *s)
{
    char reason[TLS_REASON_MAX];
    tls_forget_session(s->tls.ssl);
    long verdict = SSL_get_verify_result(s->tls.ssl);
    if (verdict != X509_V_OK && SSL_get_verify_mode(s->tls.ssl) != SSL_VERIFY_NONE) {
        sock_fail(s, ERR_CERT, X509_verify_cert_error_string(verdict));
    } else if (cut_off()) {
        sock_fail(s, ERR_EOF, "connection closed during the TLS handshake");
    } else if (s->rx.state == SOCK_RX_FAILED) { /* by a reset, and not by OpenSSL */
        sock_fail(s, s->rx.failed, "connection lost during the TLS handshake");
    } else {
        const char *plain = not_tls(s->tls.ssl);
        tls_reason(reason);
        sock_fail(s, ERR_TLS, plain ? plain : reason);
    }
}

void sock_handshake(struct sock *s)
{
    ERR_clear_error();
    int done = SSL_do_handshake(s->tls.ssl);
    loop_flush(s->loop, &s->tasks.flush);
    if (done == 1) {
        sock_opened(s);
        return;
    }
    if (SSL_get_error(s->tls.ssl, done) != SSL_ERROR_WANT_READ) {
        sock_push(s); /* sends the alert that tells the peer why */
        handshake_failed(s);
    }
}
