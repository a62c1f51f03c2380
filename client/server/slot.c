/* SPDX-License-Identifier: MIT */
/* slot.c - see slot.h.
 *
 * Invariants: `link` is set iff ATTACHING or UP, or LEAVING if the slot was UP before; the retry
 * timer is armed iff PAUSING. A link that was set aside tells nothing that changes the state. */
#include "client/server/slot.h"

#include <assert.h>

#include "h2mux/base/check.h"
#include "h2mux/base/log.h"

static const struct link_ops link_ops;

static void slot_check(const struct slot *s)
{
    bool attached = s->state == SLOT_ATTACHING || s->state == SLOT_UP;
    CHECK_THAT(!attached || s->link);
    CHECK_THAT(!s->link || attached || s->state == SLOT_LEAVING);
    CHECK_THAT(timer_armed(&s->retry.timer) == (s->state == SLOT_PAUSING));
    for (size_t i = 0; i < SLOT_OLD_MAX; i++)
        CHECK_THAT(!s->old[i] || s->old[i] != s->link);
}

static void enter(struct slot *s, enum slot_state state)
{
    s->state = state;
    if (CHECKING)
        slot_check(s);
}

/* ---- its links */

static void forget_link(struct slot *s, const struct link *l)
{
    if (s->link == l)
        s->link = NULL;
    for (size_t i = 0; i < SLOT_OLD_MAX; i++)
        if (s->old[i] == l)
            s->old[i] = NULL;
}

static void close_current(struct slot *s)
{
    client_link_close(s->link);
    s->link = NULL;
}

/* Lets the link finish beside its successor. If no place is free, the link in the last place is
 * closed: a server that drains so often gains nothing by it. */
static void set_aside(struct slot *s)
{
    size_t i = 0;
    while (i < SLOT_OLD_MAX - 1 && s->old[i])
        i++;
    client_link_close(s->old[i]);
    s->old[i] = s->link;
    s->link = NULL;
}

static void close_idle_links(struct slot *s)
{
    for (size_t i = 0; i < SLOT_OLD_MAX; i++) {
        if (!s->old[i] || !client_link_is_idle(s->old[i]))
            continue;
        client_link_close(s->old[i]);
        s->old[i] = NULL;
    }
}

/* ---- what they tell */

static void on_link_let_in(void *user, struct link *l)
{
    struct slot *s = user;
    if (l == s->link)
        s->ops->on_let_in(s->user, s);
}

static void on_link_up(void *user, struct link *l)
{
    struct slot *s = user;
    if (l != s->link)
        return; /* it was set aside before it was up */
    enter(s, SLOT_UP);
    retry_worked(&s->retry);
    close_idle_links(s);
    s->ops->on_up(s->user, s);
}

static void on_link_refused(void *user, struct link *l, const struct refusal *r)
{
    struct slot *s = user;
    forget_link(s, l);
    enter(s, SLOT_RESTING);
    s->ops->on_refused(s->user, s, r);
}

static void on_link_goaway(void *user, struct link *l)
{
    struct slot *s = user;
    if (s->state == SLOT_LEAVING || l != s->link)
        return;
    set_aside(s);
    enter(s, SLOT_RESTING);
    s->ops->on_goaway(s->user, s, client_link_goaway_reason(l), !retry_skip(&s->retry));
}

static void on_link_idle(void *user, struct link *l)
{
    struct slot *s = user;
    if (s->state == SLOT_LEAVING)
        s->ops->on_quiet(s->user);
    else if (s->state == SLOT_UP)
        close_idle_links(s);
}

/* The next link of the slot goes over the same line. */
static void on_link_learned(void *user, const struct line_rate *learned)
{
    struct slot *s = user;
    s->o.h2.learned = *learned;
}

static void on_link_down(void *user, struct link *l, const char *step, int err, const char *reason)
{
    struct slot *s = user;
    bool current = l == s->link;
    forget_link(s, l);
    if (s->state == SLOT_LEAVING) {
        s->ops->on_quiet(s->user);
    } else if (current) {
        enter(s, SLOT_RESTING);
        s->ops->on_lost(s->user, s, step, err, reason);
    } else {
        LOG(DEBUG, "old_link_ended", LOG_U("slot", s->o.slot), LOG_STR("reason", reason));
    }
}

static const struct link_ops link_ops = {
    .on_let_in = on_link_let_in,
    .on_up = on_link_up,
    .on_refused = on_link_refused,
    .on_goaway = on_link_goaway,
    .on_learned = on_link_learned,
    .on_idle = on_link_idle,
    .on_down = on_link_down,
};

/* ---- for the tunnel */

void slot_want(struct slot *s)
{
    if (s->state != SLOT_RESTING)
        return;
    enter(s, SLOT_WANTING);
    s->ops->on_want(s->user, s);
}

void slot_rest(struct slot *s)
{
    CHECK_THAT(s->state == SLOT_WANTING);
    enter(s, SLOT_RESTING);
}

void slot_attach(struct slot *s, const struct url *attach, bool public_only, const char *ticket)
{
    assert(!s->link); /* or it would tell a slot that has forgotten it */
    CHECK_THAT(s->state == SLOT_WANTING);
    s->link = client_link_open(&s->o, attach, public_only, ticket, &link_ops, s);
    enter(s, SLOT_ATTACHING);
}

uint64_t slot_pause(struct slot *s, uint64_t at_least_ms)
{
    CHECK_THAT(s->state == SLOT_RESTING);
    uint64_t ms = retry_later(&s->retry, at_least_ms);
    enter(s, SLOT_PAUSING);
    return ms;
}

static void run_retry(void *user)
{
    struct slot *s = user;
    enter(s, SLOT_RESTING);
    slot_want(s);
}

void slot_wake(struct slot *s)
{
    if (s->link)
        client_link_wake(s->link);
    for (size_t i = 0; i < SLOT_OLD_MAX; i++)
        if (s->old[i])
            client_link_wake(s->old[i]);
}

void slot_leave(struct slot *s)
{
    if (s->state == SLOT_LEAVING)
        return;
    retry_stop(&s->retry);
    if (s->state == SLOT_ATTACHING)
        close_current(s);
    enter(s, SLOT_LEAVING);
    if (s->link)
        client_link_goaway(s->link);
    for (size_t i = 0; i < SLOT_OLD_MAX; i++)
        if (s->old[i])
            client_link_goaway(s->old[i]);
}

void slot_init(struct slot *s, const struct link_options *o, const struct slot_ops *ops, void *user)
{
    *s = (struct slot){.o = *o, .ops = ops, .user = user};
    retry_init(&s->retry, o->env->loop, run_retry, s);
}

void slot_close(struct slot *s)
{
    retry_stop(&s->retry);
    close_current(s);
    for (size_t i = 0; i < SLOT_OLD_MAX; i++) {
        client_link_close(s->old[i]);
        s->old[i] = NULL;
    }
    enter(s, SLOT_RESTING);
}

uint64_t slot_pause_left_ms(const struct slot *s)
{
    return timer_left_ms(&s->retry.timer);
}

uint64_t slot_round_trip_us(const struct slot *s)
{
    return s->link ? client_link_round_trip_us(s->link) : 0;
}

bool slot_is_up(const struct slot *s)
{
    return s->state == SLOT_UP;
}

bool slot_is_idle(const struct slot *s)
{
    if (s->link && !client_link_is_idle(s->link))
        return false;
    for (size_t i = 0; i < SLOT_OLD_MAX; i++)
        if (s->old[i] && !client_link_is_idle(s->old[i]))
            return false;
    return true;
}
