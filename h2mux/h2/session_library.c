/* SPDX-License-Identifier: MIT */
/* session_library.c - has nghttp2's callbacks: they turn received frames into calls of streams,
 * write DATA frames, and count nuisance (frames that cost the peer nothing, fact G6). A callback
 * only submits frames and queues tasks. */
#include "h2mux/h2/session_int.h"
#include "h2mux/h2/stream_head.h"

#include <stdlib.h>

enum {
    LARGE_LIST = 64, /* units of nuisance: 100 bytes can stand for 400 KB of fields */
    SMALL_INCREMENT = 1024,
    MAX_INTERIM = 8,
    CREDITS_OF_DATA = 2, /* WINDOW_UPDATEs that one DATA frame may cause */
    CREDITS_MAX = 20000, /* more than the small frames of one round trip */
    /* Frames of a stream that a peer may send before it learns of the stream's end. */
    CROSSING_CLOSED = 16,
    /* After this side has reset a stream, the peer may still send one frame for each CROSSING_BYTES
     * bytes of the stream's window. */
    CROSSING_BYTES = 1024
};

/* Units of nuisance at once, and a second: of a link, of a stranger, whose connection is one
 * person's, and of a service, which may answer each piece of an upload by a PING (fact G37). */
enum { GLITCH_BURST = 10000, GLITCH_RATE = 330 };
enum { STRANGER_BURST = 1000, STRANGER_RATE = 33 };
enum { SERVICE_BURST = 100000, SERVICE_RATE = 33000 };

void h2_session_init_nuisance(struct h2_session *s)
{
    uint64_t burst = GLITCH_BURST, rate = GLITCH_RATE;
    if (s->options.stranger)
        burst = STRANGER_BURST, rate = STRANGER_RATE;
    else if (s->options.service)
        burst = SERVICE_BURST, rate = SERVICE_RATE;
    bucket_init(&s->nuisance.glitches, burst, rate, s->keepalive.created_us);
}

static struct h2_stream *stream_of(nghttp2_session *ng, int32_t id)
{
    return nghttp2_session_get_stream_user_data(ng, id);
}

static int on_begin_headers(nghttp2_session *ng, const nghttp2_frame *frame, void *user)
{
    struct h2_session *s = user;
    stream_host_begin_head(&s->host);
    if (frame->headers.cat == NGHTTP2_HCAT_REQUEST)
        nghttp2_session_set_stream_user_data(ng, frame->hd.stream_id,
                                             h2_stream_new(&s->host, frame->hd.stream_id));
    return 0;
}

/* Adds one received field to the head of its stream. If the head is larger than our limits, the
 * stream is reset and the link stays alive, because MAX_HEADER_LIST_SIZE is only advice (RFC 9113
 * 6.5.2). A stranger's head is handed up without the rest of its fields, for an answer (rule
 * E15). */
static int on_header(nghttp2_session *ng, const nghttp2_frame *frame, nghttp2_rcbuf *name,
                     nghttp2_rcbuf *value, uint8_t flags, void *user)
{
    struct h2_session *s = user;
    struct h2_stream *st = stream_of(ng, frame->hd.stream_id);
    if (!st || st->rx.cut)
        return 0;
    nghttp2_vec n = nghttp2_rcbuf_get_buf(name), v = nghttp2_rcbuf_get_buf(value);
    if (h2_head_take(s->host.head, slice_make((const char *)n.base, n.len),
                     slice_make((const char *)v.base, v.len)) == ERR_OK)
        return 0;
    h2_session_glitch_of(s, LARGE_LIST, "header list too large");
    if (!s->host.stranger || st->rx.head_seen)
        return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
    st->rx.cut = true;
    return 0;
}

static void got_headers(struct h2_session *s, nghttp2_session *ng, const nghttp2_frame *frame)
{
    struct h2_stream *st = stream_of(ng, frame->hd.stream_id);
    if (!st)
        return;
    bool end = (frame->hd.flags & NGHTTP2_FLAG_END_STREAM) != 0;
    bool trailers = st->rx.head_seen;
    if (!trailers && s->host.head->status / 100 == 1 && ++st->rx.interim > MAX_INTERIM) {
        h2_session_glitch(s, "too many interim responses");
        return;
    }
    h2_stream_headers(st, trailers, end);
}

