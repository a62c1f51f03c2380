/* SPDX-License-Identifier: MIT */
/* stream.c - makes one HTTP/2 stream a leg (leg.h): submits heads, bodies and resets to nghttp2,
 * and hands received heads and bodies up to the exchange. stream_head.c translates fields,
 * stream_credit.c counts windows and credit.
 *
 * Body bytes from the exchange wait in a queue until nghttp2 frames them. Bytes that are handed up
 * are held until the exchange gives credit for them; nghttp2 then opens the peer's window by the
 * same number. So the stream's window bounds the bytes that lie between the two sockets. */
#include "h2mux/h2/stream_head.h"
#include "h2mux/h2/stream_int.h"

#include <stdlib.h>

#include "h2mux/base/check.h"
#include "h2mux/base/pool.h"

struct leg_fault h2_fault(int err, uint32_t h2_code, bool unprocessed)
{
    return (struct leg_fault){
        .err = err,
        .h2_code = h2_code,
        .unprocessed = unprocessed,
        .reason = h2_code ? nghttp2_http2_strerror(h2_code) : NULL,
    };
}

struct h2_stream *h2_stream_new(struct stream_host *h, int32_t id)
{
    struct h2_stream *st = pool_take_zeroed(sizeof *st);
    st->leg.ops = &h2_leg_ops;
    st->host = h;
    st->id = id;
    buf_init(&st->tx.queue, SIZE_MAX / 2); /* the window of the source bounds the queue */
    window_init(&st->flow.window, h->flow.initial);
    schedule_entry_init(&st->schedule);
    list_push(&h->streams, &st->node);
    h->open++;
    return st;
}

static void stream_free(void *object)
{
    struct h2_stream *st = object;
    buf_release(&st->tx.queue);
    if (st->tx.trailers)
        fields_deinit(st->tx.trailers);
    free(st->tx.trailers);
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
    if (st->rx.ended && st->tx.ended && buf_len(&st->tx.queue) == 0)
        leg_untie(&st->leg);
}

static void log_refusal(struct stream_host *h, const struct message *m, const char *reason)
{
    uint64_t suppressed;
    if (log_limit_pass(&h->refusals, loop_now_us(h->loop), &suppressed))
        LOG(WARN, "request_refused", LOG_STR("reason", reason), LOG_S("authority", m->authority),
            LOG_U("suppressed", suppressed));
}

void h2_stream_prioritise(struct h2_stream *st, struct slice value)
{
    st->schedule.urgency = priority_urgency(value);
}

/* Takes over with which earlier streams the peer says that the request belongs together. */
static void join_party(struct h2_stream *st, const struct message *m)
{
    uint64_t number;
    struct slice value = fields_value(&m->fields, st->host->party_field);
    if (value.len > 0 && slice_to_u64(value, INT32_MAX, &number) == ERR_OK)
        h2_stream_join(st, (uint32_t)number);
}

static void give_head(struct h2_stream *st, struct message *m, bool end)
{
    struct stream_host *h = st->host;
    m->has_body = !end;
    if (h->party_field.len > 0 && h->open > 1)
        join_party(st, m);
    if (st->rx.head_seen && m->protocol.len == 0)
        h2_stream_open_window(st, m, end);
    if (h->role == H2_OPENER) {
        if (st->leg.events)
            st->leg.events->on_head(st->leg.exchange, &st->leg, m, end);
        return;
    }
    m->http2 = true;
    if (!st->rx.cut && !h2_head_settle_authority(m)) {
        if (!h->ops->on_malformed(h, m, "host is not :authority"))
            log_refusal(h, m, "host is not :authority");
        fail_stream(st, NGHTTP2_PROTOCOL_ERROR);
        return;
    }
    if (h->stranger)
        h2_stream_prioritise(st, fields_value(&m->fields, SLICE("priority")));
    st->connect = slice_eq(m->method, SLICE("CONNECT"));
    h2_stream_count_request(st);
    h->ops->on_stream(h, &st->leg, m, end);
}

void h2_stream_headers(struct h2_stream *st, bool trailers, bool end)
{
    struct message m = stream_host_take_head(st->host);
    bool interim = m.status >= 100 && m.status < 200;
    if (trailers) {
        st->rx.ended = true;
        if (st->leg.events)
            st->leg.events->on_trailers(st->leg.exchange, &st->leg, &m.fields);
    } else {
        st->rx.head_seen = !interim;
        st->rx.ended = end;
        give_head(st, &m, end);
    }
    message_deinit(&m);
    over_if_both(st);
}

