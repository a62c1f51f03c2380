/* SPDX-License-Identifier: MIT */
/* sock_pair.c - ties two socks in memory: bytes that one end flushes become raw bytes of the other
 * end. FIN and RST reach the other end as they would through a kernel. */
#include "h2mux/io/sock_int.h"

void sock_pair(struct loop *l, struct sock **a, struct sock **b)
{
    *a = sock_alloc(l, -1);
    *b = sock_alloc(l, -1);
    (*a)->pair = *b;
    (*b)->pair = *a;
    (*a)->state = (*b)->state = SOCK_OPEN;
    (*a)->peer.any.sa_family = (*b)->peer.any.sa_family = AF_UNSPEC;
}

void sock_pair_end(struct sock *s, int end)
{
    struct sock *other = s->pair;
    if (!other || sock_has_ended(other))
        return;
    sock_rx_ended(other, end);
    loop_defer(s->loop, &other->tasks.ready);
}

void sock_pair_flush(struct sock *s)
{
    if (!s->pair) {
        if (buf_len(&s->tx.raw) > 0)
            sock_tx_break(s);
        return;
    }
    struct slice data = buf_slice(&s->tx.raw);
    size_t held = buf_len(&s->pair->rx.raw);
    size_t room = held < SOCK_PAIR_ROOM ? SOCK_PAIR_ROOM - held : 0;
    if (data.len > room)
        data.len = room;
    if (data.len == 0 || buf_append(&s->pair->rx.raw, data) < 0)
        return;
    buf_consume(&s->tx.raw, data.len);
    s->tx.total += data.len;
    s->tx.told_late = true;
    sock_rx_held(s->pair);
    loop_defer(s->loop, &s->pair->tasks.ready);
}

void sock_pair_leave(struct sock *s)
{
    if (!s->pair)
        return;
    sock_pair_end(s, 0);
    loop_flush(s->loop, &s->pair->tasks.flush); /* drops the queue of the other end */
    s->pair->pair = NULL;
    s->pair = NULL;
}
