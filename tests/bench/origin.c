/* SPDX-License-Identifier: MIT */
/* origin.c - an origin that does what nginx cannot: sends bodies of any length, takes uploads, and
 * echoes WebSocket messages.
 *
 * `origin PORT` (0: the system chooses one) prints the port and serves until standard input ends. A
 * connection has one request at a time. */

/* draw: a client of the origin
 *
 *   HEAD ──GET /bytes/N──▶ SENDING ──▶ HEAD
 *   HEAD ──POST──▶ TAKING ──whole──▶ HEAD
 *   HEAD ──Upgrade──▶ ECHOING */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>

#include <openssl/evp.h>

#include "h2mux/base/err.h"
#include "tests/bench/conn.h"
#include "tests/bench/control.h"
#include "tests/bench/frame.h"

enum { BLOCK = 256 * 1024, RX_LIMIT = 512 * 1024, ACCEPTS_A_TURN = 64, SHA1_LEN = 20 };

enum client_state { CLIENT_HEAD, CLIENT_SENDING, CLIENT_TAKING, CLIENT_ECHOING };

struct client {
    struct conn conn;
    struct buf rx; /* an incomplete head or frame */
    uint64_t left; /* bytes left of the current body */
    enum client_state state;
};

static struct event_base *base;
static const char block[BLOCK];

static struct client *of(struct conn *c)
{
    return CONTAINER_OF(c, struct client, conn);
}

static void client_free(struct client *c)
{
    conn_close(&c->conn);
    buf_release(&c->rx);
    free(c);
}

static void say(struct client *c, const char *status, const char *fields, uint64_t length)
{
    char head[256];
    int len = snprintf(head, sizeof head, "HTTP/1.1 %s\r\n%sContent-Length: %llu\r\n\r\n", status,
                       fields, (unsigned long long)length);
    conn_send(&c->conn, slice_make(head, (size_t)len));
}

/* ---- requests */

/* Returns the trimmed value of a field, or an empty slice. */
static struct slice field(struct slice head, struct slice name)
{
    ptrdiff_t end;
    for (; (end = slice_find(head, '\n')) >= 0; head = slice_skip(head, (size_t)end + 1)) {
        struct slice line = slice_make(head.ptr, (size_t)end);
        if (line.len > name.len + 1 && slice_istarts(line, name) && line.ptr[name.len] == ':')
            return slice_trim(slice_make(line.ptr + name.len + 1, line.len - name.len - 2));
    }
    return SLICE("");
}

/* Answers 101 with the Sec-WebSocket-Accept that proxies check (RFC 6455 4.2.2). */
static void upgrade(struct client *c, struct slice key)
{
    unsigned char input[128], digest[EVP_MAX_MD_SIZE], accept[2 * EVP_MAX_MD_SIZE];
    int len = snprintf((char *)input, sizeof input, "%.*s258EAFA5-E914-47DA-95CA-C5AB0DC85B11",
                       SLICE_FMT(key));
    char head[256];
    EVP_Digest(input, (size_t)len, digest, NULL, EVP_sha1(), NULL);
    EVP_EncodeBlock(accept, digest, SHA1_LEN);
    len = snprintf(head, sizeof head,
                   "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: "
                   "Upgrade\r\nSec-WebSocket-Accept: %s\r\n\r\n",
                   (const char *)accept);
    conn_send(&c->conn, slice_make(head, (size_t)len));
    c->state = CLIENT_ECHOING;
}

static void send_bytes(struct client *c, struct slice target)
{
    ptrdiff_t end = slice_find(target, ' ');
    if (end < 0 || slice_to_u64(slice_make(target.ptr, (size_t)end), INT64_MAX, &c->left) < 0) {
        say(c, "404 Not Found", "", 0);
        return;
    }
    say(c, "200 OK", "Content-Type: application/octet-stream\r\n", c->left);
    c->state = c->left ? CLIENT_SENDING : CLIENT_HEAD;
    conn_fill(&c->conn, c->left > 0);
}

static void take_upload(struct client *c, struct slice head)
{
    if (slice_to_u64(field(head, SLICE("Content-Length")), INT64_MAX, &c->left) < 0)
        say(c, "411 Length Required", "", 0);
    else
        c->state = CLIENT_TAKING;
}

static void answer(struct client *c, struct slice head)
{
    static const struct slice bytes = {"GET /bytes/", sizeof("GET /bytes/") - 1};
    struct slice key = field(head, SLICE("Sec-WebSocket-Key"));
    if (slice_starts(head, bytes))
        send_bytes(c, slice_skip(head, bytes.len));
    else if (key.len > 0 && key.len <= 64)
        upgrade(c, key);
    else if (slice_starts(head, SLICE("POST ")))
        take_upload(c, head);
    else
        say(c, "404 Not Found", "", 0);
}

