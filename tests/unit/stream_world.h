/* SPDX-License-Identifier: MIT */
/* stream_world.h - runs a session of ours against a plain nghttp2 session that sends bodies to it.
 * The test delivers what crosses, piece by piece, and reads for each stream. For tests of
 * stream_window.c and stream_line.c. */
#ifndef TESTS_UNIT_STREAM_WORLD_H
#define TESTS_UNIT_STREAM_WORLD_H

#include "stock.h"
#include "turns.h"

#include <stdlib.h>

#include "h2mux/base/clock.h"
#include "h2mux/h2/session_int.h"

enum { KI = 1024, MI = 1024 * KI, LINE_RATE = 125000000, LARGE = 512 * KI };

/* What our side knows of a stream: it reads what comes when the test says so. */
struct reader {
    struct leg *leg; /* NULL: over */
    size_t held, got;
    uint64_t taken, takes; /* each time that its system is asked, it has taken so much more */
    bool known;            /* it has a system that can be asked */
};

struct world {
    struct loop *loop;
    struct h2_session *session;
    struct sock *wire;  /* the peer's end */
    struct buf to_peer; /* frames that have left and have not been delivered */
    struct stock peer;  /* sends the bodies; peer.out has not been delivered either */
    struct reader readers[STOCK_STREAMS];
    size_t n_readers, open;
    uint64_t seed, look_us;
    struct line_rate learned; /* what the session has told last */
};

/* ---- our side */

static inline void on_head(void *x, struct leg *leg, struct message *m, bool end)
{
}

static inline void on_body(void *x, struct leg *leg, struct slice data, bool end)
{
    struct reader *r = x;
    r->held += data.len;
    r->got += data.len;
}

static inline void on_trailers(void *x, struct leg *leg, struct fields *t)
{
}

static inline void on_sent(void *x, struct leg *leg, size_t bytes)
{
}

static inline void on_reset(void *x, struct leg *leg, const struct leg_fault *why)
{
    struct reader *r = x;
    r->leg = NULL;
}

static inline bool on_taken(void *x, struct leg *leg, uint64_t *bytes)
{
    struct reader *r = x;
    *bytes = r->taken += r->takes;
    return r->known;
}

static const struct leg_events events = {.on_head = on_head,
                                         .on_body = on_body,
                                         .on_taken = on_taken,
                                         .on_trailers = on_trailers,
                                         .on_sent = on_sent,
                                         .on_reset = on_reset};

static inline struct reader *add_reader(struct world *w)
{
    assert_true(w->n_readers < STOCK_STREAMS);
    w->open++;
    return &w->readers[w->n_readers++];
}

static inline void on_up(void *user)
{
}

static inline void on_stream(void *user, struct leg *leg, struct message *m, bool end)
{
    struct reader *r = add_reader(user);
    r->leg = leg;
    leg_tie(leg, &events, r);
}

static inline void on_goaway(void *user, struct slice debug)
{
}

static inline void on_learned(void *user, const struct line_rate *learned)
{
    ((struct world *)user)->learned = *learned;
}

static inline void on_closed(void *user, int err, const char *reason)
{
    fail_msg("the session has ended: %s", reason);
}

static const struct h2_session_ops session_ops = {
    .on_up = on_up,
    .on_stream = on_stream,
    .on_goaway = on_goaway,
    .on_learned = on_learned,
    .on_closed = on_closed,
};

/* ---- the wire */

static inline void on_wire(void *user)
{
    struct world *w = user;
    char chunk[16 * 1024];
    for (ssize_t n; (n = sock_read(w->wire, chunk, sizeof chunk)) > 0;)
        assert_int_equal(buf_append(&w->to_peer, slice_make(chunk, (size_t)n)), 0);
}

static const struct sock_ops wire_ops = {.on_readable = on_wire};

static inline bool always(void *user)
{
    return true;
}

static inline void settle(struct world *w)
{
    for (int i = 0; i < 4; i++)
        turns_until(w->loop, always, w);
}