static void got_settings(struct h2_session *s, const nghttp2_frame *frame)
{
    if (frame->hd.flags & NGHTTP2_FLAG_ACK) {
        if (!s->settings.acked && s->ops->on_acked)
            s->ops->on_acked(s->user);
        s->settings.acked = true;
        return;
    }
    if (s->settings.up) {
        h2_session_glitch(s, "SETTINGS");
        if (s->ops->on_room)
            s->ops->on_room(s->user);
        return;
    }
    s->settings.up = true;
    if (s->host.role == H2_OPENER) /* they answer the 101, through every hop */
        s->host.flow.rtt_begin_us = s->host.last_rx_us - s->keepalive.created_us;
    if (s->options.service)
        h2_session_measured(s, s->host.flow.rtt_begin_us);
    else
        h2_session_measure_first(s);
    s->ops->on_up(s->user);
}

static void got_ping(struct h2_session *s, const nghttp2_frame *frame)
{
    uint64_t sent, now = s->host.last_rx_us;
    if ((frame->hd.flags & NGHTTP2_FLAG_ACK) == 0) {
        h2_session_glitch(s, "PING");
        return;
    }
    if (s->keepalive.unanswered == 0)
        h2_session_glitch(s, "answer to no PING");
    else
        s->keepalive.unanswered--;
    memcpy(&sent, frame->ping.opaque_data, sizeof sent);
    s->keepalive.ping_deadline_us = 0;
    if (sent <= now && sent >= s->keepalive.created_us)
        h2_session_measured(s, now - sent);
    s->goaway.crossed |= s->goaway.noticed_us != 0 && sent >= s->goaway.noticed_us;
    wheel_timer_stop(&s->keepalive.timer); /* the timer waited for this answer */
    h2_session_arm(s);
}

static void got_goaway(struct h2_session *s, const nghttp2_frame *frame)
{
    struct slice debug =
        slice_make((const char *)frame->goaway.opaque_data, frame->goaway.opaque_data_len);
    if (s->goaway.received)
        h2_session_glitch(s, "GOAWAY");
    s->goaway.received = true;
    s->ops->on_goaway(s->user, debug);
}

/* Counts a WINDOW_UPDATE of less than 1 KiB as nuisance, unless our DATA may have caused the frame:
 * a viewer who reads slowly makes the peer's WINDOW_UPDATEs small. */
static void got_credit(struct h2_session *s, uint32_t bytes)
{
    if (bytes >= SMALL_INCREMENT)
        return;
    if (s->nuisance.credits > 0)
        s->nuisance.credits--;
    else
        h2_session_glitch(s, "small WINDOW_UPDATE");
}

static void sent_data(struct h2_session *s, size_t bytes)
{
    if (bytes > 0 && s->nuisance.credits < CREDITS_MAX)
        s->nuisance.credits += CREDITS_OF_DATA;
}

/* Counts a reset by a stranger, or one that a stranger has provoked: each costs the work that its
 * request has begun, and the limit of open streams does not stop them (CVE-2023-44487,
 * CVE-2025-8671). On a link many peers who leave share one connection, and others count them. */
static void count_reset(struct h2_session *s, const char *kind)
{
    if (s->host.stranger)
        h2_session_glitch(s, kind);
}

/* Takes a PRIORITY_UPDATE, which only sessions with strangers know. One for a stream that has not
 * begun says nothing yet: the head of its request does. */
static void got_priority(nghttp2_session *ng, const nghttp2_ext_priority_update *u)
{
    struct h2_stream *st = stream_of(ng, u->stream_id);
    if (st)
        h2_stream_prioritise(st, slice_make((const char *)u->field_value, u->field_value_len));
}

static void got_data(struct h2_stream *st, const nghttp2_frame *frame)
{
    bool end = (frame->hd.flags & NGHTTP2_FLAG_END_STREAM) != 0;
    h2_stream_arrived(st, frame->hd.length, end);
    if (end)
        h2_stream_end(st);
}

static int on_frame_recv(nghttp2_session *ng, const nghttp2_frame *frame, void *user)
{
    struct h2_session *s = user;
    struct h2_stream *st;
    switch (frame->hd.type) {
    case NGHTTP2_HEADERS:
        got_headers(s, ng, frame);
        break;
    case NGHTTP2_DATA:
        if (frame->hd.length > 0 && frame->hd.length == frame->data.padlen &&
            (frame->hd.flags & NGHTTP2_FLAG_END_STREAM) == 0)
            h2_session_glitch(s, "DATA of padding");
        st = stream_of(ng, frame->hd.stream_id);
        if (st)
            got_data(st, frame);
        break;
    case NGHTTP2_SETTINGS:
        got_settings(s, frame);
        break;
    case NGHTTP2_PING:
        got_ping(s, frame);
        break;
    case NGHTTP2_GOAWAY:
        got_goaway(s, frame);
        break;
    case NGHTTP2_RST_STREAM:
        count_reset(s, "reset");
        st = stream_of(ng, frame->hd.stream_id);
        if (st)
            st->reset.came = true;
        break;
    case NGHTTP2_PRIORITY_UPDATE:
        got_priority(ng, frame->ext.payload);
        break;
    case NGHTTP2_WINDOW_UPDATE:
        got_credit(s, (uint32_t)frame->window_update.window_size_increment);
        break;
    default:
        break;
    }
    return 0;
}

