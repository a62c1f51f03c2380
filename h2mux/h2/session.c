/* SPDX-License-Identifier: MIT */
/* session.c - runs one nghttp2 session on one sock: feeds received bytes to nghttp2, and writes
 * frames once a turn. session_library.c has nghttp2's callbacks, session_time.c the timer,
 * session_end.c the end.
 *
 * Frames are made only while the sock's queue has room (pace.h), so that a short message does not
 * wait after all bulk that came before. */
#include "h2mux/h2/session_int.h"

#include <stdlib.h>

#include "h2mux/base/check.h"
#include "h2mux/base/clock.h"
#include "h2mux/io/congestion.h"

enum { READS_PER_TURN = 4, HEADER_LIST_MAX = 64 * 1024 };

static void run_frame(void *user);
static void run_opens(void *user);
static const struct sock_ops session_sock_ops;
static const struct stream_host_ops host_ops;

/* Returns the options of an nghttp2 session. Most options limit the peer: http-rules.md#links and
 * http-rules.md#nghttp2-152 give the reasons. */
static nghttp2_option *library_options(const struct h2_options *o)
{
    nghttp2_option *opt;
    if (nghttp2_option_new(&opt) != 0)
        abort();
    nghttp2_option_set_no_auto_window_update(opt, 1);
    nghttp2_option_set_peer_max_concurrent_streams(opt, 100); /* before its SETTINGS arrive */
    nghttp2_option_set_max_outbound_ack(opt, 100);
    nghttp2_option_set_max_settings(opt, 32);
    /* A head may have 8 CONTINUATION frames, which is also the limit of nghttp2 (fact G4). Our own
     * programs never send more than 3 for HEADER_LIST_MAX, but any program may be the peer. */
    nghttp2_option_set_max_continuations(opt, 8);
    nghttp2_option_set_max_send_header_block_length(opt, HEADER_LIST_MAX);
    /* Each viewer who leaves causes an RST_STREAM, and hundreds may leave at the same time. Those
     * of a stranger are nuisance (session_library.c). */
    nghttp2_option_set_stream_reset_rate_limit(opt, 100000, 10000);
    nghttp2_option_set_no_closed_streams(opt, 1);
    /* nghttp2 calls on_begin_frame for a frame of unknown type only if the type is registered
     * here. */
    for (unsigned type = NGHTTP2_CONTINUATION + 1; type <= UINT8_MAX; type++)
        if (!o->stranger || type != NGHTTP2_PRIORITY_UPDATE)
            nghttp2_option_set_user_recv_extension_type(opt, (uint8_t)type);
    if (o->stranger)
        nghttp2_option_set_builtin_recv_extension_type(opt, NGHTTP2_PRIORITY_UPDATE);
    return opt;
}

/* nghttp2 allocates with library_malloc (alloc.h), whose large blocks are not resident before their
 * first write. Each session has a buffer for the longest frame. Heads are framed at the buffer's
 * beginning and DATA never enters the buffer (NO_COPY), so most of its pages are never written
 * to. */
static nghttp2_mem library_memory = {NULL, library_malloc, library_free, library_calloc,
                                     library_realloc};

static void library_open(struct h2_session *s)
{
    nghttp2_session_callbacks *callbacks;
    if (nghttp2_session_callbacks_new(&callbacks) != 0)
        abort();
    h2_session_callbacks(callbacks);
    nghttp2_option *opt = library_options(&s->options);
    int err = s->host.role == H2_SERVER
                  ? nghttp2_session_server_new3(&s->host.ng, callbacks, s, opt, &library_memory)
                  : nghttp2_session_client_new3(&s->host.ng, callbacks, s, opt, &library_memory);
    if (err != 0)
        abort();
    nghttp2_option_del(opt);
    nghttp2_session_callbacks_del(callbacks);
}

/* Returns the window of the whole connection: 16 MiB, since the default of 65,535 bytes would slow
 * down every long transfer. A stranger has no more than its budget. */
