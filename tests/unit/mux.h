/* SPDX-License-Identifier: MIT */
/* mux.h - two sessions tied together in memory, and streams that send one way over them: what came
 * of each at the other end, and in which order. For tests of what sessions frame. */
#ifndef TESTS_UNIT_MUX_H
#define TESTS_UNIT_MUX_H

#include "wire.h"

#include "h2mux/h2/session_int.h"

enum { MUX_STREAMS = 16, MUX_RUNS = 1024, MUX_WINDOW = 1024 * 1024 };

/* The end that sends its body and the end that reads it. */
struct mux_stream {
    struct mux *mux;
    struct leg *tx, *rx; /* NULL once reset */
    struct buf got;
    size_t written, sent, held;
    size_t refill; /* so many bytes more whenever bytes have left */
    bool hold;     /* no credit is given */
    bool ended, trailers, tx_reset, rx_reset;
};

struct mux {
    struct loop *loop;
    struct h2_session *opener, *server;
    struct h2_session *tx, *rx; /* of them: the sender, the reader */
    enum h2_role sender;
    bool up, acked;
    struct mux_stream streams[MUX_STREAMS];
    size_t n_streams;
    /* Bytes of one stream, without others' between them, as they came. */
    struct {
        const struct mux_stream *of;
        size_t bytes;
    } runs[MUX_RUNS];
    size_t n_runs;
};

/* ---- what streams are told */

static void mux_write(struct mux_stream *s, size_t bytes, bool end)
{
    char *data = xcalloc(1, bytes + 1);
    for (size_t i = 0; i < bytes; i++)
        data[i] = wire_byte(s->written + i);
    s->written += bytes;
    s->tx->ops->body(s->tx, slice_make(data, bytes), end);
    free(data);
}

static void mux_note(struct mux_stream *s, size_t bytes)
{
    struct mux *m = s->mux;
    if (m->n_runs == 0 || m->runs[m->n_runs - 1].of != s) {
        assert_true(m->n_runs < MUX_RUNS);
        m->runs[m->n_runs++].of = s;
    }
    m->runs[m->n_runs - 1].bytes += bytes;
}

static void mux_on_head(void *x, struct leg *leg, struct message *m, bool end)
{
    struct mux_stream *s = x;
    if (s->mux->sender == H2_SERVER)
        s->rx = leg;
}

static void mux_on_body(void *x, struct leg *leg, struct slice data, bool end)
{
    struct mux_stream *s = x;
    assert_int_equal(buf_append(&s->got, data), 0);
    s->ended |= end;
    if (data.len > 0)
        mux_note(s, data.len);
    if (s->hold)
        s->held += data.len;
    else
        leg->ops->credit(leg, data.len);
}

static void mux_on_trailers(void *x, struct leg *leg, struct fields *t)
{
    struct mux_stream *s = x;
    s->trailers = s->ended = true;
}

static void mux_on_sent(void *x, struct leg *leg, size_t bytes)
{
    struct mux_stream *s = x;
    s->sent += bytes;
    if (s->refill > 0)
        mux_write(s, s->refill, false);
}

static void mux_on_reset(void *x, struct leg *leg, const struct leg_fault *why)
{
    struct mux_stream *s = x;
    s->tx_reset |= leg == s->tx;
    s->rx_reset |= leg == s->rx;
    *(leg == s->tx ? &s->tx : &s->rx) = NULL;
}

static const struct leg_events mux_events = {.on_head = mux_on_head,
                                             .on_body = mux_on_body,
                                             .on_trailers = mux_on_trailers,
                                             .on_sent = mux_on_sent,
                                             .on_reset = mux_on_reset};

/* ---- what sessions are told */

static void mux_on_up(void *user)
{
    ((struct mux *)user)->up = true;
}

static void mux_on_acked(void *user)
{
    ((struct mux *)user)->acked = true;
}

/* The path is the stream's letter. */
static void mux_on_stream(void *user, struct leg *leg, struct message *m, bool end)
{
    struct mux *x = user;
    struct mux_stream *s = &x->streams[m->path.ptr[1] - 'A'];
    leg_tie(leg, &mux_events, s);
    *(x->sender == H2_SERVER ? &s->tx : &s->rx) = leg;
    if (x->sender == H2_OPENER)
        return;
    struct message answer;
    message_init(&answer);
    answer.status = 200;
    leg->ops->head(leg, &answer, false);
    message_deinit(&answer);
}

static void mux_on_goaway(void *user, struct slice debug)
{
}

static void mux_on_closed(void *user, int err, const char *reason)
{
    fail_msg("a session has ended: %s", reason);
}

static const struct h2_session_ops mux_opener_ops = {
    .on_up = mux_on_up, .on_goaway = mux_on_goaway, .on_closed = mux_on_closed};
static const struct h2_session_ops mux_server_ops = {.on_up = mux_on_up,
                                                     .on_acked = mux_on_acked,
                                                     .on_stream = mux_on_stream,
                                                     .on_goaway = mux_on_goaway,
                                                     .on_closed = mux_on_closed};