/* Counts a frame that makes nghttp2 reset a stream. The limit of open streams does not stop a peer
 * that causes many resets (CVE-2025-8671). Returns 0. */
static int on_invalid_frame(nghttp2_session *ng, const nghttp2_frame *frame, int err, void *user)
{
    h2_session_glitch(user, "invalid frame");
    return 0;
}

/* Returns whether a frame is of a stream that is over. nghttp2 ignores these frames without a
 * callback. A PRIORITY frame may be of any stream (RFC 9113 6.3) and is counted elsewhere. */
static bool is_stray(const struct h2_session *s, const nghttp2_frame_hd *hd)
{
    if (hd->stream_id == 0 || hd->type == NGHTTP2_PRIORITY || stream_of(s->host.ng, hd->stream_id))
        return false;
    return s->host.role == H2_OPENER || hd->stream_id <= nghttp2_session_get_last_proc_stream_id(
                                                             s->host.ng); /* else it begins */
}

/* Returns whether the peer may have sent a frame before it learned of the stream's end. Each true
 * answer uses up one of the frames in nuisance.crossing. */
static bool crossed(struct h2_session *s)
{
    if (s->nuisance.crossing == 0)
        return false;
    s->nuisance.crossing--;
    return true;
}

/* Returns whether a frame is a PRIORITY frame of stream 0, which RFC 9113 6.3 forbids. nghttp2 does
 * not look at PRIORITY frames when the priorities of RFC 7540 are off. */
static bool is_priority_of_connection(const nghttp2_frame_hd *hd)
{
    return hd->type == NGHTTP2_PRIORITY && hd->stream_id == 0;
}

static int on_begin_frame(nghttp2_session *ng, const nghttp2_frame_hd *hd, void *user)
{
    struct h2_session *s = user;
    if (is_priority_of_connection(hd))
        nghttp2_session_terminate_session(ng, NGHTTP2_PROTOCOL_ERROR);
    if (is_stray(s, hd) && !crossed(s))
        h2_session_glitch(s, "frame of a stream that is over");
    if (hd->type == NGHTTP2_DATA && hd->length == 0 && (hd->flags & NGHTTP2_FLAG_END_STREAM) == 0)
        h2_session_glitch(s, "empty DATA");
    else if (hd->type == NGHTTP2_PRIORITY || hd->type > NGHTTP2_CONTINUATION)
        h2_session_glitch(s, hd->type == NGHTTP2_PRIORITY ? "PRIORITY" : "unknown frame");
    return 0;
}

/* Takes a piece of DATA: gives the connection credit back and hands the bytes to the stream. The
 * credit goes back on arrival, so that a stalled stream stops only itself; while a budget is spent,
 * the credit is kept back. */
static int on_data_chunk(nghttp2_session *ng, uint8_t flags, int32_t id, const uint8_t *data,
                         size_t len, void *user)
{
    struct h2_session *s = user;
    struct h2_stream *st = stream_of(ng, id);
    if (fill_is_spent(&s->host.flow.fill) || stream_host_starves_others(&s->host, len))
        stream_host_withhold(&s->host, len);
    else
        nghttp2_session_consume_connection(ng, len);
    if (st)
        h2_stream_data(st, slice_make((const char *)data, len));
    h2_session_measure(s, len);
    return 0;
}

/* Ignores a frame of unknown type (RFC 9113 4.1), which on_begin_frame has counted. */
static int on_unpack_extension(nghttp2_session *ng, void **payload, const nghttp2_frame_hd *hd,
                               void *user)
{
    return NGHTTP2_ERR_CANCEL;
}

/* Returns whether a reset with @code means that the peer has sent everything and only stops
 * reading. NO_ERROR means this (RFC 9113 8.1), and so does CANCEL by a peer that answers requests:
 * HAProxy ends a WebSocket with CANCEL. CANCEL by a peer that sends requests takes the request
 * back. */