static int32_t connection_window(const struct h2_session *s)
{
    bool less = s->options.stranger && s->options.buffer_limit < WINDOW_CONNECTION;
    return less ? (int32_t)s->options.buffer_limit : WINDOW_CONNECTION;
}

/* Submits our SETTINGS (RFC 9113 6.5), and opens the connection's window. */
static void submit_settings(struct h2_session *s)
{
    const nghttp2_settings_entry opener[] = {
        {NGHTTP2_SETTINGS_ENABLE_PUSH, 0},
        {NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, s->host.flow.initial},
        {NGHTTP2_SETTINGS_MAX_HEADER_LIST_SIZE, HEADER_LIST_MAX},
    };
    const nghttp2_settings_entry server[] = {
        {NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS, s->options.max_streams},
        {NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, s->host.flow.initial},
        {NGHTTP2_SETTINGS_MAX_HEADER_LIST_SIZE, HEADER_LIST_MAX},
        {NGHTTP2_SETTINGS_NO_RFC7540_PRIORITIES, 1},
        {NGHTTP2_SETTINGS_ENABLE_CONNECT_PROTOCOL, 1}, /* the last one: not to a stranger */
    };
    size_t of_server = sizeof server / sizeof *server - s->options.stranger;
    if (s->host.role == H2_OPENER)
        nghttp2_submit_settings(s->host.ng, NGHTTP2_FLAG_NONE, opener,
                                sizeof opener / sizeof *opener);
    else
        nghttp2_submit_settings(s->host.ng, NGHTTP2_FLAG_NONE, server, of_server);
    nghttp2_session_set_local_window_size(s->host.ng, NGHTTP2_FLAG_NONE, 0, connection_window(s));
}

/* Limits the unsent bytes in the kernel (TCP_NOTSENT_LOWAT). */
static void set_lowat(struct h2_session *s)
{
    s->tx.lowat = pace_queue(&s->tx.pace);
    sock_set_notsent_lowat(s->sock, (int)s->tx.lowat);
}

struct h2_session *h2_session_new(struct loop *l, struct sock *sock, enum h2_role role,
                                  const struct h2_options *o, const struct h2_session_ops *ops,
                                  void *user)
{
    struct h2_session *s = xcalloc(1, sizeof *s);
    stream_host_init(&s->host, l, role, o, &host_ops, &h2_stream_evict_ops, &h2_stream_tail_ops);
    s->sock = sock;
    s->options = *o;
    s->ops = ops;
    s->user = user;
    s->keepalive.created_us = s->host.last_rx_us;
    h2_session_init_nuisance(s);
    task_init(&s->host.frame, run_frame, s);
    task_init(&s->closing.task, h2_session_run_end, s);
    wheel_timer_init(&s->keepalive.timer, h2_session_run_timer, s);
    timer_init(&s->keepalive.first, l, h2_session_measure_first, s);
    timer_init(&s->tx.opens, l, run_opens, s);
    h2_session_init_turn(s);
    library_open(s);
    submit_settings(s);
    sock_set_ops(sock, &session_sock_ops, s);
    set_lowat(s);
    congestion_set(sock_fd(sock), o->congestion);
    sock_read_ahead(sock);
    stream_host_mark(&s->host);
    h2_session_arm(s);
    return s;
}

/* ---- sending */

/* Gives the turn to the next stream that waits: nghttp2 may ask this stream for DATA. Returns false
 * if no stream waits, or if the connection's window is used up. A stream whose head has not left or
 * whose own window is used up sends nothing in its turn. nghttp2 asks for its DATA when this has
 * changed, and the stream waits for a turn again. */
static bool next_turn(struct h2_session *s)
{
    struct schedule_entry *e = NULL;
    if (nghttp2_session_get_remote_window_size(s->host.ng) > 0)
        e = schedule_next(&s->host.schedule);
    else
        schedule_end_turn(&s->host.schedule);
    if (e)
        nghttp2_session_resume_data(s->host.ng, CONTAINER_OF(e, struct h2_stream, schedule)->id);
    return e;
}

