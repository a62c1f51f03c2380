/* SPDX-License-Identifier: MIT */
/* sock_gather.c - sends bytes out of the loop's scratch: the bytes that one read has brought for a
 * sock leave in one sendmsg, without a copy to the sock's queue. See gather.h.
 *
 * Only bytes for sockets without TLS whose kernel takes bytes go this way; all others are
 * queued. */
#include "h2mux/io/sock_int.h"

#include <errno.h>

enum { GATHER_MIN = 512 }; /* fewer bytes cost less to copy than sendmsg costs over send */

static bool owns(const struct sock *s)
{
    return loop_gather(s->loop)->owner == s;
}

size_t sock_gathered(const struct sock *s)
{
    return owns(s) ? loop_gather(s->loop)->bytes : 0;
}

void sock_gather_drop(struct sock *s)
{
    if (owns(s))
        gather_clear(loop_gather(s->loop));
}

/* Queues the gathered bytes except for the first @sent of them, which have left. */
static void keep(struct sock *s, const struct gather *g, size_t sent)
{
    for (size_t i = 1; i <= g->count; i++) {
        struct slice rest = slice_make(g->v[i].iov_base, g->v[i].iov_len);
        size_t gone = sent < rest.len ? sent : rest.len;
        sent -= gone;
        if (gone < rest.len && buf_append(&s->tx.raw, slice_skip(rest, gone)) < 0)
            abort(); /* the limit is half the address space */
    }
}

static ssize_t send_all(struct sock *s, struct gather *g)
{
    struct slice queued = buf_slice(&s->tx.raw);
    bool queue = queued.len > 0;
    g->v[0] = (struct iovec){(void *)(uintptr_t)queued.ptr, queued.len};
    struct msghdr m = {.msg_iov = g->v + !queue, .msg_iovlen = g->count + queue};
    ssize_t n;
    do
        n = sendmsg(s->fd, &m, MSG_NOSIGNAL);
    while (n < 0 && errno == EINTR);
    return n;
}

void sock_gather_settle(struct sock *s)
{
    struct gather *g = loop_gather(s->loop);
    if (!owns(s))
        return;
    ssize_t n = sock_tx_is_ready(s) ? send_all(s, g) : 0;
    if (n >= 0 || !sock_send_failed(s, errno)) {
        size_t sent = n > 0 ? (size_t)n : 0;
        size_t queued = sent < buf_len(&s->tx.raw) ? sent : buf_len(&s->tx.raw);
        buf_consume(&s->tx.raw, queued);
        keep(s, g, sent - queued);
    }
    s->tx.told_late |= n > 0;
    s->tx.total += n > 0 ? (size_t)n : 0;
    if (n > 0)
        sock_peer_sent(s);
    gather_clear(g);
}

static void settle(void *owner)
{
    sock_gather_settle(owner);
}

bool sock_gather(struct sock *s, struct slice data)
{
    struct gather *g = loop_gather(s->loop);
    bool lent = loop_scratch_holds(s->loop, data);
    if (!owns(s)) {
        if (!lent || data.len < GATHER_MIN || s->fd < 0 || s->tx.state != SOCK_TX_READY)
            return false;
        gather_settle(g);
        g->owner = s;
        g->settle = settle;
    }
    if (lent ? gather_lend(g, data) : gather_copy(g, data))
        return true;
    sock_gather_settle(s);
    return s->tx.state == SOCK_TX_BROKEN; /* true: @data was dropped like the queue */
}
