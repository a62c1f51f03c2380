/* SPDX-License-Identifier: MIT */
/* relay_world.h - a relay between two legs that write down what they are given, its owner and an
 * observer, which write down what they are told. */
#ifndef TESTS_UNIT_RELAY_WORLD_H
#define TESTS_UNIT_RELAY_WORLD_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "h2mux/http/relay.h"
#include "h2mux/io/loop.h"

enum { TEXT_MAX = 1024 };

/* A leg that does nothing but write down what it is given. */
struct scripted {
    struct leg leg;
    struct world *world;
    const char *name; /* "near" or "far" */
    char place[16];
};

struct world {
    struct relay relay;
    struct scripted near, far, other;
    struct loop *loop;
    char told[TEXT_MAX]; /* what legs and owner were told, in words */
    char seen[TEXT_MAX]; /* what the observer saw */
    bool refuse;         /* on_body and on_trailers return false */
    bool close;          /* on_body closes the relay */
};

static void add(char *to, const char *fmt, ...) PRINTF_LIKE(2, 3);

static void add(char *to, const char *fmt, ...)
{
    size_t at = strlen(to);
    va_list args;
    va_start(args, fmt);
    int len = vsnprintf(to + at, TEXT_MAX - at, fmt, args);
    va_end(args);
    assert_in_range(len, 0, TEXT_MAX - at - 1);
}

static void check(char *text, const char *want)
{
    size_t len = strlen(text);
    text[len > 0 ? len - 1 : 0] = '\0'; /* the last blank */
    assert_string_equal(text, want);
    text[0] = '\0';
}

static const char *side_name(enum relay_side side)
{
    return side == RELAY_NEAR ? "near" : "far";
}

/* ---- the legs */

static struct scripted *of(struct leg *leg)
{
    return CONTAINER_OF(leg, struct scripted, leg);
}

static void take_head(struct leg *leg, const struct message *m, bool end)
{
    add(of(leg)->world->told, "%s:%d%s ", of(leg)->name, m->status, end ? "." : "");
}

static void take_body(struct leg *leg, struct slice data, bool end)
{
    add(of(leg)->world->told, "%s:'%.*s'%s ", of(leg)->name, SLICE_FMT(data), end ? "." : "");
}

static void take_trailers(struct leg *leg, const struct fields *t)
{
    add(of(leg)->world->told, "%s:trailers%zu ", of(leg)->name, t->count);
}

static void take_credit(struct leg *leg, size_t bytes)
{
    add(of(leg)->world->told, "%s:credit%zu ", of(leg)->name, bytes);
}

static void take_reset(struct leg *leg, const struct leg_fault *why)
{
    leg_untie(leg);
    add(of(leg)->world->told, "%s:reset%d ", of(leg)->name, why->err);
}

static char *give_place(struct leg *leg, size_t bytes)
{
    return bytes <= sizeof of(leg)->place ? of(leg)->place : NULL;
}

static bool tell_taken(struct leg *leg, uint64_t *bytes)
{
    *bytes = of(leg) == &of(leg)->world->near ? 11 : 22;
    return true;
}

static const struct leg_ops scripted_ops = {
    .head = take_head,
    .body = take_body,
    .trailers = take_trailers,
    .credit = take_credit,
    .reset = take_reset,
    .place = give_place,
    .taken = tell_taken,
};

/* ---- what they say */

static void say_head(struct scripted *s, int status, bool end)
{
    struct message m;
    message_init(&m);
    m.status = status;
    s->leg.events->on_head(s->leg.exchange, &s->leg, &m, end);
    message_deinit(&m);
}

static void say(struct scripted *s, const char *data, bool end)
{
    s->leg.events->on_body(s->leg.exchange, &s->leg, slice_str(data), end);
}

static void say_trailers(struct scripted *s)
{
    struct fields t;
    fields_init(&t);
    fields_add(&t, SLICE("x-a"), SLICE("1"));
    s->leg.events->on_trailers(s->leg.exchange, &s->leg, &t);
    fields_deinit(&t);
}

static void say_sent(struct scripted *s, size_t bytes)
{
    s->leg.events->on_sent(s->leg.exchange, &s->leg, bytes);
}

static void say_reset(struct scripted *s, int err)
{
    struct leg_fault why = {.err = err, .reason = "test"};
    const struct leg_events *events = s->leg.events;
    void *exchange = s->leg.exchange;
    leg_untie(&s->leg);
    events->on_reset(exchange, &s->leg, &why);
}

