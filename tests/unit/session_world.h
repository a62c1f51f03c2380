/* SPDX-License-Identifier: MIT */
/* session_world.h - runs two sessions against each other, or one against a raw peer, with an owner
 * that closes or resets something inside one chosen callback. For tests of what can go wrong around
 * a session. */
#ifndef TESTS_UNIT_SESSION_WORLD_H
#define TESTS_UNIT_SESSION_WORLD_H

#include "turns.h"

#include <stdlib.h>

#include "h2mux/h2/h2.h"

static const struct h2_options defaults = {
    .max_streams = 100,
    .ping_timeout_ms = 2000,
    .settings_timeout_ms = 2000,
    .buffer_limit = 32 << 20,
    .stall_ms = 10000,
};

/* ---- two sessions, and an owner that closes or resets something inside one chosen callback */

enum moment {
    ON_NOTHING,
    ON_UP,
    ON_ACKED,
    ON_STREAM,
    ON_GOAWAY,
    ON_IDLE,
    ON_HEAD,
    ON_BODY,
    ON_TRAILERS,
    ON_SENT,
    ON_RESET,
    MOMENTS
};

enum deed { CLOSE_OWN, CLOSE_OTHER, CLOSE_BOTH, RESET_STREAM, GOAWAY, DEEDS };

struct world;

/* One end of a stream. */
struct end {
    struct side *side;
    struct leg *leg; /* NULL once it was reset or both directions are over */
    bool said, heard;
};

enum { ENDS = 16 };

struct side {
    struct world *world;
    struct h2_session *session; /* NULL once it is closed */
    bool up, acked, closed;
    int err, streams, resets, rooms;
    struct end ends[ENDS]; /* of the first streams */
    struct leg_fault fault;
};

struct world {
    struct loop *loop;
    struct sock *ends[2];
    struct side opener, server;
    const struct side *actor; /* the side in whose callback it happens; NULL: either */
    enum moment moment;
    enum deed deed;
    bool done;
};

static inline struct side *other_side(struct side *s)
{
    return s == &s->world->opener ? &s->world->server : &s->world->opener;
}

static inline void side_close(struct side *s)
{
    struct h2_session *session = s->session;
    s->session = NULL;
    if (session)
        h2_session_close(session, 0);
}

static inline void end_reset(struct end *e)
{
    struct leg_fault why = {.err = ERR_CLOSED};
    struct leg *leg = e->leg;
    e->leg = NULL;
    if (leg)
        leg->ops->reset(leg, &why);
}

static inline void side_reset(struct side *s)
{
    for (size_t i = 0; i < ENDS; i++)
        end_reset(&s->ends[i]);
}

/* Does the deed, once, if this is its moment. */
static inline void act(struct side *s, enum moment m)
{
    struct world *w = s->world;
    if (w->done || w->moment != m || (w->actor && w->actor != s))
        return;
    w->done = true;
    switch (w->deed) {
    case CLOSE_BOTH:
        side_close(s);
        side_close(other_side(s));
        break;
    case CLOSE_OWN:
        side_close(s);
        break;
    case CLOSE_OTHER:
        side_close(other_side(s));
        break;
    case RESET_STREAM:
        side_reset(s);
        break;
    case GOAWAY:
        if (s->session)
            h2_session_goaway(s->session, SLICE("bye"));
        break;
    case DEEDS:
        break;
    }
}

static inline void forget_if_over(struct end *e)
{
    if (e->said && e->heard)
        e->leg = NULL;
}

static inline void on_head(void *x, struct leg *leg, struct message *m, bool end)
{
    struct end *e = x;
    e->heard = end;
    forget_if_over(e);
    act(e->side, ON_HEAD);
}

static inline void on_body(void *x, struct leg *leg, struct slice data, bool end)
{
    struct end *e = x;
    e->heard = end;
    leg->ops->credit(leg, data.len);
    forget_if_over(e);
    act(e->side, ON_BODY);
}

static inline void on_trailers(void *x, struct leg *leg, struct fields *t)
{
    struct end *e = x;
    e->heard = true;
    forget_if_over(e);
    act(e->side, ON_TRAILERS);
}

static inline void on_sent(void *x, struct leg *leg, size_t bytes)
{
    act(((struct end *)x)->side, ON_SENT);
}

static inline void on_reset(void *x, struct leg *leg, const struct leg_fault *why)
{
    struct end *e = x;
    e->leg = NULL;
    e->side->resets++;
    e->side->fault = *why;
    act(e->side, ON_RESET);
}

