/* SPDX-License-Identifier: MIT */
/* sock_raw.c - moves the raw bytes of a sock (with TLS: records) from and to the kernel, or the
 * other end of a pair. */
#include "h2mux/io/sock_int.h"

#include <errno.h>
#include <sys/socket.h>
#include <unistd.h>

#include "h2mux/base/check.h"
#include "h2mux/base/kernel.h"

int sock_errno(int e)
{
    if (e == EAGAIN || e == EWOULDBLOCK)
        return ERR_AGAIN;
    if (e == ECONNRESET || e == EPIPE)
        return ERR_RESET;
    if (e == ECONNREFUSED)
        return ERR_REFUSED;
    if (e == ETIMEDOUT || e == EHOSTUNREACH || e == ENETUNREACH)
        return ERR_GONE;
    return ERR_IO;
}

/* Returns whether this machine has an address from which it could reach @addr. Connecting a
 * datagram socket sends nothing, and needs no port that is short. */
static bool has_source(const struct sockaddr *addr, socklen_t len)
{
    int fd = kernel_socket(addr->sa_family, SOCK_DGRAM, false);
    if (fd < 0)
        return true;
    bool has = connect(fd, addr, len) == 0;
    close(fd);
    return has;
}

static int unix_connect_err(int why)
{
    return why == EAGAIN || errno_is_shortage(why) ? ERR_SHORT : ERR_REFUSED;
}

/* EADDRNOTAVAIL says that all ports are taken, or that this machine has no address of the family.
 */
int sock_connect_err(const struct sockaddr *addr, socklen_t len, int why)
{
    if (addr->sa_family == AF_UNIX)
        return unix_connect_err(why);
    switch (why) {
    case EADDRNOTAVAIL:
        return has_source(addr, len) ? ERR_SHORT : ERR_UNREACHABLE;
    case EAGAIN: /* no free port */
        return ERR_SHORT;
    case EHOSTUNREACH:
    case ENETUNREACH:
    case ENETDOWN:
    case EHOSTDOWN:
    case ENONET:
    case EINVAL: /* a link-local address without its interface */
    case EAFNOSUPPORT:
        return ERR_UNREACHABLE;
    case EACCES:
    case EPERM:
        return ERR_DENIED;
    case ETIMEDOUT:
        return ERR_TIMEOUT;
    default:
        return errno_is_shortage(why) ? ERR_SHORT : ERR_REFUSED;
    }
}

ssize_t sock_raw_recv(struct sock *s, void *to, size_t cap)
{
    if (sock_has_ended(s))
        return s->rx.state == SOCK_RX_FAILED ? s->rx.failed : s->rx.end;
    if (s->fd < 0 || s->rx.state == SOCK_RX_EMPTY || s->rx.state == SOCK_RX_HELD) {
        sock_rx_drained(s);
        return ERR_AGAIN;
    }
    ssize_t n;
    do
        n = recv(s->fd, to, cap, 0);
    while (n < 0 && errno == EINTR);
    if (n == 0) {
        sock_rx_ended(s, s->rx.end);
        return s->rx.end;
    }
    if (n < 0) {
        sock_rx_drained(s);
        return sock_errno(errno);
    }
    sock_rx_got(s, (size_t)n, cap);
    return n;
}

ssize_t sock_raw_fill(struct sock *s, size_t chunk)
{
    if (s->fd < 0)
        return sock_raw_recv(s, NULL, 0); /* the other end fills rx.raw */
    char *to = buf_reserve(&s->rx.raw, chunk);
    if (!to)
        return ERR_AGAIN;
    ssize_t n = sock_raw_recv(s, to, chunk);
    if (n > 0)
        buf_commit(&s->rx.raw, (size_t)n);
    return n;
}

size_t sock_buf_take(struct buf *b, void *to, size_t cap)
{
    struct slice have = buf_slice(b);
    size_t n = have.len < cap ? have.len : cap;
    memcpy(to, have.ptr, n);
    buf_consume(b, n);
    if (buf_len(b) == 0)
        buf_release(b);
    return n;
}

/* Takes bytes out of rx.raw, and lets the other end of a pair flush again, because rx.raw has room
 * now. */
size_t sock_rx_take(struct sock *s, void *to, size_t cap)
{
    size_t n = sock_buf_take(&s->rx.raw, to, cap);
    s->rx.seen = 0;
    if (s->pair && buf_len(&s->pair->tx.raw) > 0)
        loop_flush(s->loop, &s->pair->tasks.flush);
    return n;
}

void sock_mark_sent(struct sock *s)
{
    s->tx.told_late = true;
    loop_flush(s->loop, &s->tasks.flush);
}

void sock_tx_break(struct sock *s)
{
    if (!sock_tx_is_shut(s))
        s->tx.state = SOCK_TX_BROKEN;
    sock_rx_left(s);
    sock_gather_drop(s);
    buf_release(&s->tx.raw);
    sock_mark_sent(s);
    loop_defer(s->loop, &s->tasks.ready);
}

/* Handles a failed send. The kernel reports an error only once, and later reads end as after FIN;
 * so this function keeps the error in rx.end for the reader. EPIPE is not kept: the error itself
 * was reported before, or FIN has come before. */
bool sock_send_failed(struct sock *s, int why)
{
    sock_tx_full(s);
    if (sock_errno(why) == ERR_AGAIN)
        return false;
    if (why != EPIPE)
        s->rx.end = sock_errno(why);
    sock_tx_break(s);
    return true;
}

static void fd_flush(struct sock *s)
{
    while (sock_tx_is_ready(s) && buf_len(&s->tx.raw) > 0) {
        struct slice data = buf_slice(&s->tx.raw);
        ssize_t n = send(s->fd, data.ptr, data.len, MSG_NOSIGNAL);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0) {
            sock_send_failed(s, errno);
            return;
        }
        buf_consume(&s->tx.raw, (size_t)n);
        s->tx.total += (size_t)n;
        s->tx.told_late = true;
        sock_peer_sent(s);
    }
}

static void send_fin(struct sock *s)
{
    sock_tx_ended(s);
    if (s->fd >= 0)
        shutdown(s->fd, SHUT_WR);
    else
        sock_pair_end(s, 0);
}

void sock_push(struct sock *s)
{
    if (s->state == SOCK_CONNECTING)
        return;
    sock_gather_settle(s);
    if (s->fd >= 0)
        fd_flush(s);
    else
        sock_pair_flush(s);
    if (buf_len(&s->tx.raw) == 0)
        buf_release(&s->tx.raw);
    bool fin_waits = s->tx.state == SOCK_TX_FULL_FIN || s->tx.state == SOCK_TX_READY_FIN;
    if (fin_waits && buf_len(&s->tx.raw) == 0 && s->state == SOCK_OPEN)
        send_fin(s);
}

void sock_run_flush(void *user)
{
    struct sock *s = user;
    sock_push(s);
    if (s->tail.of)
        sock_tail_look(s);
    if (s->tx.told_late) {
        s->tx.told_late = false;
        if (s->ops->on_sent)
            s->ops->on_sent(s->user);
    }
    if (CHECKING)
        sock_check(s);
}
