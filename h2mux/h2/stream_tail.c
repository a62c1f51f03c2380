/* SPDX-License-Identifier: MIT */
/* stream_tail.c - counts the tail of an answer: the bytes that a stream has queued for a slow peer
 * when its exchange is over. Gives up tails whose peers take nothing. sock_tail.h does the same for
 * a connection of HTTP/1.1.
 *
 * Invariant: tail.held is at most the length of the queue, and its bytes are in the share's sum. */
#include "h2mux/h2/stream_int.h"

static struct h2_stream *stream_of(struct evict_reader *r)
{
    return CONTAINER_OF(r, struct h2_stream, tail);
}

/* The bytes of many streams leave by one sock, so a byte of this stream has been taken when all
 * that the session had written after it has been. Each look asks about the bytes that the one
 * before has found framed. */
bool h2_stream_taken_by_peer(struct leg *leg, uint64_t *bytes)
{
    struct h2_stream *st = h2_stream_of(leg);
    uint64_t written, taken;
    if (st->host->role == H2_OPENER || st->host->over)
        return false;
    st->host->ops->on_wire(st->host, &written, &taken);
    if (taken >= st->tx.taken.end) {
        st->tx.taken.framed = st->tx.taken.asked;
        st->tx.taken.asked = st->tx.framed;
        st->tx.taken.end = written;
    }
    if (taken >= st->tx.taken.end)
        st->tx.taken.framed = st->tx.taken.asked;
    *bytes = st->tx.taken.framed;
    return true;
}

void h2_leg_count_tail(struct leg *leg)
{
    struct h2_stream *st = h2_stream_of(leg);
    struct stream_host *h = st->host;
    size_t queued = buf_len(&st->tx.queue);
    if (queued == 0 || st->tail.held > 0 || h->over || !h->flow.share)
        return;
    evict_reader_hold(&h->tails, &st->tail, queued, loop_now_us(h->loop));
    budget_add(h->flow.share, (int64_t)queued);
    h->ops->arm(h);
}

void h2_stream_tail_left(struct h2_stream *st, size_t bytes)
{
    struct stream_host *h = st->host;
    if (st->tail.held == 0)
        return;
    if (bytes > st->tail.held)
        bytes = st->tail.held;
    st->tail.moved_us = loop_now_us(h->loop);
    evict_reader_release(&st->tail, bytes);
    budget_add(h->flow.share, -(int64_t)bytes);
}

static void end_tail(struct h2_stream *st)
{
    struct leg_fault why = h2_fault(ERR_STALLED, NGHTTP2_CANCEL, false);
    st->leg.ops->reset(&st->leg, &why);
    h2_stream_tail_left(st, st->tail.held);
}

void stream_host_end_tails(struct stream_host *h, uint64_t now)
{
    LIST_FOREACH (it, &h->tails.readers) {
        struct h2_stream *st = stream_of(CONTAINER_OF(it, struct evict_reader, node));
        if (h->tail_us > 0 && now - st->tail.moved_us >= h->tail_us)
            end_tail(st);
    }
}

static bool tail_taken(struct evict_reader *r, uint64_t *bytes)
{
    return h2_stream_taken_by_peer(&stream_of(r)->leg, bytes);
}

static void tail_give_up(struct evict_reader *r, uint64_t stalled_ms)
{
    struct h2_stream *st = stream_of(r);
    st->host->ops->on_evicted(st->host, stalled_ms, r->held);
    end_tail(st);
}

/* Does nothing: a tail is counted, and no credit is kept back for it. */
static void restore_nothing(struct evict_group *g)
{
    (void)g;
}

const struct evict_ops h2_stream_tail_ops = {
    .taken = tail_taken,
    .give_up = tail_give_up,
    .restore = restore_nothing,
};
