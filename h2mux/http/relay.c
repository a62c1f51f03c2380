/* SPDX-License-Identifier: MIT */
/* relay.c - see relay.h. The two directions are one code: `from` is the end that something comes
 * from, `to` the other one. */
#include "h2mux/http/relay.h"

#include <assert.h>

#include "h2mux/base/check.h"
#include "h2mux/io/loop.h"

static const struct leg_events near_events;

static inline struct relay_end *end_of(struct relay *r, enum relay_side side)
{
    return side == RELAY_NEAR ? &r->near : &r->far;
}

static inline struct relay_end *other_end(struct relay *r, enum relay_side side)
{
    return side == RELAY_NEAR ? &r->far : &r->near;
}

/* A leg that has ended by itself is tied to nobody; it is never tied to another exchange while the
 * relay has it. */
static void check_end(const struct relay *r, const struct relay_end *e)
{
    CHECK_THAT(e->left <= e->came);
    CHECK_THAT(!e->leg || !e->leg->events || e->leg->exchange == r);
    if (e->leg)
        leg_check(e->leg);
}

static void relay_check(const struct relay *r)
{
    check_end(r, &r->near);
    check_end(r, &r->far);
    CHECK_THAT(!r->near.leg || r->near.leg != r->far.leg);
}

/* Only a leg that the relay has tells it anything. */
static inline void check_leg(const struct relay_end *e, const struct leg *leg)
{
    CHECK_THAT(e->leg == leg);
}

void relay_touch(struct relay *r)
{
    r->moved_us = loop_now_us(r->loop);
}

/* ---- what the observer sees */

static void show_end(struct relay *r, enum relay_side from)
{
    if (r->observer && r->observer->on_end)
        r->observer->on_end(r->observer_user, from);
}

static void show_body(struct relay *r, enum relay_side from, struct slice data, bool end)
{
    if (data.len > 0 && r->observer->on_body)
        r->observer->on_body(r->observer_user, from, data);
    if (end)
        show_end(r, from);
}

static void show_reset(struct relay *r, enum relay_side side, const struct leg_fault *why)
{
    if (r->observer && r->observer->on_reset)
        r->observer->on_reset(r->observer_user, side, why);
}

void relay_show_head(struct relay *r, enum relay_side from, const struct message *m, bool end)
{
    if (r->observer && r->observer->on_head)
        r->observer->on_head(r->observer_user, from, m);
    if (end)
        show_end(r, from);
}

/* ---- legs come and go */

void relay_init(struct relay *r, struct loop *l, struct leg *near, bool end,
                const struct relay_ops *ops)
{
    *r = (struct relay){.near = {.leg = near, .ended = end}, .ops = ops, .loop = l};
    relay_touch(r);
    leg_tie(near, &near_events, r);
}

void relay_join(struct relay *r, struct leg *far)
{
    assert(!r->far.leg && far != r->near.leg);
    r->far.leg = far;
    leg_tie(far, &relay_far_events, r);
    if (leg_is_of_many(r->near.leg))
        leg_of_many(far);
    else if (leg_is_of_many(far))
        leg_of_many(r->near.leg);
}

static inline void let_go(struct relay *r, struct relay_end *e)
{
    if (e->leg && e->leg->exchange == r)
        leg_untie(e->leg);
    e->leg = NULL;
}

void relay_let_go(struct relay *r, enum relay_side side)
{
    let_go(r, end_of(r, side));
}

void relay_reset(struct relay *r, enum relay_side side, const struct leg_fault *why)
{
    struct relay_end *e = end_of(r, side);
    struct leg *leg = e->leg;
    e->leg = NULL;
    if (!leg)
        return;
    show_reset(r, side, why);
    leg->ops->reset(leg, why);
}

void relay_close(struct relay *r)
{
    const struct relay_observer *observer = r->observer;
    let_go(r, &r->near);
    let_go(r, &r->far);
    r->observer = NULL;
    if (observer && observer->on_close)
        observer->on_close(r->observer_user, r);
}

/* Lets go of a leg that has said its last, and from which all that it was given has left. */
static void let_go_of_done(struct relay *r)
{
    if (relay_waiting(&r->far) == 0)
        let_go(r, &r->near);
    if (relay_waiting(&r->near) == 0)
        let_go(r, &r->far);
}

static inline void let_go_if_over(struct relay *r)
{
    if (r->near.ended && r->far.ended)
        let_go_of_done(r);
}

/* ---- passing on */

void relay_hold(struct relay *r)
{
    r->near.held = true;
}

void relay_let_pass(struct relay *r)
{
    r->near.held = false;
}

void relay_head(struct relay *r, enum relay_side from, const struct message *m, bool end)
{
    struct leg *to = other_end(r, from)->leg;
    end_of(r, from)->ended |= end;
    if (r->observer)
        relay_show_head(r, from, m, end);
    if (to)
        to->ops->head(to, m, end);
    let_go_if_over(r);
}

static inline void pass_body(struct relay *r, enum relay_side from, struct slice data, bool end)
{
    struct leg *to = other_end(r, from)->leg;
    if (r->observer)
        show_body(r, from, data, end);
    if (to)
        to->ops->body(to, data, end);
}

void relay_body(struct relay *r, enum relay_side from, struct slice data, bool end)
{
    pass_body(r, from, data, end);
}

void relay_trailers(struct relay *r, enum relay_side from, const struct fields *t)
{
    struct leg *to = other_end(r, from)->leg;
    if (r->observer && r->observer->on_trailers)
        r->observer->on_trailers(r->observer_user, from, t);
    show_end(r, from);
    if (to)
        to->ops->trailers(to, t);
}

void relay_pass_again(struct relay *r)
{
    assert(!r->far.leg && r->near.again == 0);
    r->near.again = r->near.left;
    r->near.left = 0;
}