static const struct leg_events events = {.on_head = on_head,
                                         .on_body = on_body,
                                         .on_trailers = on_trailers,
                                         .on_sent = on_sent,
                                         .on_reset = on_reset};

static inline void on_up(void *user)
{
    ((struct side *)user)->up = true;
    act(user, ON_UP);
}

static inline void on_acked(void *user)
{
    ((struct side *)user)->acked = true;
    act(user, ON_ACKED);
}

static inline void on_goaway(void *user, struct slice debug)
{
    act(user, ON_GOAWAY);
}

static inline void on_room(void *user)
{
    ((struct side *)user)->rooms++;
}

static inline void on_idle(void *user)
{
    act(user, ON_IDLE);
}

static inline void on_closed(void *user, int err, const char *reason)
{
    struct side *s = user;
    s->closed = true;
    s->err = err;
    s->session = NULL;
}

static inline void answer(struct end *e)
{
    struct message m;
    struct fields t;
    message_init(&m);
    m.status = 200;
    e->leg->ops->head(e->leg, &m, false);
    message_deinit(&m);
    e->leg->ops->body(e->leg, SLICE("hello"), false);
    fields_init(&t);
    fields_add(&t, SLICE("x-sum"), SLICE("1"));
    e->said = true;
    e->leg->ops->trailers(e->leg, &t);
    fields_deinit(&t);
    forget_if_over(e);
}

static inline struct end *end_new(struct side *s, struct leg *leg)
{
    static struct end none;
    struct end *e = s->streams < ENDS ? &s->ends[s->streams] : &none;
    s->streams++;
    *e = (struct end){.side = s, .leg = leg};
    return e;
}

static inline void on_stream(void *user, struct leg *leg, struct message *m, bool end)
{
    struct end *e = end_new(user, leg);
    e->heard = end;
    leg_tie(leg, &events, e);
    act(user, ON_STREAM);
    if (e->leg == leg && slice_eq(m->path, SLICE("/answer")))
        answer(e);
}

static const struct h2_session_ops ops = {
    .on_up = on_up,
    .on_acked = on_acked,
    .on_stream = on_stream,
    .on_goaway = on_goaway,
    .on_room = on_room,
    .on_idle = on_idle,
    .on_closed = on_closed,
};

static inline struct world *world_new(const struct h2_options *o)
{
    struct world *w = xcalloc(1, sizeof *w);
    w->opener.world = w->server.world = w;
    w->loop = loop_new();
    sock_pair(w->loop, &w->ends[0], &w->ends[1]);
    w->opener.session = h2_session_new(w->loop, w->ends[0], H2_OPENER, o, &ops, &w->opener);
    w->server.session = h2_session_new(w->loop, w->ends[1], H2_SERVER, o, &ops, &w->server);
    return w;
}

static inline bool both_up(void *user)
{
    const struct world *w = user;
    return w->opener.up && w->server.acked;
}

static inline struct world *world_up(const struct h2_options *o)
{
    struct world *w = world_new(o);
    turns_until(w->loop, both_up, w);
    return w;
}

static inline bool at_once(void *user)
{
    return true;
}

/* Runs some turns, so that all deferred and condemned has run. */
static inline void settle(struct world *w)
{
    for (int i = 0; i < 4; i++)
        turns_until(w->loop, at_once, w);
}

static inline void world_free(struct world *w)
{
    side_close(&w->opener);
    side_close(&w->server);
    settle(w);
    loop_free(w->loop);
    free(w);
}

/* Opens a stream. Returns NULL when the session can open none. */
static inline struct end *ask(struct world *w, const char *path, bool end)
{
    struct message m;
    if (!w->opener.session || !h2_session_can_open(w->opener.session))
        return NULL;
    message_init(&m);
    m.method = SLICE("POST");
    m.scheme = SLICE("https");
    m.authority = SLICE("demo.example.com");
    m.path = slice_str(path);
    struct end *e = end_new(&w->opener, NULL);
    e->leg = h2_stream_open(w->opener.session, &m, end, &events, e);
    e->said = end;
    message_deinit(&m);
    assert_non_null(e->leg);
    return e;
}

static inline void tell(struct end *e, struct slice data, bool end)
{
    struct leg *leg = e->leg;
    e->said = end;
    forget_if_over(e);
    if (leg)
        leg->ops->body(leg, data, end);
}

#endif