/* Makes frames until the chunk is full or nothing is left to send. nghttp2 makes control frames and
 * heads in its own order, and DATA stream by stream as the schedule says. Returns false if nghttp2
 * fails. */
static bool gather(struct h2_session *s)
{
    schedule_preempt(&s->host.schedule);
    while (h2_session_room(s)) {
        const uint8_t *frames;
        ssize_t n = nghttp2_session_mem_send(s->host.ng, &frames);
        if (n < 0)
            return false;
        if (n > 0 && buf_append(s->tx.out, slice_make((const char *)frames, (size_t)n)) < 0)
            return false;
        if (n == 0 && h2_session_room(s) && !next_turn(s))
            return true;
    }
    return true;
}

bool h2_session_room(const struct h2_session *s)
{
    size_t queue = pace_ahead(&s->tx.pace);
    return s->tx.framed + buf_len(s->tx.out) < (queue < H2_OUT_CHUNK ? queue : H2_OUT_CHUNK);
}

void h2_session_write_out(struct h2_session *s)
{
    s->tx.framed += buf_len(s->tx.out);
    sock_write(s->sock, buf_slice(s->tx.out));
    buf_truncate(s->tx.out, 0);
}

static bool finished(const struct h2_session *s)
{
    return nghttp2_session_want_read(s->host.ng) == 0 &&
           nghttp2_session_want_write(s->host.ng) == 0;
}

/* Returns how many bytes of bulk may be added to what is under way (flight.h). */
static uint64_t room_in_flight(struct h2_session *s, uint64_t now)
{
    struct sock_flight k;
    if (s->host.flow.rtt_least_us <= WINDOW_NEAR_US || !sock_flight(s->sock, &k))
        return UINT64_MAX;
    struct flight_facts facts = {.bytes = k.bytes + sock_queued(s->sock),
                                 .acked = k.acked,
                                 .rtt_us = k.rtt_us,
                                 .least_us = k.least_us};
    return flight_room(&s->tx.flight, &facts, now);
}

static void admit(struct h2_session *s)
{
    uint64_t now = loop_now_us(s->host.loop);
    if (!schedule_has_bulk(&s->host.schedule) || !flight_asks(&s->tx.flight, now))
        return;
    uint64_t room = room_in_flight(s, now);
    schedule_admit(&s->host.schedule, room < SIZE_MAX ? (size_t)room : SIZE_MAX);
}

/* Looks again when bulk that waits for the flight may have room. */
static void wait_for_room(struct h2_session *s)
{
    const struct schedule *q = &s->host.schedule;
    if (s->host.over || q->room > 0 || !schedule_has_bulk(q) || timer_armed(&s->tx.opens))
        return;
    uint64_t us = flight_wait(&s->tx.flight, loop_now_us(s->host.loop));
    timer_arm(&s->tx.opens, us / 1000 + 1);
}

static void run_opens(void *user)
{
    struct h2_session *s = user;
    stream_host_mark(&s->host);
}

/* Makes and writes frames while fewer than @most_queued bytes are queued in the sock. Returns false
 * if nghttp2 fails. The frames are collected in the loop's buffer. A session that ends inside
 * another session's callbacks finds this buffer in use, and collects its frames in a buffer of its
 * own. */
bool h2_session_frame(struct h2_session *s, size_t most_queued)
{
    bool ok = true, taken = buf_len(loop_out(s->host.loop)) > 0;
    struct buf own;
    buf_init(&own, LOOP_OUT);
    s->closing.in_library++;
    s->tx.out = taken ? &own : loop_out(s->host.loop);
    while (ok && sock_queued(s->sock) < most_queued) {
        s->tx.framed = 0;
        ok = gather(s);
        bool goodbye = h2_session_say_goodbye(s);
        if (s->tx.framed + buf_len(s->tx.out) > 0)
            h2_session_write_out(s);
        else if (!goodbye)
            break;
    }
    s->tx.out = NULL;
    s->closing.in_library--;
    buf_release(&own);
    return ok;
}

