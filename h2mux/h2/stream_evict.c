/* SPDX-License-Identifier: MIT */
/* stream_evict.c - implements evict_ops (evict.h) for streams: asks how many bytes a reader's peer
 * has taken, gives a stream up, and gives the connection credit that was kept back. */
#include "h2mux/h2/stream_int.h"

static struct h2_stream *stream_of(struct evict_reader *r)
{
    return CONTAINER_OF(r, struct h2_stream, reader);
}

bool h2_stream_taken(struct h2_stream *st, uint64_t *bytes)
{
    const struct leg_events *e = st->leg.events;
    return e && e->on_taken && e->on_taken(st->leg.exchange, &st->leg, bytes);
}

static bool reader_taken(struct evict_reader *r, uint64_t *bytes)
{
    return h2_stream_taken(stream_of(r), bytes);
}

/* Resets the stream of @r and tells its exchange. Gives the held bytes back itself, because the
 * reset of a stream that has sent everything does nothing. */
static void reader_give_up(struct evict_reader *r, uint64_t stalled_ms)
{
    struct h2_stream *st = stream_of(r);
    struct leg_fault why = h2_fault(ERR_STALLED, NGHTTP2_CANCEL, false);
    const struct leg_events *events = st->leg.events;
    void *exchange = st->leg.exchange;
    st->host->ops->on_evicted(st->host, stalled_ms, r->held);
    st->leg.ops->reset(&st->leg, &why);
    h2_stream_give_back(st, r->held);
    if (events)
        events->on_reset(exchange, &st->leg, &why);
}

static void restore_group(struct evict_group *g)
{
    stream_host_restore(CONTAINER_OF(g, struct stream_host, flow.readers));
}

const struct evict_ops h2_stream_evict_ops = {
    .taken = reader_taken,
    .give_up = reader_give_up,
    .restore = restore_group,
};