static bool has_said_all(const struct h2_stream *st, uint32_t code)
{
    return st->rx.ended &&
           (code == NGHTTP2_NO_ERROR || (code == NGHTTP2_CANCEL && st->host->role == H2_OPENER));
}

/* Closes the stream that nghttp2 has closed. Always returns 0, because after an error nghttp2 1.52
 * leaks memory (fact G2). */
static int on_stream_close(nghttp2_session *ng, int32_t id, uint32_t code, void *user)
{
    struct h2_stream *st = stream_of(ng, id);
    if (!st)
        return 0;
    nghttp2_session_set_stream_user_data(ng, id, NULL);
    h2_session_of(st->host)->nuisance.crossing += CROSSING_CLOSED;
    struct leg_fault why = h2_fault(ERR_RESET, code, code == NGHTTP2_REFUSED_STREAM);
    why.refused = why.unprocessed && st->reset.came; /* else a GOAWAY says it: nghttp2 closes */
    bool in_order = st->rx.ended && st->tx.ended && code == NGHTTP2_NO_ERROR;
    if (has_said_all(st, code))
        why.err = ERR_CLOSED;
    h2_stream_closed(st, in_order ? NULL : &why);
    return 0;
}

/* Ends the session after nghttp2 itself has sent a GOAWAY with the error @code because of a wrong
 * frame. The owner gets the name of the code as the reason. */
static void sent_goaway(struct h2_session *s, uint32_t code)
{
    if (s->host.role == H2_SERVER && s->goaway.farewell.ptr && s->goaway.noticed_us == 0)
        h2_session_noticed(s);
    if (code != NGHTTP2_NO_ERROR)
        h2_session_end(s, code == NGHTTP2_ENHANCE_YOUR_CALM ? ERR_ABUSE : ERR_PROTOCOL, code,
                       nghttp2_http2_strerror(code), false);
}

/* Takes over that RST_STREAM has left. A stranger has provoked each that nghttp2 itself has sent.
 */
static void sent_reset(struct h2_session *s, const struct h2_stream *st, uint32_t code)
{
    s->nuisance.crossing += st->flow.window.size / CROSSING_BYTES;
    if (!st->reset.sent && code != NGHTTP2_NO_ERROR)
        count_reset(s, "provoked reset");
}

static int on_frame_send(nghttp2_session *ng, const nghttp2_frame *frame, void *user)
{
    struct h2_session *s = user;
    struct h2_stream *st = NULL;
    if (frame->hd.type == NGHTTP2_HEADERS || frame->hd.type == NGHTTP2_DATA ||
        frame->hd.type == NGHTTP2_RST_STREAM)
        st = stream_of(ng, frame->hd.stream_id);
    if (frame->hd.type == NGHTTP2_GOAWAY)
        sent_goaway(s, frame->goaway.error_code);
    else if (st && frame->hd.type == NGHTTP2_RST_STREAM)
        sent_reset(s, st, frame->rst_stream.error_code);
    else if (st)
        h2_stream_sent(st, (frame->hd.flags & NGHTTP2_FLAG_END_STREAM) != 0);
    if (st && frame->hd.type == NGHTTP2_HEADERS && st->flow.granted > 0)
        h2_session_measure_start(s);
    return 0;
}

/* Closes the stream of a request whose HEADERS nghttp2 could not send. nghttp2 has no stream for
 * this request, so no on_stream_close follows. */
static int on_frame_not_send(nghttp2_session *ng, const nghttp2_frame *frame, int err, void *user)
{
    struct h2_session *s = user;
    if (frame->hd.type != NGHTTP2_HEADERS || s->host.role != H2_OPENER ||
        stream_of(ng, frame->hd.stream_id))
        return 0;
    LIST_FOREACH (it, &s->host.streams) {
        struct h2_stream *st = CONTAINER_OF(it, struct h2_stream, node);
        if (st->id == frame->hd.stream_id && !st->tx.head_sent) {
            struct leg_fault why = h2_fault(ERR_RESET, NGHTTP2_REFUSED_STREAM, true);
            h2_stream_closed(st, &why);
            break;
        }
    }
    return 0;
}

enum { IN_PLACE_MIN = 8 * 1024 };

/* Writes a large DATA frame without a copy: puts @header before the bytes in the stream's queue,
 * and writes both from there. A frame of SCHEDULE_FRAME bytes is one full TLS record. Returns 0, or
 * ERR_AGAIN if the frame is small or the queue has no room before its bytes. */