static void run_frame(void *user)
{
    struct h2_session *s = user;
    if (s->host.over)
        return;
    budget_tell(s->host.flow.share);
    admit(s);
    if (!h2_session_frame(s, pace_ahead(&s->tx.pace)))
        h2_session_end(s, ERR_PROTOCOL, NGHTTP2_INTERNAL_ERROR, "frames cannot be written", false);
    else if (finished(s) && !s->closing.reason)
        h2_session_end(s, ERR_OK, NGHTTP2_NO_ERROR, "all streams are finished", false);
    else
        wait_for_room(s);
    if (CHECKING)
        h2_session_check(s);
}

/* ---- receiving */

static void feed(struct h2_session *s, const char *data, size_t len)
{
    s->host.last_rx_us = loop_now_us(s->host.loop);
    s->closing.in_library++;
    ssize_t n = nghttp2_session_mem_recv(s->host.ng, (const uint8_t *)data, len);
    s->closing.in_library--;
    stream_host_mark(&s->host);
    if (n < 0)
        h2_session_reject(s, n);
}

/* Reads whole TLS records into the scratch until there is no room for a full record, so that the
 * frames of one stream are handed on together. Returns the number of bytes, and stores the result
 * of the last read in @end. */
static size_t read_much(struct h2_session *s, ssize_t *end)
{
    size_t len = 0;
    *end = 1;
    while (LOOP_SCRATCH - len >= SOCK_RECORD_MAX && *end > 0) {
        *end = sock_read(s->sock, loop_scratch(s->host.loop) + len, LOOP_SCRATCH - len);
        len += *end > 0 ? (size_t)*end : 0;
    }
    return len;
}

static void on_readable(void *user)
{
    struct h2_session *s = user;
    ssize_t end = 1;
    for (int i = 0; i < READS_PER_TURN && end > 0 && !s->host.over; i++) {
        size_t len = read_much(s, &end);
        if (len > 0)
            feed(s, loop_scratch(s->host.loop), len);
    }
    if (end == ERR_ABUSE)
        h2_session_end(s, ERR_ABUSE, 0, "TLS KeyUpdate", false);
    else if (end <= 0 && end != ERR_AGAIN)
        h2_session_end(s, end == 0 ? ERR_EOF : (int)end, 0,
                       end == 0 ? "closed by the peer" : err_text((int)end), false);
    if (CHECKING)
        h2_session_check(s);
}

static void keep_pace(struct h2_session *s)
{
    uint64_t sent = sock_sent(s->sock);
    pace_sent(&s->tx.pace, sent - s->tx.seen, loop_now_us(s->host.loop), s->tx.backlogged);
    s->tx.seen = sent;
    s->tx.backlogged = sock_queued(s->sock) > 0;
    size_t queue = pace_queue(&s->tx.pace);
    if (queue >= 2 * s->tx.lowat || 2 * queue <= s->tx.lowat)
        set_lowat(s);
}

static void on_sent(void *user)
{
    struct h2_session *s = user;
    if (!s->host.over)
        keep_pace(s);
    if (!s->host.over && (nghttp2_session_want_write(s->host.ng) ||
                          schedule_waits(&s->host.schedule) || s->goaway.farewell.ptr))
        stream_host_mark(&s->host);
}

static void on_error(void *user, int err, const char *reason)
{
    h2_session_end(user, err, 0, reason, false);
}

static const struct sock_ops session_sock_ops = {
    .on_readable = on_readable,
    .on_sent = on_sent,
    .on_error = on_error,
};

void h2_session_glitch_of(struct h2_session *s, uint64_t weight, const char *kind)
{
    if (!bucket_take(&s->nuisance.glitches, weight, s->host.last_rx_us))
        h2_session_end(s, ERR_ABUSE, NGHTTP2_ENHANCE_YOUR_CALM, kind, false);
}