/* ---- WebSocket */

static void unmask(char *out, const struct frame *f)
{
    for (size_t i = 0; i < f->body.len; i++)
        out[i] = (char)(f->body.ptr[i] ^ f->mask[i % sizeof f->mask]);
}

static void echo(struct client *c, const struct frame *f)
{
    static char out[FRAME_MAX];
    size_t head =
        frame_write_head(out, f->opcode == FRAME_PING ? FRAME_PONG : f->opcode, f->body.len, false);
    if (head + f->body.len > sizeof out)
        return;
    unmask(out + head, f);
    conn_send(&c->conn, slice_make(out, head + f->body.len));
}

/* ---- bytes */

/* Returns how many of @bytes were used; 0 if more are needed. */
static size_t take_step(struct client *c, struct slice bytes)
{
    struct frame f;
    const char *end;
    switch (c->state) {
    case CLIENT_HEAD:
        end = memmem(bytes.ptr, bytes.len, "\r\n\r\n", 4);
        if (!end)
            return 0;
        answer(c, slice_make(bytes.ptr, (size_t)(end - bytes.ptr) + 4));
        return (size_t)(end - bytes.ptr) + 4;
    case CLIENT_TAKING:
        bytes.len = bytes.len < c->left ? bytes.len : (size_t)c->left;
        c->left -= bytes.len;
        return bytes.len;
    case CLIENT_ECHOING:
        if (!frame_read(bytes, &f))
            return 0;
        echo(c, &f);
        return f.len;
    case CLIENT_SENDING:
        break; /* the next request waits in rx */
    }
    return 0;
}

static struct slice take(struct client *c, struct slice bytes)
{
    size_t used = 1;
    while (bytes.len > 0 && used > 0) {
        used = take_step(c, bytes);
        bytes = slice_skip(bytes, used);
        if (c->state == CLIENT_TAKING && c->left == 0) {
            say(c, "200 OK", "", 0);
            c->state = CLIENT_HEAD;
        }
    }
    return bytes;
}

static void take_kept(struct client *c)
{
    size_t had = buf_len(&c->rx);
    buf_consume(&c->rx, had - take(c, buf_slice(&c->rx)).len);
    if (buf_len(&c->rx) == 0)
        buf_release(&c->rx);
}

static void on_bytes(struct conn *conn, struct slice bytes)
{
    struct client *c = of(conn);
    bool kept = buf_len(&c->rx) > 0;
    if (!kept)
        bytes = take(c, bytes);
    if (buf_append(&c->rx, bytes) < 0)
        client_free(c);
    else if (kept)
        take_kept(c);
}

static void on_room(struct conn *conn)
{
    struct client *c = of(conn);
    c->left -= conn_push(conn, slice_make(block, c->left < BLOCK ? (size_t)c->left : BLOCK));
    if (c->left > 0)
        return;
    conn_fill(conn, false);
    c->state = CLIENT_HEAD;
    take_kept(c);
}

static void on_end(struct conn *conn, const char *why)
{
    client_free(of(conn));
}

static const struct conn_ops ops = {.on_bytes = on_bytes, .on_room = on_room, .on_end = on_end};

static void on_connection(evutil_socket_t listener, short what, void *user)
{
    for (int i = 0; i < ACCEPTS_A_TURN; i++) {
        int fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (fd < 0)
            return;
        struct client *c = xcalloc(1, sizeof *c);
        buf_init(&c->rx, RX_LIMIT);
        conn_adopt(&c->conn, base, &ops, fd);
    }
}

static void on_command(void *user, char *line)
{
    if (!line)
        event_base_loopbreak(base);
}

int main(int argc, char **argv)
{
    uint64_t asked = 0;
    struct event accepting;
    struct control control;
    bool any = argc == 3 && strcmp(argv[2], "any") == 0;
    if (argc != 2 + any || slice_to_u64(slice_str(argv[1]), UINT16_MAX, &asked) < 0)
        return 1;
    conn_prepare_process();
    uint16_t port = (uint16_t)asked;
    int listener = any ? conn_listen_any(&port) : conn_listen(&port);
    base = event_base_new();
    if (listener < 0 || !base) {
        perror("origin");
        return 1;
    }
    event_assign(&accepting, base, listener, EV_READ | EV_PERSIST, on_connection, NULL);
    event_add(&accepting, NULL);
    control_open(&control, base, on_command, NULL);
    printf("listening on %u\n", (unsigned)port);
    fflush(stdout);
    return event_base_dispatch(base) < 0;
}