static inline void deliver_to_peer(struct world *w, size_t most)
{
    struct slice data = buf_slice(&w->to_peer);
    data.len = data.len < most ? data.len : most;
    stock_take(&w->peer, data);
    buf_consume(&w->to_peer, data.len);
    stock_frame(&w->peer);
}

static inline void deliver_to_us(struct world *w, size_t most)
{
    stock_frame(&w->peer);
    struct slice data = buf_slice(&w->peer.out);
    data.len = data.len < most ? data.len : most;
    sock_write(w->wire, data);
    settle(w);
    buf_consume(&w->peer.out, data.len);
}

static inline void deliver_all(struct world *w)
{
    do {
        deliver_to_peer(w, SIZE_MAX);
        deliver_to_us(w, SIZE_MAX);
    } while (buf_len(&w->to_peer) > 0);
}

/* The peer's SETTINGS come @late_us after our session has begun. Earlier links have @learned. */
static inline void world_open_again(struct world *w, enum h2_role ours, uint64_t late_us,
                                    const struct line_rate *learned)
{
    const struct h2_options options = {
        .line_rate = LINE_RATE,
        .learned = *learned,
        .rtt_us = late_us,
        .max_streams = 10000,
        .ping_timeout_ms = 60000,
        .settings_timeout_ms = 60000,
        .buffer_limit = 32 << 20,
        .stall_ms = 60000,
    };
    struct sock *end;
    memset(w, 0, sizeof *w);
    w->loop = loop_new();
    buf_init(&w->to_peer, SIZE_MAX / 2);
    sock_pair(w->loop, &end, &w->wire);
    sock_set_ops(w->wire, &wire_ops, w);
    w->session = h2_session_new(w->loop, end, ours, &options, &session_ops, w);
    w->session->keepalive.created_us -= late_us;
    stock_open(&w->peer, ours == H2_OPENER);
    stock_settings(&w->peer, 0);
    stock_frame(&w->peer);
    settle(w);
    deliver_all(w);
}

static inline void world_open_late(struct world *w, enum h2_role ours, uint64_t late_us)
{
    world_open_again(w, ours, late_us, &(struct line_rate){0});
}

static inline void world_open(struct world *w, enum h2_role ours)
{
    world_open_late(w, ours, 0);
}

static inline void world_close(struct world *w)
{
    h2_session_close(w->session, 0);
    sock_close(w->wire);
    settle(w);
    loop_free(w->loop);
    buf_release(&w->to_peer);
    stock_close(&w->peer);
}

/* ---- streams */

/* The request of @method and @protocol, of the viewer of @beside; NULL: of another one. */
static inline struct reader *request_beside(struct world *w, struct slice method,
                                            struct slice protocol, const struct reader *beside)
{
    struct message m;
    message_init(&m);
    m.method = method;
    m.protocol = protocol;
    m.scheme = SLICE("https");
    m.authority = SLICE("demo.example.com");
    m.path = SLICE("/");
    struct reader *r = add_reader(w);
    r->leg = h2_stream_open(w->session, &m, true, &events, r);
    assert_non_null(r->leg);
    if (beside)
        h2_leg_join(r->leg, beside->leg);
    message_deinit(&m);
    settle(w);
    return r;
}

static inline struct reader *request(struct world *w, struct slice method, struct slice protocol)
{
    return request_beside(w, method, protocol, NULL);
}

/* Opens a stream, whichever side does that. */
static inline void open_stream(struct world *w)
{
    if (w->session->host.role == H2_SERVER)
        stock_request(&w->peer);
    else
        request(w, SLICE("GET"), SLICE(""));
}

static inline void credit(struct reader *r, size_t bytes)
{
    r->held -= bytes;
    if (r->leg)
        r->leg->ops->credit(r->leg, bytes);
}

static inline void close_stream(struct world *w, struct reader *r)
{
    struct leg_fault why = {.err = ERR_CLOSED};
    struct leg *leg = r->leg;
    if (!leg)
        return;
    w->open--;
    r->leg = NULL;
    leg->ops->reset(leg, &why);
}

