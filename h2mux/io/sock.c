/* SPDX-License-Identifier: MIT */
/* sock.c - makes, reads, writes and closes socks for their owners. sock_raw.c moves bytes between a
 * sock and its peer; sock_event.c turns the loop's events into calls of the owner. See sock.h. */

/* draw: the way of the bytes
 *
 *   peer ─▶ rx (raw) ─▶ [SSL] ─▶ sock_read          sock_write ─▶ [SSL] ─▶ tx (raw) ─▶ peer */
#include "h2mux/io/sock_int.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "h2mux/base/check.h"
#include "h2mux/base/kernel.h"

enum { PEEK_CHUNK = 16384 };

const struct sock_ops sock_no_ops;

struct sock *sock_alloc(struct loop *l, int fd)
{
    struct sock *s = xcalloc(1, sizeof *s);
    s->loop = l;
    s->fd = fd;
    s->ops = &sock_no_ops;
    s->tx.state = SOCK_TX_READY;
    buf_init(&s->rx.raw, SOCK_RX_CHUNK + SOCK_PAIR_ROOM);
    buf_init(&s->tx.raw, SIZE_MAX / 2);
    buf_init(&s->rx.unread, SOCK_RX_CHUNK + SOCK_PAIR_ROOM);
    buf_init(&s->tx.early, SIZE_MAX / 2);
    task_init(&s->tasks.ready, sock_run_ready, s);
    task_init(&s->tasks.shake, sock_run_shake, s);
    task_init(&s->tasks.flush, sock_run_flush, s);
    task_init(&s->tasks.check, sock_run_check, s);
    wheel_timer_init(&s->watch.timer, sock_peer_look, s);
    return s;
}

struct sock *sock_accepted(struct loop *l, int fd, const struct sockaddr *peer)
{
    struct sock *s = sock_alloc(l, fd);
    sock_set_peer(s, peer);
    s->state = SOCK_OPEN;
    s->rx.state = SOCK_RX_READY;
    sock_watch(s);
    return s;
}

/* Returns a new descriptor for @family, or -1 with errno set. A new descriptor has the lowest free
 * number, so a number from @below on tells that all below are in use. */
static int make_descriptor(int family, int below)
{
    int fd = kernel_socket(family, SOCK_STREAM, true);
    if (fd < 0 || below == 0 || fd < below)
        return fd;
    close(fd);
    errno = EMFILE;
    return -1;
}

struct sock *sock_connect(struct loop *l, const struct sockaddr *addr, socklen_t len, int below)
{
    int fd = make_descriptor(addr->sa_family, below);
    if (fd < 0)
        return NULL;
    if (connect(fd, addr, len) < 0 && errno != EINPROGRESS) {
        int why = errno;
        close(fd);
        errno = why;
        return NULL;
    }
    struct sock *s = sock_alloc(l, fd);
    sock_set_peer(s, addr);
    s->state = SOCK_CONNECTING;
    s->tx.state = SOCK_TX_FULL;
    sock_watch(s);
    return s;
}

static void raw_write(struct sock *s, struct slice data)
{
    if (!sock_gather(s, data) && buf_append(&s->tx.raw, data) < 0)
        abort(); /* the limit is half the address space */
    loop_flush(s->loop, &s->tasks.flush);
}

int sock_peek_beyond(struct sock *s, size_t seen, struct slice *out)
{
    s->rx.seen = seen;
    if (buf_len(&s->rx.raw) <= seen) {
        ssize_t n = sock_raw_fill(s, PEEK_CHUNK);
        if (n <= 0) {
            if (buf_len(&s->rx.raw) == 0)
                buf_release(&s->rx.raw);
            return n == 0 ? ERR_EOF : (int)n;
        }
    }
    *out = buf_slice(&s->rx.raw);
    return ERR_OK;
}

int sock_peek(struct sock *s, struct slice *out)
{
    return sock_peek_beyond(s, 0, out);
}

static ssize_t plain_read(struct sock *s, void *to, size_t cap)
{
    if (buf_len(&s->rx.raw) > 0)
        return (ssize_t)sock_rx_take(s, to, cap);
    return sock_raw_recv(s, to, cap);
}

ssize_t sock_read(struct sock *s, void *to, size_t cap)
{
    if (CHECKING)
        sock_check(s);
    if (buf_len(&s->rx.unread) > 0)
        return (ssize_t)sock_buf_take(&s->rx.unread, to, cap);
    if (s->rx.state == SOCK_RX_FAILED)
        return s->rx.failed;
    if (s->state != SOCK_OPEN)
        return ERR_AGAIN;
    ssize_t n = s->tls.ssl ? sock_tls_read(s, to, cap) : plain_read(s, to, cap);
    if (n == 0)
        sock_rx_told(s);
    else if (n < 0 && n != ERR_AGAIN)
        sock_rx_fail(s, (int)n);
    return n;
}

