/* SPDX-License-Identifier: MIT */
/* stream.c - one HTTP/2 stream as a leg: heads to and from nghttp2 (their fields: stream_head.c), a
 * queue upward, credit downward, reset.
 *
 * Bytes handed up are `held` until credit comes; credit is what nghttp2 consumes, so the stream's
 * window is the bound of all that lies between the two sockets. Invariant: after h2_stream_closed
 * nghttp2 knows no pointer to it. */
#include "h2mux/h2/session_int.h"
#include "h2mux/h2/stream_head.h"

#include <assert.h>
#include <stdlib.h>

#include "h2mux/base/pool.h"

static const struct leg_ops stream_leg_ops;

struct leg_fault h2_fault(int err, uint32_t h2_code, bool unprocessed)
{
    return (struct leg_fault){
        .err = err,
        .h2_code = h2_code,
        .unprocessed = unprocessed,
        .reason = h2_code ? nghttp2_http2_strerror(h2_code) : NULL,
    };
}

struct h2_stream *h2_stream_new(struct h2_session *s, int32_t id)
{
    struct h2_stream *st = pool_take_zeroed(sizeof *st);
    st->leg.ops = &stream_leg_ops;
    st->session = s;
    st->id = id;
    message_init(&st->in);
    buf_init(&st->tx, SIZE_MAX / 2); /* its source is bounded by its own window */
    window_init(&st->window, s->initial);
    list_push(&s->streams, &st->node);
    s->open_streams++;
    return st;
}

static void stream_free(void *object)
{
    struct h2_stream *st = object;
    message_deinit(&st->in);
    buf_release(&st->tx);
    if (st->trailers)
        fields_deinit(st->trailers);
    free(st->trailers);
    pool_give(st, sizeof *st);
}

/* ---- receiving */

static void fail_stream(struct h2_stream *st, uint32_t code)
{
    struct leg_fault why = h2_fault(ERR_PROTOCOL, code, false);
    const struct leg_events *events = st->leg.events;
    void *exchange = st->leg.exchange;
    st->leg.ops->reset(&st->leg, &why);
    if (events)
        events->on_reset(exchange, &st->leg, &why);
}

static void over_if_both(struct h2_stream *st)
{
    if (st->rx_ended && st->tx_ended && buf_len(&st->tx) == 0)
        leg_untie(&st->leg);
}

static void log_refusal(struct h2_session *s, const struct message *m, const char *reason)
{
    uint64_t suppressed;
    if (log_limit_pass(&s->refusals, loop_now_us(s->loop), &suppressed))
        LOG(WARN, "request refused", "reason=%s authority=%s suppressed=%llu",
            log_value(slice_str(reason)), log_value(m->authority), (unsigned long long)suppressed);
}

static void give_head(struct h2_stream *st, struct message *m, bool end)
{
    struct h2_session *s = st->session;
    m->has_body = !end;
    if (!end && st->head_seen && m->protocol.len == 0)
        h2_stream_open_window(st, m);
    if (s->role == H2_OPENER) {
        if (st->leg.events)
            st->leg.events->on_head(st->leg.exchange, &st->leg, m, end);
        return;
    }
    if (!h2_head_settle_authority(m)) {
        log_refusal(s, m, "host is not :authority");
        fail_stream(st, NGHTTP2_PROTOCOL_ERROR);
        return;
    }
    st->connect = slice_eq(m->method, SLICE("CONNECT"));
    h2_stream_count_request(st);
    s->ops->on_stream(s->user, &st->leg, m, end);
}

void h2_stream_headers(struct h2_stream *st, bool trailers, bool end)
{
    struct message m = st->in;
    message_init(&st->in); /* the next section starts empty whatever the callbacks do */
    bool interim = m.status >= 100 && m.status < 200;
    if (trailers) {
        st->rx_ended = true;
        if (st->leg.events)
            st->leg.events->on_trailers(st->leg.exchange, &st->leg, &m.fields);
    } else {
        st->head_seen = !interim;
        st->rx_ended = end;
        give_head(st, &m, end);
    }
    message_deinit(&m);
    over_if_both(st);
}

void h2_stream_end(struct h2_stream *st)
{
    if (st->rx_ended)
        return;
    st->rx_ended = true;
    if (st->leg.events)
        st->leg.events->on_body(st->leg.exchange, &st->leg, SLICE(""), true);
    over_if_both(st);
}