/* The timer looks for readers that are slow, 11 s later. */
static inline void look(struct world *w)
{
    w->look_us += 11000000;
    stream_host_look_for_slow(&w->session->host, w->look_us, false);
    settle(w);
}

/* Everything comes and is read. */
static inline void read_all(struct world *w)
{
    bool more = true;
    while (more) {
        deliver_all(w);
        more = false;
        for (size_t i = 0; i < w->n_readers; i++) {
            more |= w->readers[i].held > 0;
            if (w->readers[i].held > 0)
                credit(&w->readers[i], w->readers[i].held);
        }
        settle(w);
    }
    deliver_all(w);
}

/* The sender has what was granted, but for the credit that is kept until it is half a window, and
 * besides what it had been granted before its window was made smaller. */
static inline void check_windows(struct world *w)
{
    LIST_FOREACH (it, &w->session->host.streams) {
        const struct h2_stream *st = CONTAINER_OF(it, struct h2_stream, node);
        nghttp2_session *ng = w->session->host.ng;
        int32_t kept = nghttp2_session_get_stream_effective_recv_data_length(ng, st->id);
        int32_t has = nghttp2_session_get_stream_remote_window_size(w->peer.ng, st->id);
        int32_t size = (int32_t)st->flow.window.size;
        const struct stock_stream *sender = stock_find(&w->peer, st->id);
        int32_t owed = (int32_t)st->flow.owed;
        bool padded = w->peer.padding > 0; /* nghttp2 keeps credit of its own for that */
        bool granted = has + kept == size + owed && 2 * kept <= size;
        if (!(padded ? has > 0 : granted) || sender->left > 0)
            fail_msg("stream %d: window %d, at the sender %d, kept %d, owed %d, %zu bytes wait",
                     st->id, size, has, kept, owed, sender->left);
        assert_true(st->flow.window.size >= stream_host_least(&w->session->host));
    }
}

static inline void send_to_all(struct world *w, size_t bytes)
{
    for (size_t i = 0; i < w->peer.n_streams; i++)
        stock_send(&w->peer, &w->peer.streams[i], bytes);
}

/* Delivers what takes many turns of the loop. */
static inline void deliver_long(struct world *w, const struct reader *r)
{
    size_t got;
    do {
        got = r->got;
        for (int i = 0; i < 8; i++)
            deliver_all(w);
    } while (r->got > got);
}

/* A body of one stream, whose window is @learned by another and which is full. */
static inline struct reader *begin_full(struct world *w, uint32_t learned)
{
    world_open(w, H2_OPENER);
    struct stream_flow *f = &w->session->host.flow;
    f->rtt_us = f->rtt_least_us = 1;
    f->learned = learned;
    open_stream(w);
    deliver_all(w);
    struct reader *r = &w->readers[0];
    r->known = true;
    send_to_all(w, 16 << 20);
    deliver_long(w, r);
    return r;
}

/* Reads @total bytes in pieces. Returns the most that was held after a piece and what it let come.
 */
static inline size_t read_pieces(struct world *w, struct reader *r, size_t total)
{
    size_t most = 0;
    for (size_t piece; total > 0 && r->held > 0; total -= piece) {
        piece = r->held < 8 * KI ? r->held : 8 * KI;
        piece = piece < total ? piece : total;
        credit(r, piece);
        settle(w);
        deliver_all(w);
        most = r->held > most ? r->held : most;
    }
    assert_int_equal(total, 0);
    return most;
}

static inline uint32_t window_of(const struct world *w)
{
    return CONTAINER_OF(w->session->host.streams.next, struct h2_stream, node)->flow.window.size;
}

/* What the sender of the stream with @id may send, once all that has left has come. */
static inline int32_t window_at_peer(struct world *w, int32_t id)
{
    deliver_to_peer(w, SIZE_MAX);
    return nghttp2_session_get_stream_remote_window_size(w->peer.ng, id);
}

/* Opens @n streams. Returns the id of the last one. */
static inline int32_t open_streams(struct world *w, int n)
{
    while (n-- > 0)
        open_stream(w);
    return (int32_t)nghttp2_session_get_next_stream_id(w->session->host.ng) - 2;
}

#endif