void h2_stream_end(struct h2_stream *st)
{
    if (st->rx.ended)
        return;
    st->rx.ended = true;
    if (st->leg.events)
        st->leg.events->on_body(st->leg.exchange, &st->leg, SLICE(""), true);
    over_if_both(st);
}

void h2_stream_closed(struct h2_stream *st, const struct leg_fault *why)
{
    struct stream_host *h = st->host;
    const struct leg_events *events = st->leg.events;
    void *exchange = st->leg.exchange;
    leg_untie(&st->leg);
    list_remove(&st->node);
    list_remove(&st->reset.frozen);
    schedule_leave(&h->schedule, &st->schedule);
    h2_stream_give_back(st, st->reader.held);
    h2_stream_tail_left(st, st->tail.held);
    bool upload = st->flow.body_counted && h->role == H2_SERVER;
    h2_stream_uncount(st);
    if (st->party)
        h2_party_leave(st);
    h->open--;
    if (upload)
        stream_host_fit_line(h);
    stream_host_retier(h);
    st->reset.sent = true; /* nothing can be submitted any more */
    loop_reap(h->loop, &st->reap, stream_free, st);
    if (events && why)
        events->on_reset(exchange, &st->leg, why);
    if (!h->over)
        h->ops->on_left(h);
}

/* ---- sending */

static int submit_trailers(struct h2_stream *st)
{
    struct h2_head l;
    h2_head_of_trailers(&l, st->tx.trailers);
    int err = nghttp2_submit_trailer(st->host->ng, st->id, l.v, l.count);
    h2_head_release(&l);
    return err;
}

static bool given_up(const struct h2_stream *st)
{
    return st->reset.sent || list_linked(&st->reset.frozen);
}

static bool may_send(const struct h2_stream *st)
{
    return !st->host->over && !given_up(st);
}

/* Returns how many bytes nghttp2 may put into the next DATA frame; on_send_data writes the bytes,
 * maybe much later. Returns NGHTTP2_ERR_DEFERRED if the stream has no bytes, does not have the
 * turn, or was reset here: a stream that was reset ends by its RST_STREAM, never in order. */
