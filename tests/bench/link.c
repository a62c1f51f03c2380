/* SPDX-License-Identifier: MIT */
/* link.c - see link.h. HTTP/2 is written by hand (RFC 9113 4.1, 6.5, 6.7), because 10,000 sessions
 * of a library would need more memory than the server under test. No field is ever read: there is
 * one answer. */
#include "tests/bench/link.h"

#include <openssl/err.h>
#include <stdlib.h>
#include <unistd.h>

#include "tests/bench/conn.h"

enum {
    SCRATCH = 65536,
    RX_LIMIT = 2 * 65536,
    TX_LIMIT = 1 << 20,
    FRAME_HEAD = 9,
    PREFACE_LEN = 24,
    BODY_LEN = 200
};
enum {
    DATA = 0,
    HEADERS = 1,
    SETTINGS = 4,
    PING = 6,
    FLAG_ACK = 1,
    END_STREAM = 1,
    END_HEADERS = 4
};

static char scratch[SCRATCH];
static int link_index = -1; /* index of the link in an SSL */

static int on_session(SSL *ssl, SSL_SESSION *session)
{
    struct link *l = SSL_get_ex_data(ssl, link_index);
    SSL_SESSION_free(l->session);
    l->session = session;
    return 1; /* the session is kept */
}

SSL_CTX *link_tls_new(const char *ca)
{
    static const unsigned char alpn[] = "\x08http/1.1";
    SSL_CTX *tls = SSL_CTX_new(TLS_client_method());
    link_index = SSL_get_ex_new_index(0, NULL, NULL, NULL, NULL);
    if (!tls || SSL_CTX_load_verify_locations(tls, ca, NULL) != 1) {
        SSL_CTX_free(tls);
        return NULL;
    }
    SSL_CTX_set_verify(tls, SSL_VERIFY_PEER, NULL);
    SSL_CTX_set_alpn_protos(tls, alpn, sizeof alpn - 1);
    SSL_CTX_set_mode(tls, SSL_MODE_RELEASE_BUFFERS | SSL_MODE_ENABLE_PARTIAL_WRITE |
                              SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
    SSL_CTX_set_session_cache_mode(tls, SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL);
    SSL_CTX_sess_set_new_cb(tls, on_session);
    return tls;
}

static void lose(struct link *l, const char *why)
{
    link_drop(l);
    l->env->on_lost(l, why);
}

/* ---- sending */

static void queue(struct link *l, struct slice bytes)
{
    if (buf_append(&l->tx, bytes) < 0)
        abort(); /* the server asks and never reads */
}

static void flush(struct link *l)
{
    int taken = 1;
    while (buf_len(&l->tx) > 0 && taken > 0) {
        taken = SSL_write(l->ssl, buf_slice(&l->tx).ptr, (int)buf_len(&l->tx));
        if (taken > 0)
            buf_consume(&l->tx, (size_t)taken);
    }
    if (buf_len(&l->tx) > 0) {
        event_add(&l->writer, NULL);
        return;
    }
    buf_release(&l->tx);
    event_del(&l->writer);
}

static void queue_frame(struct link *l, uint8_t type, uint8_t flags, uint32_t stream,
                        struct slice body)
{
    const uint8_t head[FRAME_HEAD] = {(uint8_t)(body.len >> 16),
                                      (uint8_t)(body.len >> 8),
                                      (uint8_t)body.len,
                                      type,
                                      flags,
                                      (uint8_t)(stream >> 24),
                                      (uint8_t)(stream >> 16),
                                      (uint8_t)(stream >> 8),
                                      (uint8_t)stream};
    queue(l, slice_make((const char *)head, sizeof head));
    queue(l, body);
}

static void queue_attach(struct link *l)
{
    if (buf_printf(&l->tx,
                   "GET /tunnel/%s HTTP/1.1\r\nHost: localhost:%u\r\nConnection: "
                   "upgrade\r\nUpgrade: ptth\r\nALPN: h2\r\n"
                   "Authorization: Bearer %s\r\n\r\n",
                   l->name, (unsigned)l->env->port, l->ticket) < 0)
        abort();
}

/* ---- HTTP/2 */

/* The header block is ":status: 200" (entry 8 of the static table) and a literal "content-length:
 * 200" (name 28): RFC 7541 6.1, 6.2.2. */
static void answer(struct link *l, uint32_t stream)
{
    char body[BODY_LEN] = "";
    snprintf(body, sizeof body, "%s.", l->name);
    l->env->requests++;
    queue_frame(l, HEADERS, END_HEADERS, stream,
                SLICE("\x88\x0f\x0d\x03"
                      "200"));
    queue_frame(l, DATA, END_STREAM, stream, slice_make(body, sizeof body));
}

static void take_frame(struct link *l, uint8_t type, uint8_t flags, uint32_t stream,
                       struct slice body)
{
    bool ack = (flags & FLAG_ACK) != 0;
    if (type == HEADERS && (flags & END_STREAM))
        answer(l, stream);
    else if (type == PING && !ack)
        queue_frame(l, PING, FLAG_ACK, 0, body);
    else if (type == SETTINGS && !ack)
        queue_frame(l, SETTINGS, FLAG_ACK, 0, SLICE(""));
    else if (type == SETTINGS && l->state == LINK_GREETING) {
        l->state = LINK_UP;
        l->env->on_up(l);
    }
}

static uint32_t number24(const uint8_t *at)
{
    return (uint32_t)at[0] << 16 | (uint32_t)at[1] << 8 | at[2];
}

/* Returns how many bytes were used; 0 if more are needed. */
static size_t take_http2(struct link *l, struct slice bytes)
{
    const uint8_t *at = (const uint8_t *)bytes.ptr;
    if (!l->greeted) {
        l->greeted = bytes.len >= PREFACE_LEN;
        return l->greeted ? PREFACE_LEN : 0;
    }
    if (bytes.len < FRAME_HEAD || bytes.len < FRAME_HEAD + number24(at))
        return 0;
    size_t len = number24(at);
    uint32_t stream = (uint32_t)(at[5] & 0x7f) << 24 | number24(at + 6);
    take_frame(l, at[3], at[4], stream, slice_make(bytes.ptr + FRAME_HEAD, len));
    return FRAME_HEAD + len;
}

/* Takes the 101 and sends SETTINGS, which announce extended CONNECT (RFC 8441 3) as those of
 * oneport do. Returns how many bytes were used, 0 if more are needed, or SIZE_MAX if the link was
 * refused. */
static size_t take_attach(struct link *l, struct slice bytes)
{
    static const char connect_protocol[] = {0, 8, 0, 0, 0, 1};
    const char *end = memmem(bytes.ptr, bytes.len, "\r\n\r\n", 4);
    if (!end)
        return 0;
    if (!slice_starts(bytes, SLICE("HTTP/1.1 101 "))) {
        fprintf(stderr, "links: refused: %.*s\n", (int)(end - bytes.ptr), bytes.ptr);
        return SIZE_MAX;
    }
    l->state = LINK_GREETING;
    queue_frame(l, SETTINGS, 0, 0, slice_make(connect_protocol, sizeof connect_protocol));
    return (size_t)(end - bytes.ptr) + 4;
}

/* Returns false if the link was refused. */
static bool take(struct link *l)
{
    size_t used = 1;
    while (used > 0 && buf_len(&l->rx) > 0) {
        used = l->state == LINK_ATTACHING ? take_attach(l, buf_slice(&l->rx))
                                          : take_http2(l, buf_slice(&l->rx));
        if (used == SIZE_MAX)
            return false;
        buf_consume(&l->rx, used);
    }
    if (buf_len(&l->rx) == 0)
        buf_release(&l->rx);
    return true;
}

/* ---- the socket */

/* Reads until there is nothing left. Returns NULL, or why the link is lost. */
static const char *read_all(struct link *l)
{
    int got;
    ERR_clear_error();
    while ((got = SSL_read(l->ssl, scratch, sizeof scratch)) > 0) {
        if (buf_append(&l->rx, slice_make(scratch, (size_t)got)) < 0 || !take(l))
            return "refused, or a frame that is too long";
    }
    return SSL_get_error(l->ssl, got) == SSL_ERROR_WANT_READ ? NULL : "closed by the server";
}

/* Goes on with the handshake and returns whether it is complete. A failure has been reported. */
static bool shake_hands(struct link *l)
{
    ERR_clear_error();
    int done = SSL_do_handshake(l->ssl);
    if (done == 1) {
        l->env->resumed += SSL_session_reused(l->ssl) != 0;
        l->state = LINK_ATTACHING;
        event_del(&l->writer);
        queue_attach(l);
        return true;
    }
    int error = SSL_get_error(l->ssl, done);
    if (error == SSL_ERROR_WANT_READ)
        event_del(&l->writer);
    else if (error != SSL_ERROR_WANT_WRITE)
        lose(l, "no TLS");
    return false;
}

static void on_event(evutil_socket_t fd, short what, void *user)
{
    struct link *l = user;
    if (l->state == LINK_HANDSHAKE && !shake_hands(l))
        return;
    const char *why = read_all(l);
    if (why)
        lose(l, why);
    else
        flush(l);
}

void link_dial(struct link *l)
{
    static char host[] = "localhost"; /* not const: the macro below drops that */
    l->fd = conn_connect(l->env->port, l->number, NULL);
    l->ssl = l->fd < 0 ? NULL : SSL_new(l->env->tls);
    if (!l->ssl) {
        l->env->on_lost(l, "no socket");
        return;
    }
    buf_init(&l->rx, RX_LIMIT);
    buf_init(&l->tx, TX_LIMIT);
    l->state = LINK_HANDSHAKE;
    l->greeted = false;
    SSL_set_fd(l->ssl, l->fd);
    SSL_set_ex_data(l->ssl, link_index, l);
    SSL_set_tlsext_host_name(l->ssl, host);
    SSL_set1_host(l->ssl, host);
    SSL_set_connect_state(l->ssl);
    if (l->session)
        SSL_set_session(l->ssl, l->session);
    event_assign(&l->reader, l->env->base, l->fd, EV_READ | EV_PERSIST, on_event, l);
    event_assign(&l->writer, l->env->base, l->fd, EV_WRITE | EV_PERSIST, on_event, l);
    event_add(&l->reader, NULL);
    event_add(&l->writer, NULL);
}

void link_drop(struct link *l)
{
    if (!l->ssl)
        return;
    event_del(&l->reader);
    event_del(&l->writer);
    SSL_set_quiet_shutdown(l->ssl, 1);
    SSL_shutdown(l->ssl); /* otherwise OpenSSL does not resume the session */
    SSL_free(l->ssl);
    l->ssl = NULL;
    close(l->fd);
    buf_release(&l->rx);
    buf_release(&l->tx);
    l->state = LINK_DOWN;
}

void link_deinit(struct link *l)
{
    link_drop(l);
    SSL_SESSION_free(l->session);
    free(l->name);
    free(l->ticket);
}
