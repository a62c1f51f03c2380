/* SPDX-License-Identifier: MIT */
/* sock_raw.c - a sock's bytes as its peer sends and takes them: below TLS, from and to the kernel
 * or the other end of a pair. */
#include "h2mux/io/sock_int.h"

#include <errno.h>
#include <sys/socket.h>

int sock_errno(int e)
{
    if (e == EAGAIN || e == EWOULDBLOCK)
        return ERR_AGAIN;
    if (e == ECONNRESET || e == EPIPE)
        return ERR_RESET;
    if (e == ECONNREFUSED)
        return ERR_REFUSED;
    if (e == ETIMEDOUT)
        return ERR_TIMEOUT;
    return ERR_IO;
}

static ssize_t raw_recv_end(struct sock *s)
{
    s->raw_eof = true;
    s->rx_ready = false;
    return s->raw_end;
}

ssize_t sock_raw_recv(struct sock *s, void *to, size_t cap)
{
    if (s->raw_eof)
        return s->raw_end;
    if (s->fd < 0 || !s->rx_ready)
        return ERR_AGAIN;
    ssize_t n;
    do
        n = recv(s->fd, to, cap, 0);
    while (n < 0 && errno == EINTR);
    if (n == 0)
        return raw_recv_end(s);
    if (n < 0) {
        s->rx_ready = false;
        return sock_errno(errno);
    }
    s->drained = (size_t)n < cap;
    return n; /* a short read is no sign that nothing follows: an RST may have come in the same
                 event */
}

/* Raw bytes into rx; likewise. */
ssize_t sock_raw_fill(struct sock *s, size_t chunk)
{
    if (s->fd < 0)
        return s->raw_eof ? s->raw_end : ERR_AGAIN;
    char *to = buf_reserve(&s->rx, chunk);
    if (!to)
        return ERR_AGAIN;
    ssize_t n = sock_raw_recv(s, to, chunk);
    if (n > 0)
        buf_commit(&s->rx, (size_t)n);
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

/* A pair's reader made room: the other end may flush again. */
size_t sock_rx_take(struct sock *s, void *to, size_t cap)
{
    size_t n = sock_buf_take(&s->rx, to, cap);
    if (s->pair && buf_len(&s->pair->tx) > 0)
        loop_flush(s->loop, &s->pair->flush);
    return n;
}

void sock_mark_sent(struct sock *s)
{
    s->sent = true;
    loop_flush(s->loop, &s->flush);
}

/* What is queued vanishes, so that its source is not held up; the reading side tells the owner. */
void sock_tx_break(struct sock *s)
{
    s->tx_broken = true;
    s->hangup = s->rx_ready = true;
    s->starved = false;
    sock_gather_drop(s);
    buf_release(&s->tx);
    sock_mark_sent(s);
    loop_defer(s->loop, &s->ready);
}

/* The kernel tells an error once, and then reads end as after a FIN. EPIPE is no news: the error
 * was told or a FIN came before it. */
void sock_send_failed(struct sock *s, int why)
{
    s->tx_ready = false;
    if (sock_errno(why) == ERR_AGAIN)
        return;
    if (why != EPIPE)
        s->raw_end = sock_errno(why);
    sock_tx_break(s);
}

static void fd_flush(struct sock *s)
{
    while (s->tx_ready && buf_len(&s->tx) > 0) {
        struct slice data = buf_slice(&s->tx);
        ssize_t n = send(s->fd, data.ptr, data.len, MSG_NOSIGNAL);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0) {
            sock_send_failed(s, errno);
            return;
        }
        buf_consume(&s->tx, (size_t)n);
        s->tx_total += (size_t)n;
        s->sent = true;
    }
}

static void send_fin(struct sock *s)
{
    s->fin_sent = true;
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
    if (buf_len(&s->tx) == 0)
        buf_release(&s->tx);
    if (s->shut_tx && !s->fin_sent && buf_len(&s->tx) == 0 && s->state == SOCK_OPEN)
        send_fin(s);
}

void sock_run_flush(void *user)
{
    struct sock *s = user;
    sock_push(s);
    if (s->tail_of)
        sock_tail_look(s);
    if (s->sent) {
        s->sent = false;
        if (s->ops->on_sent)
            s->ops->on_sent(s->user);
    }
}