void h2_stream_closed(struct h2_stream *st, const struct leg_fault *why)
{
    struct h2_session *s = st->session;
    const struct leg_events *events = st->leg.events;
    void *exchange = st->leg.exchange;
    leg_untie(&st->leg);
    list_remove(&st->node);
    list_remove(&st->frozen);
    schedule_leave(&s->schedule, &st->schedule);
    h2_stream_give_back(st, st->reader.held);
    h2_stream_uncount(st);
    s->open_streams--;
    st->reset_sent = true; /* nothing can be submitted any more */
    loop_reap(s->loop, &st->reap, stream_free, st);
    if (events && why)
        events->on_reset(exchange, &st->leg, why);
    if (!s->dead && s->ops->on_room)
        s->ops->on_room(s->user);
    if (s->open_streams == 0 && !s->dead && s->ops->on_idle)
        s->ops->on_idle(s->user);
}

/* ---- sending */

static int submit_trailers(struct h2_stream *st)
{
    struct h2_head l;
    h2_head_of_trailers(&l, st->trailers);
    int err = nghttp2_submit_trailer(st->session->ng, st->id, l.v, l.count);
    h2_head_release(&l);
    return err;
}

static bool given_up(const struct h2_stream *st)
{
    return st->reset_sent || list_linked(&st->frozen);
}

static bool may_send(const struct h2_stream *st)
{
    return !st->session->dead && !given_up(st);
}

/* What nghttp2 may frame now; the bytes themselves go by on_send_data, maybe much later. What was
 * given up ends by its RST_STREAM, never in order. */
static ssize_t read_body(nghttp2_session *ng, int32_t id, uint8_t *to, size_t cap, uint32_t *flags,
                         nghttp2_data_source *source, void *user)
{
    struct h2_stream *st = source->ptr;
    struct h2_session *s = st->session;
    size_t have = buf_len(&st->tx);
    if (given_up(st) || (have == 0 && !st->tx_ended)) {
        schedule_leave(&s->schedule, &st->schedule);
        return NGHTTP2_ERR_DEFERRED;
    }
    size_t n = have > 0 ? schedule_share(&s->schedule, &st->schedule, have, cap) : 0;
    if (n == 0 && have > 0)
        return NGHTTP2_ERR_DEFERRED;
    st->promised = n;
    *flags |= NGHTTP2_DATA_FLAG_NO_COPY;
    if (n == have && st->tx_ended) {
        *flags |= NGHTTP2_DATA_FLAG_EOF;
        if (st->trailers && st->trailers->count > 0) {
            *flags |= NGHTTP2_DATA_FLAG_NO_END_STREAM;
            if (submit_trailers(st) != 0)
                return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
        }
    }
    return (ssize_t)n;
}

static nghttp2_data_provider provider(struct h2_stream *st)
{
    return (nghttp2_data_provider){.source.ptr = st, .read_callback = read_body};
}

static void leg_head(struct leg *leg, const struct message *m, bool end)
{
    struct h2_stream *st = h2_stream_of(leg);
    if (!may_send(st))
        return;
    nghttp2_session *ng = st->session->ng;
    struct h2_head l;
    h2_head_of(&l, m);
    if (m->status >= 100 && m->status < 200) {
        nghttp2_submit_headers(ng, NGHTTP2_FLAG_NONE, st->id, NULL, l.v, l.count, NULL);
    } else {
        nghttp2_data_provider body = provider(st);
        st->tx_open = !end;
        st->tx_ended = end;
        nghttp2_submit_response(ng, st->id, l.v, l.count, end ? NULL : &body);
    }
    h2_head_release(&l);
    h2_session_mark(st->session);
    over_if_both(st);
}

static void wake_provider(struct h2_stream *st)
{
    schedule_ready(&st->session->schedule, &st->schedule, buf_len(&st->tx));
    h2_session_mark(st->session);
}

static void leg_body(struct leg *leg, struct slice data, bool end)
{
    struct h2_stream *st = h2_stream_of(leg);
    if (!may_send(st) || st->tx_ended)
        return;
    if (data.len > 0 && st->tx.ptr && data.ptr == st->tx.ptr + st->tx.end)
        buf_commit(&st->tx, data.len); /* it was put there: stream_place */
    else if (buf_append(&st->tx, data) < 0)
        abort(); /* the limit is half the address space */
    st->tx_ended = end;
    wake_provider(st);
    over_if_both(st);
}

enum { PLACE_MUCH = 64 * 1024, PLACE_ROOM = 512 * 1024 };

/* A body of which much is read at once will want more: growing by and by would copy what waits. */
static void make_room(struct h2_stream *st, size_t bytes)
{
    if (st->tx.cap == 0 && bytes >= PLACE_MUCH && !buf_reserve(&st->tx, PLACE_ROOM))
        abort(); /* the limit is half the address space */
    if (buf_len(&st->tx) == 0)
        buf_headroom(&st->tx, FRAME_HEAD);
}