void relay_credit_far(struct relay *r, size_t bytes)
{
    if (!r->far.leg)
        return;
    r->far.again += bytes;
    r->far.leg->ops->credit(r->far.leg, bytes);
}

void relay_forget_far(struct relay *r)
{
    assert(!r->far.leg && r->far.left == 0);
    r->far = (struct relay_end){.leg = NULL};
}

static void tell_end(struct relay *r, enum relay_side from)
{
    r->ops->on_end(r, from);
    let_go_if_over(r);
}

/* ---- what a leg tells */

static inline void body_came(struct relay *r, enum relay_side from, struct slice data, bool end)
{
    struct relay_end *e = end_of(r, from);
    if (CHECKING)
        relay_check(r);
    e->came += data.len;
    e->ended |= end;
    if (r->ops->on_body && !r->ops->on_body(r, from, data, end))
        return;
    assert(!e->held); /* or the other leg gets bytes before its head */
    relay_touch(r);
    pass_body(r, from, data, end);
    if (end)
        tell_end(r, from);
}

static void trailers_came(struct relay *r, enum relay_side from, struct fields *t)
{
    struct relay_end *e = end_of(r, from);
    if (CHECKING)
        relay_check(r);
    e->ended = true;
    if (r->ops->on_trailers && !r->ops->on_trailers(r, from, t))
        return;
    assert(!e->held);
    relay_touch(r);
    relay_trailers(r, from, t);
    tell_end(r, from);
}

/* @from: the side that the bytes came from; the other one has sent them. */
static inline void bytes_left(struct relay *r, enum relay_side from, size_t bytes)
{
    struct relay_end *e = end_of(r, from);
    size_t again = bytes < e->again ? bytes : (size_t)e->again;
    e->left += bytes;
    e->again -= again;
    if (CHECKING)
        relay_check(r);
    relay_touch(r);
    if (e->leg && bytes > again)
        e->leg->ops->credit(e->leg, bytes - again);
    if (r->ops->on_left)
        r->ops->on_left(r, from);
    let_go_if_over(r);
}

static void leg_ended(struct relay *r, enum relay_side side, const struct leg_fault *why)
{
    end_of(r, side)->leg = NULL;
    if (CHECKING)
        relay_check(r);
    show_reset(r, side, why);
    r->ops->on_reset(r, side, why);
}

static char *place_for(struct relay *r, enum relay_side from, size_t bytes)
{
    struct leg *to = other_end(r, from)->leg;
    return to && !end_of(r, from)->held ? leg_place(to, bytes) : NULL;
}

static bool taken_of(struct relay *r, enum relay_side from, uint64_t *bytes)
{
    struct leg *to = other_end(r, from)->leg;
    return to && leg_taken(to, bytes);
}

static void near_body(void *relay, struct leg *leg, struct slice data, bool end)
{
    struct relay *r = relay;
    check_leg(&r->near, leg);
    body_came(r, RELAY_NEAR, data, end);
}

static void near_trailers(void *relay, struct leg *leg, struct fields *t)
{
    struct relay *r = relay;
    check_leg(&r->near, leg);
    trailers_came(r, RELAY_NEAR, t);
}

static void near_sent(void *relay, struct leg *leg, size_t bytes)
{
    struct relay *r = relay;
    check_leg(&r->near, leg);
    bytes_left(r, RELAY_FAR, bytes);
}

static void near_reset(void *relay, struct leg *leg, const struct leg_fault *why)
{
    struct relay *r = relay;
    check_leg(&r->near, leg);
    leg_ended(r, RELAY_NEAR, why);
}

static char *near_place(void *relay, struct leg *leg, size_t bytes)
{
    return place_for(relay, RELAY_NEAR, bytes);
}

static bool near_taken(void *relay, struct leg *leg, uint64_t *bytes)
{
    return taken_of(relay, RELAY_NEAR, bytes);
}

static const struct leg_events near_events = {
    .on_body = near_body,
    .on_trailers = near_trailers,
    .on_sent = near_sent,
    .on_reset = near_reset,
    .on_place = near_place,
    .on_taken = near_taken,
};

static void far_head(void *relay, struct leg *leg, struct message *m, bool end)
{
    struct relay *r = relay;
    check_leg(&r->far, leg);
    if (CHECKING)
        relay_check(r);
    r->ops->on_head(r, m, end);
}

static void far_body(void *relay, struct leg *leg, struct slice data, bool end)
{
    struct relay *r = relay;
    check_leg(&r->far, leg);
    body_came(r, RELAY_FAR, data, end);
}

static void far_trailers(void *relay, struct leg *leg, struct fields *t)
{
    struct relay *r = relay;
    check_leg(&r->far, leg);
    trailers_came(r, RELAY_FAR, t);
}

static void far_sent(void *relay, struct leg *leg, size_t bytes)
{
    struct relay *r = relay;
    check_leg(&r->far, leg);
    bytes_left(r, RELAY_NEAR, bytes);
}

static void far_reset(void *relay, struct leg *leg, const struct leg_fault *why)
{
    struct relay *r = relay;
    check_leg(&r->far, leg);
    leg_ended(r, RELAY_FAR, why);
}

static char *far_place(void *relay, struct leg *leg, size_t bytes)
{
    return place_for(relay, RELAY_FAR, bytes);
}

static bool far_taken(void *relay, struct leg *leg, uint64_t *bytes)
{
    return taken_of(relay, RELAY_FAR, bytes);
}

const struct leg_events relay_far_events = {
    .on_head = far_head,
    .on_body = far_body,
    .on_trailers = far_trailers,
    .on_sent = far_sent,
    .on_reset = far_reset,
    .on_place = far_place,
    .on_taken = far_taken,
};
