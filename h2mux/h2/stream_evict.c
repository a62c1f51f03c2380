/* SPDX-License-Identifier: MIT */
/* stream_evict.c - answers evict.h for a stream and its host: asks what a reader's peer has taken,
 * gives a stream up, gives kept credit after all. */
#include "h2mux/h2/stream_int.h"

static struct h2_stream *stream_of(struct evict_reader *r)
{
    return CONTAINER_OF(r, struct h2_stream, reader);
}

static bool reader_taken(struct evict_reader *r, uint64_t *bytes)
{
    struct h2_stream *st = stream_of(r);
    const struct leg_events *e = st->leg.events;
    if (!e || !e->on_taken)
        return false;
    *bytes = e->on_taken(st->leg.exchange, &st->leg);
    return true;
}

/* Resets the stream and tells its exchange. The reset of a stream that has said all sends nothing
 * and gives nothing back: so that is done here. */
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
