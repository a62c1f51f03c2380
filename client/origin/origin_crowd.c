/* SPDX-License-Identifier: MIT */
/* origin_crowd.c - closes idle connections for a request that waits behind them; crowd.h decides.
 */
#include "client/origin/origin_int.h"

static struct origin_conn *oldest_asking(const struct origin *o)
{
    return CONTAINER_OF(o->asking.next, struct origin_conn, asking);
}

static struct crowd_view view_of(const struct origin *o)
{
    const struct origin_conn *idle = CONTAINER_OF(o->idle.next, struct origin_conn, node);
    return (struct crowd_view){
        .now_us = loop_now_us(o->o.loop),
        .waiting = o->asking_count,
        .asked_us = o->asking_count > 0 ? oldest_asking(o)->asked_us : 0,
        .idle = o->idle_count,
        .idle_us = o->idle_count > 0 ? idle->idle_since_us : 0,
        .held = o->held_count,
    };
}

static void look(void *user)
{
    struct origin *o = user;
    struct crowd_view v = view_of(o);
    int64_t ms = crowd_due_ms(&o->crowd, &v);
    if (ms == CROWD_NEVER)
        return;
    if (ms > 0) {
        timer_arm(&o->crowd_timer, (uint64_t)ms);
        return;
    }
    for (size_t n = crowd_close(&o->crowd, &v); n > 0; n--)
        origin_pool_drop_oldest(o);
    if (o->idle_count > 0)
        timer_arm(&o->crowd_timer, 1);
}

void origin_crowd_init(struct origin *o)
{
    crowd_init(&o->crowd);
    list_init(&o->asking);
    timer_init(&o->crowd_timer, o->o.loop, look, o);
}

void origin_crowd_look(struct origin *o)
{
    if (o->asking_count > 0 && o->idle_count > 0)
        look(o);
}

bool origin_crowd_keeps(const struct origin *o)
{
    struct crowd_view v = view_of(o);
    return crowd_keeps(&o->crowd, &v);
}

void origin_crowd_ask(struct origin_conn *c)
{
    struct origin *o = c->origin;
    if (c->used)
        return;
    c->asked_us = loop_now_us(o->o.loop);
    list_push(&o->asking, &c->asking);
    o->asking_count++;
    origin_crowd_look(o);
}

static void no_longer_asks(struct origin_conn *c)
{
    list_remove(&c->asking);
    c->origin->asking_count--;
}

/* A connection of the pool that the origin has closed, in this turn, is none that it serves. */
static size_t count_gone(const struct origin *o)
{
    size_t gone = 0;
    LIST_FOREACH (n, &o->idle)
        gone += !origin_pool_is_quiet(CONTAINER_OF(n, struct origin_conn, node));
    return gone;
}

void origin_crowd_answer(struct origin_conn *c)
{
    struct origin *o = c->origin;
    if (!list_linked(&c->asking))
        return;
    no_longer_asks(c);
    struct crowd_view v = view_of(o);
    if (v.held + 1 > o->crowd.served)
        v.held -= count_gone(o);
    crowd_answered(&o->crowd, &v, c->asked_us);
    c->holds = true;
    o->held_count++;
}

void origin_crowd_let_go(struct origin_conn *c)
{
    if (list_linked(&c->asking))
        no_longer_asks(c);
    if (c->holds)
        c->origin->held_count--;
    c->holds = false;
}