static const struct h2_options mux_options = {
    .max_streams = 100,
    .ping_timeout_ms = 60000,
    .settings_timeout_ms = 60000,
    .buffer_limit = 64 << 20,
    .stall_ms = 60000,
    .party_field = {"party", 5},
};

/* ---- for tests */

static inline bool mux_is_up(void *user)
{
    const struct mux *m = user;
    return m->up && m->acked;
}

static inline void mux_settle(struct mux *m)
{
    for (int i = 0; i < 6; i++)
        turns_until(m->loop, wire_always, m);
}

/* @sender: whose streams' bodies are looked at. */
static inline struct mux *mux_new(enum h2_role sender, const struct h2_options *o)
{
    struct mux *m = xcalloc(1, sizeof *m);
    struct sock *a, *b;
    m->loop = loop_new();
    m->sender = sender;
    sock_pair(m->loop, &a, &b);
    m->opener = h2_session_new(m->loop, a, H2_OPENER, o, &mux_opener_ops, m);
    m->server = h2_session_new(m->loop, b, H2_SERVER, o, &mux_server_ops, m);
    m->tx = sender == H2_OPENER ? m->opener : m->server;
    m->rx = sender == H2_OPENER ? m->server : m->opener;
    m->rx->host.flow.learned = MUX_WINDOW; /* streams may send so much from the start */
    turns_until(m->loop, mux_is_up, m);
    return m;
}

static inline void mux_free(struct mux *m)
{
    h2_session_close(m->opener, 0);
    h2_session_close(m->server, 0);
    mux_settle(m);
    loop_free(m->loop);
    for (size_t i = 0; i < m->n_streams; i++)
        buf_release(&m->streams[i].got);
    free(m);
}

static inline bool mux_last_is_open(void *user)
{
    const struct mux *m = user;
    const struct mux_stream *s = &m->streams[m->n_streams - 1];
    return s->tx && s->rx;
}

/* The opener's end. */
static inline struct leg *mux_opener_leg(const struct mux_stream *s)
{
    return s->mux->sender == H2_OPENER ? s->tx : s->rx;
}

/* The next letter, of the viewer of @beside, which the server is told; NULL: of a viewer of its
 * own. Both ends are there, nothing was sent yet, its window is large. */
static inline struct mux_stream *mux_open_beside(struct mux *m, enum leg_hint hint,
                                                 const struct mux_stream *beside)
{
    struct mux_stream *s = &m->streams[m->n_streams];
    char path[] = {'/', (char)('A' + m->n_streams), '\0'};
    struct message request;
    assert_true(m->n_streams < MUX_STREAMS);
    m->n_streams++;
    s->mux = m;
    buf_init(&s->got, SIZE_MAX / 2);
    message_init(&request);
    request.method = SLICE("POST");
    request.scheme = SLICE("https");
    request.authority = SLICE("demo.example.com");
    request.path = slice_str(path);
    if (beside)
        fields_add_printf(&request.fields, SLICE("party"), "%u",
                          h2_leg_party(mux_opener_leg(beside)));
    struct leg *leg = h2_stream_open(m->opener, &request, m->sender == H2_SERVER, &mux_events, s);
    message_deinit(&request);
    assert_non_null(leg);
    if (beside)
        h2_leg_join(leg, mux_opener_leg(beside));
    *(m->sender == H2_OPENER ? &s->tx : &s->rx) = leg;
    turns_until(m->loop, mux_last_is_open, m);
    mux_settle(m);
    leg_hint(s->tx, hint);
    return s;
}

static inline struct mux_stream *mux_open(struct mux *m, enum leg_hint hint)
{
    return mux_open_beside(m, hint, NULL);
}

/* Nothing is read at the other end: its memory, then the sender's queue fill up. */
static inline void mux_stop_reading(struct mux *m)
{
    sock_pause(h2_session_sock(m->rx));
}

static inline void mux_go_on_reading(struct mux *m)
{
    sock_resume(h2_session_sock(m->rx));
}

static inline void mux_credit(struct mux_stream *s)
{
    size_t held = s->held;
    s->held = 0;
    s->hold = false;
    if (s->rx)
        s->rx->ops->credit(s->rx, held);
}

/* Everything that was written is there, of the streams that were not reset. */
static inline bool mux_all_came(void *user)
{
    const struct mux *m = user;
    for (size_t i = 0; i < m->n_streams; i++)
        if (!m->streams[i].rx_reset && !m->streams[i].tx_reset &&
            buf_len(&m->streams[i].got) < m->streams[i].written)
            return false;
    return true;
}

static inline void mux_forget_runs(struct mux *m)
{
    memset(m->runs, 0, sizeof m->runs);
    m->n_runs = 0;
}

/* "A65536 B100" for the first runs. */
static inline void mux_check_runs(const struct mux *m, const char *what, const char *want)
{
    char text[512] = "";
    size_t at = 0;
    for (size_t i = 0; i < m->n_runs && at < strlen(want); i++)
        at += (size_t)snprintf(text + at, sizeof text - at, "%s%c%zu", i > 0 ? " " : "",
                               (char)('A' + (m->runs[i].of - m->streams)), m->runs[i].bytes);
    if (strcmp(text, want) != 0)
        fail_msg("%s:\n came '%s'\n want '%s'", what, text, want);
}

#endif