void sock_unread(struct sock *s, struct slice data)
{
    struct slice behind = buf_slice(&s->rx.unread);
    struct buf joined;
    buf_init(&joined, s->rx.unread.limit);
    if (buf_append(&joined, data) < 0 || buf_append(&joined, behind) < 0)
        abort(); /* a reader holds less than one chunk */
    buf_release(&s->rx.unread);
    s->rx.unread = joined;
    loop_defer(s->loop, &s->tasks.ready);
}

size_t sock_unread_bytes(const struct sock *s)
{
    return buf_len(&s->rx.unread);
}

void sock_write(struct sock *s, struct slice data)
{
    if (CHECKING)
        sock_check(s);
    if (sock_tx_is_shut(s) || s->state == SOCK_CLOSED || data.len == 0)
        return;
    if (s->tx.state == SOCK_TX_BROKEN)
        sock_mark_sent(s);
    else if (!s->tls.ssl)
        raw_write(s, data);
    else if (s->state == SOCK_OPEN)
        sock_tls_write(s, data);
    else if (buf_append(&s->tx.early, data) < 0)
        abort(); /* the limit is half the address space */
}

size_t sock_queued(const struct sock *s)
{
    return buf_len(&s->tx.raw) + buf_len(&s->tx.early) + sock_gathered(s);
}

uint64_t sock_sent(const struct sock *s)
{
    return s->tx.total;
}

uint64_t sock_taken(const struct sock *s)
{
    int waiting = s->fd < 0 ? -1 : kernel_unacknowledged(s->fd);
    if (waiting < 0)
        return s->tx.total;
    return (uint64_t)waiting < s->tx.total ? s->tx.total - (uint64_t)waiting : 0;
}

bool sock_unsend(struct sock *s, size_t bytes)
{
    sock_gather_settle(s);
    if (s->tls.ssl || bytes > buf_len(&s->tx.raw))
        return bytes == 0;
    buf_truncate(&s->tx.raw, buf_len(&s->tx.raw) - bytes);
    return true;
}

void sock_shutdown(struct sock *s)
{
    if (sock_tx_is_shut(s) || s->state == SOCK_CLOSED)
        return;
    if (s->tls.ssl && s->state == SOCK_OPEN)
        sock_tls_shutdown(s);
    sock_tx_shut(s);
    loop_flush(s->loop, &s->tasks.flush);
}

static void sock_free(void *object)
{
    struct sock *s = object;
    SSL_free(s->tls.ssl);
    buf_release(&s->rx.raw);
    buf_release(&s->tx.raw);
    buf_release(&s->rx.unread);
    buf_release(&s->tx.early);
    loop_note_release(s->loop);
    free(s);
}

void sock_close(struct sock *s)
{
    if (!s || s->state == SOCK_CLOSED)
        return;
    s->state = SOCK_CLOSED;
    task_cancel(&s->tasks.ready);
    task_cancel(&s->tasks.shake);
    task_cancel(&s->tasks.flush);
    task_cancel(&s->tasks.check);
    wheel_timer_stop(&s->watch.timer);
    sock_finish_cancel(s);
    sock_tail_drop(s);
    sock_gather_drop(s);
    sock_pair_leave(s);
    if (s->fd >= 0) {
        event_del(&s->event);
        close(s->fd);
        s->fd = -1;
    }
    loop_reap(s->loop, &s->reap, sock_free, s);
    if (CHECKING)
        sock_check(s);
}

void sock_reset_on_close(struct sock *s, bool resets)
{
    struct linger now = {.l_onoff = resets, .l_linger = 0};
    if (s->fd >= 0)
        setsockopt(s->fd, SOL_SOCKET, SO_LINGER, &now, sizeof now);
}

void sock_abort(struct sock *s)
{
    if (s && s->fd >= 0)
        sock_reset_on_close(s, true);
    else if (s)
        sock_pair_end(s, ERR_RESET);
    sock_close(s);
}

void sock_rest(struct sock *s)
{
    if (s->rx.state == SOCK_RX_SHORT)
        sock_rx_drained(s);
}

bool sock_is_drained(const struct sock *s)
{
    return s->rx.state == SOCK_RX_EMPTY && buf_len(&s->rx.raw) == 0 && buf_len(&s->rx.unread) == 0;
}

void sock_set_peer(struct sock *s, const struct sockaddr *peer)
{
    switch (peer->sa_family) {
    case AF_INET:
        memcpy(&s->peer.v4, peer, sizeof s->peer.v4);
        break;
    case AF_INET6:
        memcpy(&s->peer.v6, peer, sizeof s->peer.v6);
        break;
    default:
        s->peer.any.sa_family = peer->sa_family;
        break;
    }
}

int sock_fd(const struct sock *s)
{
    return s->fd;
}

const struct sockaddr *sock_peer(const struct sock *s)
{
    return &s->peer.any;
}

void sock_set_receive_buffer(struct sock *s, int bytes)
{
    if (s->fd >= 0)
        setsockopt(s->fd, SOL_SOCKET, SO_RCVBUF, &bytes, sizeof bytes);
}

void sock_set_notsent_lowat(struct sock *s, int bytes)
{
    if (s->fd >= 0)
        setsockopt(s->fd, IPPROTO_TCP, TCP_NOTSENT_LOWAT, &bytes, sizeof bytes);
}
