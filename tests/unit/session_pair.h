/* SPDX-License-Identifier: MIT */
/* session_pair.h - two sessions over a pair in memory, and the one stream between them that a test
 * looks at. For tests of what sessions do for each other; session_world.h has owners that
 * misbehave. */
#ifndef TESTS_UNIT_SESSION_PAIR_H
#define TESTS_UNIT_SESSION_PAIR_H

#include "turns.h"

#include <stdlib.h>

#include "h2mux/h2/h2.h"

/* One end of a stream as a test sees it. */
struct end {
    struct leg *leg;
    int heads, status;
    size_t body, sent;
    bool ended, trailers, echo, hold_credit;
    struct leg_fault fault;
    bool was_reset;
    char first_field[64];
    char path[64], protocol[16], authority[64];
};

struct world {
    struct loop *loop;
    struct sock *a, *b;
    struct h2_session *opener, *server;
    bool up_opener, up_server, acked_server, closed_opener, closed_server, goaway_opener,
        goaway_server;
    int close_err;
    char debug[32];
    struct end near, far;
    bool answer_at_once;
};

static inline void on_head(void *x, struct leg *leg, struct message *m, bool end)
{
    struct end *e = x;
    e->heads++;
    e->status = m->status;
    e->ended = end;
    if (m->fields.count > 0)
        snprintf(e->first_field, sizeof e->first_field, "%.*s", SLICE_FMT(m->fields.v[0].value));
}

static inline void on_body(void *x, struct leg *leg, struct slice data, bool end)
{
    struct end *e = x;
    e->body += data.len;
    e->ended = end;
    if (!e->hold_credit)
        leg->ops->credit(leg, data.len);
}

static inline void far_on_body(void *x, struct leg *leg, struct slice data, bool end)
{
    struct end *e = x;
    on_body(x, leg, data, end);
    if (e->echo)
        leg->ops->body(leg, data, end);
}

static inline void on_trailers(void *x, struct leg *leg, struct fields *t)
{
    struct end *e = x;
    e->trailers = t->count == 1 && slice_eq(t->v[0].name, SLICE("x-sum"));
    e->ended = true;
}

static inline void on_sent(void *x, struct leg *leg, size_t bytes)
{
    struct end *e = x;
    e->sent += bytes;
}

static inline void on_reset(void *x, struct leg *leg, const struct leg_fault *why)
{
    struct end *e = x;
    e->was_reset = true;
    e->fault = *why;
}

static const struct leg_events near_events = {.on_head = on_head,
                                              .on_body = on_body,
                                              .on_trailers = on_trailers,
                                              .on_sent = on_sent,
                                              .on_reset = on_reset};
static const struct leg_events far_events = {.on_head = on_head,
                                             .on_body = far_on_body,
                                             .on_trailers = on_trailers,
                                             .on_sent = on_sent,
                                             .on_reset = on_reset};

static inline void opener_up(void *user)
{
    ((struct world *)user)->up_opener = true;
}

static inline void server_up(void *user)
{
    ((struct world *)user)->up_server = true;
}

static inline void server_acked(void *user)
{
    ((struct world *)user)->acked_server = true;
}

static inline void respond(struct leg *leg, int status, bool end)
{
    struct message m;
    message_init(&m);
    m.status = status;
    fields_add(&m.fields, SLICE("x-answer"), SLICE("yes"));
    leg->ops->head(leg, &m, end);
    message_deinit(&m);
}

static inline void server_stream(void *user, struct leg *leg, struct message *m, bool end)
{
    struct world *w = user;
    w->far.leg = leg;
    leg_tie(leg, &far_events, &w->far);
    w->far.ended = end;
    snprintf(w->far.path, sizeof w->far.path, "%.*s", SLICE_FMT(m->path));
    snprintf(w->far.protocol, sizeof w->far.protocol, "%.*s", SLICE_FMT(m->protocol));
    snprintf(w->far.authority, sizeof w->far.authority, "%.*s", SLICE_FMT(m->authority));
    if (w->answer_at_once)
        respond(leg, 200, false);
}

static inline void on_goaway(void *user, struct slice debug)
{
    struct world *w = user;
    w->goaway_server = true;
    snprintf(w->debug, sizeof w->debug, "%.*s", SLICE_FMT(debug));
}

static inline void opener_goaway(void *user, struct slice debug)
{
    ((struct world *)user)->goaway_opener = true;
}

static inline void opener_closed(void *user, int err, const char *reason)
{
    struct world *w = user;
    w->closed_opener = true;
    w->close_err = err;
    w->opener = NULL;
}

static inline void server_closed(void *user, int err, const char *reason)
{
    struct world *w = user;
    w->closed_server = true;
    w->server = NULL;
}

static const struct h2_session_ops opener_ops = {
    .on_up = opener_up, .on_goaway = opener_goaway, .on_closed = opener_closed};
static const struct h2_session_ops server_ops = {.on_up = server_up,
                                                 .on_acked = server_acked,
                                                 .on_stream = server_stream,
                                                 .on_goaway = on_goaway,
                                                 .on_closed = server_closed};

static const struct h2_options defaults = {
    .max_streams = 100,
    .ping_timeout_ms = 300,
    .settings_timeout_ms = 1000,
    .buffer_limit = 32 << 20,
    .stall_ms = 50,
    .reset_burst = 2,
    .reset_rate = 50,
};

static inline bool both_up(void *user)
{
    struct world *w = user;
    return w->up_opener && w->up_server && w->acked_server;
}

static inline struct world *open_world(const struct h2_options *o)
{
    struct world *w = calloc(1, sizeof *w);
    w->loop = loop_new();
    sock_pair(w->loop, &w->a, &w->b);
    w->opener = h2_session_new(w->loop, w->a, H2_OPENER, o, &opener_ops, w);
    w->server = h2_session_new(w->loop, w->b, H2_SERVER, o, &server_ops, w);
    turns_until(w->loop, both_up, w);
    return w;
}

static inline bool never_wait(void *user)
{
    return true;
}

static inline void close_world(struct world *w)
{
    if (w->opener)
        h2_session_close(w->opener, 0);
    if (w->server)
        h2_session_close(w->server, 0);
    turns_until(w->loop, never_wait, w);
    loop_free(w->loop);
    free(w);
}

static inline struct leg *request(struct world *w, const char *method, const char *path, bool end)
{
    struct message m;
    message_init(&m);
    m.method = slice_str(method);
    m.scheme = SLICE("https");
    m.authority = SLICE("demo.example.com");
    m.path = slice_str(path);
    if (slice_eq(m.method, SLICE("CONNECT")))
        m.protocol = SLICE("websocket");
    fields_add(&m.fields, SLICE("cookie"), SLICE("a=b"));
    w->near.leg = h2_stream_open(w->opener, &m, end, &near_events, &w->near);
    message_deinit(&m);
    return w->near.leg;
}

static inline bool far_here(void *user)
{
    return ((struct world *)user)->far.leg;
}

static inline bool near_ended(void *user)
{
    return ((struct world *)user)->near.ended;
}

static inline bool far_ended(void *user)
{
    return ((struct world *)user)->far.ended;
}

static inline bool near_reset(void *user)
{
    return ((struct world *)user)->near.was_reset;
}

static inline bool far_reset(void *user)
{
    return ((struct world *)user)->far.was_reset;
}

#endif