static int frame_in_place(struct h2_session *s, struct h2_stream *st, struct slice header,
                          size_t length)
{
    if (length < IN_PLACE_MIN || !buf_prepend(&st->tx.queue, header))
        return ERR_AGAIN;
    struct slice frame = buf_slice(&st->tx.queue);
    frame.len = header.len + length;
    h2_session_write_out(s);
    sock_write(s->sock, frame);
    s->tx.framed += frame.len;
    buf_consume(&st->tx.queue, header.len);
    return ERR_OK;
}

static int frame_by_copy(struct h2_session *s, struct h2_stream *st, struct slice header,
                         size_t length)
{
    struct slice body = buf_slice(&st->tx.queue);
    body.len = length;
    int err = buf_append(s->tx.out, header);
    return err < 0 ? err : buf_append(s->tx.out, body);
}

/* Returns the largest length of the next DATA frame: SCHEDULE_FRAME, or the peer's window if that
 * is smaller. Every peer takes frames of 16,384 bytes (RFC 9113 4.2). */
static ssize_t on_read_length(nghttp2_session *ng, uint8_t type, int32_t id, int32_t connection,
                              int32_t stream, uint32_t max_frame, void *user)
{
    int32_t window = connection < stream ? connection : stream;
    return window < SCHEDULE_FRAME ? window : SCHEDULE_FRAME;
}

/* Writes the DATA frame that nghttp2 has made. Returns NGHTTP2_ERR_WOULDBLOCK if the chunk is full,
 * because nghttp2 would make frames as long as there is DATA and window. */
static int on_send_data(nghttp2_session *ng, nghttp2_frame *frame, const uint8_t *header,
                        size_t length, nghttp2_data_source *source, void *user)
{
    struct h2_session *s = user;
    struct h2_stream *st = source->ptr;
    struct slice head = slice_make((const char *)header, FRAME_HEAD);
    if (!h2_session_room(s))
        return NGHTTP2_ERR_WOULDBLOCK;
    if (frame_in_place(s, st, head, length) < 0 && frame_by_copy(s, st, head, length) < 0)
        return NGHTTP2_ERR_CALLBACK_FAILURE; /* cannot happen: a chunk and a frame fit */
    buf_consume(&st->tx.queue, length);
    st->tx.promised = 0;
    sent_data(s, length);
    st->tx.framed += length;
    h2_stream_tail_left(st, length);
    schedule_framed(&s->host.schedule, &st->schedule, length);
    if (s->host.parties.count > 0)
        h2_session_count_turn(s, length);
    if (buf_len(&st->tx.queue) == 0)
        buf_release(&st->tx.queue);
    if (length > 0 && st->leg.events)
        st->leg.events->on_sent(st->leg.exchange, &st->leg, length);
    return 0;
}

void h2_session_reject(struct h2_session *s, ssize_t err)
{
    bool flood = err == NGHTTP2_ERR_FLOODED || err == NGHTTP2_ERR_TOO_MANY_CONTINUATIONS;
    h2_session_end(s, flood ? ERR_ABUSE : ERR_PROTOCOL,
                   flood ? NGHTTP2_ENHANCE_YOUR_CALM : NGHTTP2_PROTOCOL_ERROR,
                   nghttp2_strerror((int)err), false);
}

void h2_session_callbacks(nghttp2_session_callbacks *callbacks)
{
    nghttp2_session_callbacks_set_on_begin_headers_callback(callbacks, on_begin_headers);
    nghttp2_session_callbacks_set_on_header_callback2(callbacks, on_header);
    nghttp2_session_callbacks_set_on_frame_recv_callback(callbacks, on_frame_recv);
    nghttp2_session_callbacks_set_on_invalid_frame_recv_callback(callbacks, on_invalid_frame);
    nghttp2_session_callbacks_set_on_begin_frame_callback(callbacks, on_begin_frame);
    nghttp2_session_callbacks_set_on_data_chunk_recv_callback(callbacks, on_data_chunk);
    nghttp2_session_callbacks_set_on_stream_close_callback(callbacks, on_stream_close);
    nghttp2_session_callbacks_set_on_frame_send_callback(callbacks, on_frame_send);
    nghttp2_session_callbacks_set_on_frame_not_send_callback(callbacks, on_frame_not_send);
    nghttp2_session_callbacks_set_unpack_extension_callback(callbacks, on_unpack_extension);
    nghttp2_session_callbacks_set_send_data_callback(callbacks, on_send_data);
    nghttp2_session_callbacks_set_data_source_read_length_callback(callbacks, on_read_length);
}