void h2_session_glitch(struct h2_session *s, const char *kind)
{
    h2_session_glitch_of(s, 1, kind);
}

/* ---- for its streams */

static void on_stream(struct stream_host *h, struct leg *leg, struct message *m, bool end)
{
    struct h2_session *s = h2_session_of(h);
    s->ops->on_stream(s->user, leg, m, end);
}

static bool on_malformed(struct stream_host *h, const struct message *m, const char *reason)
{
    struct h2_session *s = h2_session_of(h);
    if (s->ops->on_malformed)
        s->ops->on_malformed(s->user, m, reason);
    return s->ops->on_malformed;
}

static void on_wire(struct stream_host *h, uint64_t *written, uint64_t *taken)
{
    struct h2_session *s = h2_session_of(h);
    *written = sock_sent(s->sock) + sock_queued(s->sock);
    *taken = sock_taken(s->sock);
}

static void on_left(struct stream_host *h)
{
    struct h2_session *s = h2_session_of(h);
    if (s->ops->on_room)
        s->ops->on_room(s->user);
    if (h->open == 0 && !h->over && s->ops->on_idle)
        s->ops->on_idle(s->user);
}

static void on_evicted(struct stream_host *h, uint64_t stalled_ms, uint64_t bytes)
{
    struct h2_session *s = h2_session_of(h);
    if (s->ops->on_evicted)
        s->ops->on_evicted(s->user, stalled_ms, bytes);
}

static void arm(struct stream_host *h)
{
    h2_session_arm(h2_session_of(h));
}

static void on_learned(struct stream_host *h)
{
    struct h2_session *s = h2_session_of(h);
    if (s->ops->on_learned)
        s->ops->on_learned(s->user, &h->flow.line.learned);
}

static const struct stream_host_ops host_ops = {
    .on_stream = on_stream,
    .on_malformed = on_malformed,
    .on_wire = on_wire,
    .on_left = on_left,
    .on_evicted = on_evicted,
    .arm = arm,
    .on_learned = on_learned,
};

struct leg *h2_stream_open(struct h2_session *s, const struct message *m, bool end,
                           const struct leg_events *events, void *exchange)
{
    if (!h2_session_can_open(s))
        return NULL;
    struct h2_stream *st = h2_stream_request(&s->host, m, end, events, exchange);
    return st ? &st->leg : NULL;
}

/* ---- facts */

bool h2_session_can_open(const struct h2_session *s)
{
    return !s->host.over && s->settings.up && !s->goaway.sent && !s->goaway.received &&
           nghttp2_session_check_request_allowed(s->host.ng) != 0;
}

bool h2_session_ids_low(const struct h2_session *s)
{
    return nghttp2_session_get_next_stream_id(s->host.ng) >= 1u << 30;
}

bool h2_session_takes_websockets(const struct h2_session *s)
{
    return nghttp2_session_get_remote_settings(s->host.ng,
                                               NGHTTP2_SETTINGS_ENABLE_CONNECT_PROTOCOL) == 1;
}

uint32_t h2_session_peer_limit(const struct h2_session *s)
{
    return nghttp2_session_get_remote_settings(s->host.ng, NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS);
}

uint32_t h2_session_open_streams(const struct h2_session *s)
{
    return s->host.open;
}

uint64_t h2_session_round_trip_us(const struct h2_session *s)
{
    return s->host.flow.rtt_least_us;
}

uint32_t h2_session_lost_streams(const struct h2_session *s)
{
    return s->closing.lost;
}

uint64_t h2_session_last_rx_us(const struct h2_session *s)
{
    return s->host.last_rx_us;
}

void h2_session_confine(struct h2_session *s)
{
    if (!s->host.over && nghttp2_submit_origin(s->host.ng, NGHTTP2_FLAG_NONE, NULL, 0) == 0)
        stream_host_mark(&s->host);
}

struct sock *h2_session_sock(struct h2_session *s)
{
    return s->sock;
}
