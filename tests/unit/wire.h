/* SPDX-License-Identifier: MIT */
/* wire.h - two socks tied together, in memory or by TCP over the loopback, and what each end saw:
 * for tests of sock.c and TLS. */
#ifndef TESTS_UNIT_WIRE_H
#define TESTS_UNIT_WIRE_H

#include "turns.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <unistd.h>

#include "h2mux/io/sock.h"

enum wire_kind { WIRE_MEMORY, WIRE_TCP, WIRE_KINDS };

/* One end. It reads all there is unless `lazy`, and keeps it. */
struct wire_end {
    struct sock *sock; /* owned until the test clears it */
    struct buf got;
    int opened, readable, sent, hangups, errors;
    int error;
    char reason[256];
    bool ended, lazy;
    ssize_t end; /* what the last read gave, once it ended */
};

struct wire {
    struct loop *loop;
    struct wire_end a, b;
    size_t want; /* for the conditions below */
};

static void wire_on_open(void *user)
{
    ((struct wire_end *)user)->opened++;
}

static void wire_read(struct wire_end *e)
{
    char chunk[16384];
    for (;;) {
        ssize_t n = sock_read(e->sock, chunk, sizeof chunk);
        if (n == ERR_AGAIN)
            return;
        if (n <= 0) {
            e->ended = true;
            e->end = n;
            return;
        }
        assert_int_equal(buf_append(&e->got, slice_make(chunk, (size_t)n)), 0);
    }
}

static void wire_on_readable(void *user)
{
    struct wire_end *e = user;
    e->readable++;
    if (e->lazy)
        sock_pause(e->sock);
    else
        wire_read(e);
}

static void wire_on_sent(void *user)
{
    ((struct wire_end *)user)->sent++;
}

static void wire_on_hangup(void *user)
{
    ((struct wire_end *)user)->hangups++;
}

static void wire_on_error(void *user, int err, const char *reason)
{
    struct wire_end *e = user;
    e->errors++;
    e->error = err;
    snprintf(e->reason, sizeof e->reason, "%s", reason);
}

static const struct sock_ops wire_ops = {wire_on_open, wire_on_readable, wire_on_sent,
                                         wire_on_hangup, wire_on_error};

static inline void wire_take(struct wire_end *e, struct sock *s)
{
    e->sock = s;
    sock_set_ops(s, &wire_ops, e);
}

static inline int wire_listen(struct sockaddr_in *at)
{
    socklen_t len = sizeof *at;
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    *at = (struct sockaddr_in){.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    assert_int_equal(bind(fd, (struct sockaddr *)at, len), 0);
    assert_int_equal(listen(fd, 8), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)at, &len), 0);
    return fd;
}

static inline void wire_tcp_pair(int fds[2])
{
    struct sockaddr_in at;
    int listener = wire_listen(&at);
    fds[0] = socket(AF_INET, SOCK_STREAM, 0);
    assert_int_equal(connect(fds[0], (struct sockaddr *)&at, sizeof at), 0);
    fds[1] = accept(listener, NULL, NULL);
    assert_true(fds[1] >= 0);
    close(listener);
}

/* A sock of @fd; the kernel is asked who the peer is. */
static inline struct sock *wire_sock(struct loop *l, int fd)
{
    struct sockaddr_storage peer = {0};
    socklen_t len = sizeof peer;
    if (getpeername(fd, (struct sockaddr *)&peer, &len) < 0)
        peer.ss_family = AF_UNSPEC;
    return sock_accepted(l, fd, (const struct sockaddr *)&peer);
}

static inline void wire_ends(struct loop *l, enum wire_kind kind, struct sock **a, struct sock **b)
{
    int fds[2];
    if (kind == WIRE_MEMORY) {
        sock_pair(l, a, b);
        return;
    }
    wire_tcp_pair(fds);
    *a = wire_sock(l, fds[0]);
    *b = wire_sock(l, fds[1]);
}

static inline struct wire *wire_new(void)
{
    struct wire *w = xcalloc(1, sizeof *w);
    w->loop = loop_new();
    buf_init(&w->a.got, 64 << 20);
    buf_init(&w->b.got, 64 << 20);
    return w;
}

static inline struct wire *wire_open(enum wire_kind kind)
{
    struct wire *w = wire_new();
    struct sock *a, *b;
    wire_ends(w->loop, kind, &a, &b);
    wire_take(&w->a, a);
    wire_take(&w->b, b);
    return w;
}

static inline void wire_close(struct wire *w)
{
    sock_close(w->a.sock);
    sock_close(w->b.sock);
    loop_free(w->loop);
    buf_release(&w->a.got);
    buf_release(&w->b.got);
    free(w);
}

/* ---- conditions */

static inline bool wire_always(void *user)
{
    return true;
}

static inline bool wire_a_ended(void *user)
{
    return ((struct wire *)user)->a.ended;
}

static inline bool wire_b_ended(void *user)
{
    return ((struct wire *)user)->b.ended;
}

static inline bool wire_both_ended(void *user)
{
    return wire_a_ended(user) && wire_b_ended(user);
}

static inline bool wire_b_got(void *user)
{
    struct wire *w = user;
    return buf_len(&w->b.got) >= w->want;
}

static inline bool wire_both_got(void *user)
{
    struct wire *w = user;
    return buf_len(&w->a.got) >= w->want && buf_len(&w->b.got) >= w->want;
}

static inline bool wire_b_hung_up(void *user)
{
    return ((struct wire *)user)->b.hangups > 0;
}

static inline bool wire_b_readable(void *user)
{
    return ((struct wire *)user)->b.readable > 0;
}

static inline bool wire_a_empty(void *user)
{
    return sock_queued(((struct wire *)user)->a.sock) == 0;
}

static inline void wire_until(struct wire *w, bool (*done)(void *user))
{
    turns_until(w->loop, done, w);
}

/* What is on its way arrives. */
static inline void wire_settle(struct wire *w)
{
    for (int i = 0; i < 5; i++)
        wire_until(w, wire_always);
}

/* ---- bytes that show where they were */

static inline char wire_byte(size_t at)
{
    return (char)(at * 31 + (at >> 8) * 7 + (at >> 16));
}

static inline char *wire_pattern(size_t len)
{
    char *data = xcalloc(1, len);
    for (size_t i = 0; i < len; i++)
        data[i] = wire_byte(i);
    return data;
}

static inline void wire_check_pattern(const struct buf *got, size_t len)
{
    struct slice s = buf_slice(got);
    assert_int_equal(s.len, len);
    for (size_t i = 0; i < len; i++)
        if (s.ptr[i] != wire_byte(i))
            fail_msg("octet %zu of %zu is wrong", i, len);
}

static inline void wire_check_text(const struct buf *got, const char *want)
{
    struct slice s = buf_slice(got);
    if (!slice_eq(s, slice_str(want)))
        fail_msg("got '%.*s', want '%s'", SLICE_FMT(s), want);
}

/* a writes @len of these bytes to b, which does not read. */
static inline void wire_fill(struct wire *w, size_t len)
{
    char *data = wire_pattern(len);
    sock_pause(w->b.sock);
    sock_write(w->a.sock, slice_make(data, len));
    free(data); /* borrowed for the call only */
}

/* b reads on: @len of these bytes, then the end. */
static inline void wire_drain(struct wire *w, size_t len)
{
    sock_resume(w->b.sock);
    wire_until(w, wire_b_ended);
    assert_int_equal(w->b.end, 0);
    wire_check_pattern(&w->b.got, len);
}

#endif