static char *stream_place(struct leg *leg, size_t bytes)
{
    struct h2_stream *st = h2_stream_of(leg);
    if (bytes == 0 && buf_len(&st->tx) == 0)
        buf_release(&st->tx);
    if (!may_send(st) || st->tx_ended || bytes == 0)
        return NULL;
    make_room(st, bytes);
    return buf_reserve(&st->tx, bytes);
}

static void leg_trailers(struct leg *leg, const struct fields *t)
{
    struct h2_stream *st = h2_stream_of(leg);
    if (!may_send(st) || st->tx_ended)
        return;
    st->trailers = xcalloc(1, sizeof *st->trailers);
    fields_init(st->trailers);
    fields_copy(st->trailers, t);
    leg_body(leg, SLICE(""), true);
}

/* RFC 9113 8.1: a complete answer to an upload that still runs is followed by RST_STREAM(NO_ERROR),
 * or the peer sends the rest. */
void h2_stream_sent(struct h2_stream *st, bool end)
{
    st->headers_sent = true;
    if (!end)
        return;
    st->end_sent = true;
    schedule_leave(&st->session->schedule, &st->schedule);
    over_if_both(st);
    if (st->session->role == H2_SERVER && !st->connect && !st->rx_ended && !st->reset_sent) {
        st->reset_sent = true;
        nghttp2_submit_rst_stream(st->session->ng, NGHTTP2_FLAG_NONE, st->id, NGHTTP2_NO_ERROR);
    }
}

static void submit_reset(struct h2_stream *st)
{
    st->reset_sent = true;
    nghttp2_submit_rst_stream(st->session->ng, NGHTTP2_FLAG_NONE, st->id, st->reset_code);
    h2_session_mark(st->session);
}

void h2_stream_thaw(struct h2_stream *st)
{
    list_remove(&st->frozen);
    submit_reset(st);
}

/* Peers limit the resets they take, so ours are paced: over the burst a stream stays, frozen and
 * counted, until a token is there. */
static void reset_paced(struct h2_stream *st)
{
    struct h2_session *s = st->session;
    if (s->options.reset_rate == 0 || bucket_take(&s->resets, 1, loop_now_us(s->loop))) {
        submit_reset(st);
        return;
    }
    list_push(&s->frozen, &st->frozen);
    h2_session_arm(s);
}

/* But for what a frame that nghttp2 has made still takes from it. */
static void forget_tx(struct h2_stream *st)
{
    buf_truncate(&st->tx, st->promised);
    if (st->promised == 0)
        buf_release(&st->tx);
}

static void leg_reset(struct leg *leg, const struct leg_fault *why)
{
    struct h2_stream *st = h2_stream_of(leg);
    leg_untie(leg);
    if (!may_send(st))
        return;
    if (st->tx_ended && (why->err == ERR_OK || (st->rx_ended && buf_len(&st->tx) == 0)))
        return; /* complete, or answered: then h2_stream_sent stops the upload */
    st->reset_code = why->h2_code                     ? why->h2_code
                     : st->session->role == H2_OPENER ? (uint32_t)NGHTTP2_CANCEL
                                                      : (uint32_t)NGHTTP2_INTERNAL_ERROR;
    forget_tx(st);
    h2_stream_give_back(st, st->reader.held);
    if (st->session->role == H2_OPENER)
        reset_paced(st);
    else
        submit_reset(st);
}

static void leg_want_body(struct leg *leg)
{
    (void)leg; /* the stream's window bounds what comes unasked */
}

static const struct leg_ops stream_leg_ops = {
    .head = leg_head,
    .body = leg_body,
    .place = stream_place,
    .trailers = leg_trailers,
    .want_body = leg_want_body,
    .credit = h2_stream_credit,
    .reset = leg_reset,
};

struct leg *h2_stream_open(struct h2_session *s, const struct message *m, bool end,
                           const struct leg_events *events, void *exchange)
{
    if (!h2_session_can_open(s))
        return NULL;
    struct h2_stream *st = h2_stream_new(s, 0);
    struct h2_head l;
    h2_head_of(&l, m);
    nghttp2_data_provider body = provider(st);
    st->connect = m->protocol.len > 0;
    h2_stream_count_request(st);
    st->tx_open = !end;
    st->tx_ended = end;
    st->id = nghttp2_submit_request(s->ng, NULL, l.v, l.count, end ? NULL : &body, st);
    h2_head_release(&l);
    if (st->id < 0) {
        h2_stream_closed(st, NULL);
        return NULL;
    }
    leg_tie(&st->leg, events, exchange);
    h2_session_mark(s);
    return &st->leg;
}

void h2_stream_set_class(struct leg *leg, enum h2_class c)
{
    h2_stream_of(leg)->schedule.interactive = c == H2_INTERACTIVE;
}