static ssize_t read_body(nghttp2_session *ng, int32_t id, uint8_t *to, size_t cap, uint32_t *flags,
                         nghttp2_data_source *source, void *user)
{
    struct h2_stream *st = source->ptr;
    struct stream_host *h = st->host;
    size_t have = buf_len(&st->tx.queue);
    if (given_up(st) || (have == 0 && !st->tx.ended)) {
        schedule_leave(&h->schedule, &st->schedule);
        return NGHTTP2_ERR_DEFERRED;
    }
    size_t n = have > 0 ? schedule_share(&h->schedule, &st->schedule, have, cap) : 0;
    if (n == 0 && have > 0)
        return NGHTTP2_ERR_DEFERRED;
    st->tx.promised = n;
    *flags |= NGHTTP2_DATA_FLAG_NO_COPY;
    if (n == have && st->tx.ended) {
        *flags |= NGHTTP2_DATA_FLAG_EOF;
        if (st->tx.trailers && st->tx.trailers->count > 0) {
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
    nghttp2_session *ng = st->host->ng;
    struct h2_head l;
    h2_head_of(&l, m);
    if (m->status >= 100 && m->status < 200) {
        nghttp2_submit_headers(ng, NGHTTP2_FLAG_NONE, st->id, NULL, l.v, l.count, NULL);
    } else {
        nghttp2_data_provider body = provider(st);
        st->tx.ended = end || st->tx.no_body;
        nghttp2_submit_response(ng, st->id, l.v, l.count, st->tx.ended ? NULL : &body);
    }
    h2_head_release(&l);
    stream_host_mark(st->host);
    over_if_both(st);
}

static void wake_provider(struct h2_stream *st)
{
    schedule_ready(&st->host->schedule, &st->schedule, buf_len(&st->tx.queue));
    stream_host_mark(st->host);
}

static void leg_body(struct leg *leg, struct slice data, bool end)
{
    struct h2_stream *st = h2_stream_of(leg);
    if (!may_send(st) || st->tx.ended)
        return;
    if (data.len > 0 && st->tx.queue.ptr && data.ptr == st->tx.queue.ptr + st->tx.queue.end)
        buf_commit(&st->tx.queue, data.len); /* @data was put there: stream_place */
    else if (buf_append(&st->tx.queue, data) < 0)
        abort(); /* the limit is half the address space */
    st->tx.ended = end;
    wake_provider(st);
    over_if_both(st);
}

enum { PLACE_MUCH = 64 * 1024, PLACE_ROOM = 512 * 1024 };

/* Makes room in the queue for @bytes bytes. For a large read (64 KiB or more) an empty queue gets
 * 512 KiB at once, because more large reads will follow, and a queue that grows step by step copies
 * its bytes each time. An empty queue also gets room for a frame's header. */
static void make_room(struct h2_stream *st, size_t bytes)
{
    if (st->tx.queue.cap == 0 && bytes >= PLACE_MUCH && !buf_reserve(&st->tx.queue, PLACE_ROOM))
        abort(); /* the limit is half the address space */
    if (buf_len(&st->tx.queue) == 0)
        buf_headroom(&st->tx.queue, FRAME_HEAD);
}

static char *stream_place(struct leg *leg, size_t bytes)
{
    struct h2_stream *st = h2_stream_of(leg);
    if (bytes == 0 && buf_len(&st->tx.queue) == 0)
        buf_release(&st->tx.queue);
    if (!may_send(st) || st->tx.ended || bytes == 0)
        return NULL;
    make_room(st, bytes);
    return buf_reserve(&st->tx.queue, bytes);
}

static void leg_trailers(struct leg *leg, const struct fields *t)
{
    struct h2_stream *st = h2_stream_of(leg);
    if (!may_send(st) || st->tx.ended)
        return;
    if (st->tx.no_trailers) {
        leg_body(leg, SLICE(""), true);
        return;
    }
    st->tx.trailers = xcalloc(1, sizeof *st->tx.trailers);
    fields_init(st->tx.trailers);
    fields_copy(st->tx.trailers, t);
    leg_body(leg, SLICE(""), true);
}

/* Notes that a HEADERS or DATA frame has left. If a SERVER's answer is complete while the upload
 * still runs, RST_STREAM(NO_ERROR) follows, or the peer would send the rest of the upload (RFC 9113
 * 8.1). */
void h2_stream_sent(struct h2_stream *st, bool end)
{
    if (!st->tx.head_sent && st->host->role == H2_OPENER)
        h2_stream_start(st);
    st->tx.head_sent = true;
    if (!end)
        return;
    schedule_leave(&st->host->schedule, &st->schedule);
    over_if_both(st);
    if (st->host->role == H2_SERVER && !st->connect && !st->rx.ended && !st->reset.sent) {
        st->reset.sent = true;
        nghttp2_submit_rst_stream(st->host->ng, NGHTTP2_FLAG_NONE, st->id, NGHTTP2_NO_ERROR);
    }
}

static void submit_reset(struct h2_stream *st)
{
    st->reset.sent = true;
    nghttp2_submit_rst_stream(st->host->ng, NGHTTP2_FLAG_NONE, st->id, st->reset.code);
    stream_host_mark(st->host);
}

void h2_stream_thaw(struct h2_stream *st)
{
    list_remove(&st->reset.frozen);
    submit_reset(st);
}

/* Submits RST_STREAM, or freezes the stream, that is, makes its RST_STREAM wait until the bucket
 * has a token: a peer ends a connection that resets too many streams. A frozen stream still counts
 * as open. */
static void reset_paced(struct h2_stream *st)
{
    struct stream_host *h = st->host;
    if (!h->resets.paced || bucket_take(&h->resets.bucket, 1, loop_now_us(h->loop))) {
        submit_reset(st);
        return;
    }
    list_push(&h->resets.frozen, &st->reset.frozen);
    h->ops->arm(h);
}

/* Drops the queue, except for the bytes of a DATA frame that nghttp2 has already made. */
static void forget_tx(struct h2_stream *st)
{
    buf_truncate(&st->tx.queue, st->tx.promised);
    h2_stream_tail_left(st, st->tail.held);
    if (st->tx.promised == 0)
        buf_release(&st->tx.queue);
}

static void leg_reset(struct leg *leg, const struct leg_fault *why)
{
    struct h2_stream *st = h2_stream_of(leg);
    leg_untie(leg);
    if (!may_send(st))
        return;
    if (st->tx.ended && (why->err == ERR_OK || (st->rx.ended && buf_len(&st->tx.queue) == 0)))
        return; /* the answer is complete: h2_stream_sent stops the upload */
    st->reset.code = why->h2_code                  ? why->h2_code
                     : st->host->role == H2_OPENER ? (uint32_t)NGHTTP2_CANCEL
                                                   : (uint32_t)NGHTTP2_INTERNAL_ERROR;
    forget_tx(st);
    h2_stream_give_back(st, st->reader.held);
    h2_stream_forget_grant(st);
    if (st->host->role == H2_OPENER)
        reset_paced(st);
    else
        submit_reset(st);
}

/* Does nothing: a stream hands body bytes up without being asked, and its window bounds their
 * number. */
static void leg_want_body(struct leg *leg)
{
    (void)leg;
}

/* Marks the stream as interactive or as bulk. An interactive stream is framed before bulk while it
 * has at most 16 KiB queued (schedule.h). */
static void set_hint(struct leg *leg, enum leg_hint hint)
{
    h2_stream_of(leg)->schedule.interactive = hint == LEG_INTERACTIVE;
}

static bool is_of_many(struct leg *leg)
{
    return h2_stream_of(leg)->party;
}

/* Takes over what an answer may have. HTTP/2 frames every answer alike, so the rest of @how says
 * nothing to a stream. */
static void set_reply(struct leg *leg, const struct leg_reply *how)
{
    struct h2_stream *st = h2_stream_of(leg);
    st->tx.no_body = how->to_head;
    st->tx.no_trailers = !how->trailers;
}

bool h2_leg_is_cut(struct leg *leg)
{
    return h2_stream_of(leg)->rx.cut;
}

bool h2_leg_is_whole(struct leg *leg)
{
    return h2_stream_of(leg)->rx.ended;
}

const struct leg_ops h2_leg_ops = {
    .head = leg_head,
    .body = leg_body,
    .place = stream_place,
    .trailers = leg_trailers,
    .want_body = leg_want_body,
    .credit = h2_stream_credit,
    .reset = leg_reset,
    .taken = h2_stream_taken_by_peer,
    .hint = set_hint,
    .is_of_many = is_of_many,
    .reply = set_reply,
};

struct h2_stream *h2_stream_request(struct stream_host *h, const struct message *m, bool end,
                                    const struct leg_events *events, void *exchange)
{
    struct h2_stream *st = h2_stream_new(h, 0);
    struct h2_head l;
    h2_head_of(&l, m);
    nghttp2_data_provider body = provider(st);
    st->connect = m->protocol.len > 0;
    st->bodiless = slice_eq(m->method, SLICE("HEAD"));
    h2_stream_count_request(st);
    st->tx.ended = end;
    st->id = nghttp2_submit_request(h->ng, NULL, l.v, l.count, end ? NULL : &body, st);
    h2_head_release(&l);
    if (st->id < 0) {
        h2_stream_closed(st, NULL);
        return NULL;
    }
    leg_tie(&st->leg, events, exchange);
    stream_host_mark(h);
    return st;
}

/* Returns whether nghttp2 has the pointer to @st, or does not know the stream yet: nghttp2 knows an
 * OPENER's stream only after the stream's HEADERS have left. */
static bool library_knows(const struct h2_stream *st)
{
    bool told = st->host->role == H2_SERVER || st->tx.head_sent;
    return !told || nghttp2_session_get_stream_user_data(st->host->ng, st->id) == st;
}

static bool may_be_frozen(const struct h2_stream *st)
{
    return !st->reset.sent && st->host->role == H2_OPENER && st->host->resets.paced;
}

void h2_stream_check(const struct h2_stream *st)
{
    CHECK_THAT(list_linked(&st->node));
    CHECK_THAT(library_knows(st));
    CHECK_THAT(!list_linked(&st->reset.frozen) || may_be_frozen(st));
    CHECK_THAT(list_linked(&st->reader.node) == (st->reader.held > 0));
    CHECK_THAT(st->flow.still <= st->reader.held);
    CHECK_THAT(st->flow.promised <= st->flow.granted);
    CHECK_THAT(st->tx.promised <= buf_len(&st->tx.queue));
    CHECK_THAT(st->tail.held <= buf_len(&st->tx.queue));
    CHECK_THAT(list_linked(&st->tail.node) == (st->tail.held > 0));
    CHECK_THAT(!st->flow.request_counted || !st->connect);
}