/* ---- the owner */

static struct world *owner(struct relay *r)
{
    return CONTAINER_OF(r, struct world, relay);
}

static void on_head(struct relay *r, struct message *m, bool end)
{
    add(owner(r)->told, "head%d ", m->status);
    relay_head(r, RELAY_FAR, m, end);
}

static bool on_body(struct relay *r, enum relay_side from, struct slice data, bool end)
{
    if (owner(r)->close)
        relay_close(r);
    return !owner(r)->refuse && !owner(r)->close;
}

static bool on_trailers(struct relay *r, enum relay_side from, struct fields *t)
{
    return !owner(r)->refuse;
}

static void on_end(struct relay *r, enum relay_side from)
{
    add(owner(r)->told, "end-of-%s ", side_name(from));
}

static void on_left(struct relay *r, enum relay_side from)
{
    add(owner(r)->told, "left-of-%s ", side_name(from));
}

static void on_reset(struct relay *r, enum relay_side side, const struct leg_fault *why)
{
    const struct relay_end *e = side == RELAY_NEAR ? &r->near : &r->far;
    assert_null(e->leg);
    add(owner(r)->told, "reset-of-%s%d ", side_name(side), why->err);
}

static const struct relay_ops ops = {.on_head = on_head,
                                     .on_body = on_body,
                                     .on_trailers = on_trailers,
                                     .on_end = on_end,
                                     .on_left = on_left,
                                     .on_reset = on_reset};

/* An owner that lets everything pass. */
static const struct relay_ops plain_ops = {
    .on_head = on_head, .on_end = on_end, .on_reset = on_reset};

/* ---- the observer */

static void see_head(void *user, enum relay_side from, const struct message *m)
{
    add(((struct world *)user)->seen, "%s:%d ", side_name(from), m->status);
}

static void see_body(void *user, enum relay_side from, struct slice data)
{
    add(((struct world *)user)->seen, "%s:'%.*s' ", side_name(from), SLICE_FMT(data));
}

static void see_trailers(void *user, enum relay_side from, const struct fields *t)
{
    add(((struct world *)user)->seen, "%s:trailers%zu ", side_name(from), t->count);
}

static void see_end(void *user, enum relay_side from)
{
    add(((struct world *)user)->seen, "%s. ", side_name(from));
}

static void see_reset(void *user, enum relay_side side, const struct leg_fault *why)
{
    add(((struct world *)user)->seen, "%s:reset%d ", side_name(side), why->err);
}

static void see_close(void *user, const struct relay *r)
{
    add(((struct world *)user)->seen, "closed:%d/%d ", (int)r->near.came, (int)r->far.came);
}

static const struct relay_observer observer = {.on_head = see_head,
                                               .on_body = see_body,
                                               .on_trailers = see_trailers,
                                               .on_end = see_end,
                                               .on_reset = see_reset,
                                               .on_close = see_close};
static const struct relay_observer blind = {.on_head = NULL};

/* ---- the world around them */

static void make_leg(struct world *w, struct scripted *s, const char *name)
{
    s->leg.ops = &scripted_ops;
    s->world = w;
    s->name = name;
}

static int setup(void **state)
{
    struct world *w = xcalloc(1, sizeof *w);
    *state = w;
    w->loop = loop_new();
    make_leg(w, &w->near, "near");
    make_leg(w, &w->far, "far");
    make_leg(w, &w->other, "other");
    return w->loop ? 0 : -1;
}

static int teardown(void **state)
{
    struct world *w = *state;
    relay_close(&w->relay);
    assert_null(w->near.leg.events);
    assert_null(w->far.leg.events);
    assert_null(w->other.leg.events);
    loop_free(w->loop);
    free(w);
    return 0;
}

/* A request whose head has come, towards a far leg that is there. @end: it has no body. */
static void begin(struct world *w, bool end)
{
    struct message m;
    relay_init(&w->relay, w->loop, &w->near.leg, end, &ops);
    relay_observe(&w->relay, &observer, w);
    relay_join(&w->relay, &w->far.leg);
    message_init(&m);
    relay_head(&w->relay, RELAY_NEAR, &m, end);
    message_deinit(&m);
}

static inline void close_relay(struct world *w)
{
    relay_close(&w->relay);
}

#endif
