/* SPDX-License-Identifier: MIT */
/* link.c - see link.h.
 *
 * What the session tells comes from inside nghttp2, so it is noted here, and told to the owner by a
 * task. Invariants: `call` is set iff ATTACHING; `session` is set iff SETTLING or UP; the timer is
 * armed iff SETTLING. Knows nothing of names, of what a ticket is worth, or of other links. */

/* draw: a link
 *
 *   ATTACHING ──101──▶ SETTLING ──SETTINGS acked──▶ UP ──GOAWAY──▶ (draining) ──▶ DEAD
 *       └─ refused, failed ─┴── timeout, connection lost ──┴─────────────┴────────▲ */
#include "client/server/link.h"

#include <stdlib.h>

#include "h2mux/base/check.h"
#include "h2mux/base/log.h"

enum link_state { LINK_ATTACHING, LINK_SETTLING, LINK_UP, LINK_DEAD };

struct link {
    struct link_options o;
    const struct link_ops *ops; /* static */
    void *user;                 /* borrowed: closes the link before it dies */
    enum link_state state;
    struct call *call;                /* weak: it ends with its answer */
    struct h2_session *session;       /* owned until it ends by itself */
    bool let_in, acked, goaway, idle; /* noted, and not told */
    enum link_farewell farewell;
    struct task tell;
    struct log_limit evictions;
    struct timer settle; /* SETTLING: the acknowledgement is due */
    struct reap reap;
};

static void link_check(const struct link *l)
{
    CHECK_THAT(!!l->call == (l->state == LINK_ATTACHING));
    CHECK_THAT(!!l->session == (l->state == LINK_SETTLING || l->state == LINK_UP));
    CHECK_THAT(timer_armed(&l->settle) == (l->state == LINK_SETTLING));
    CHECK_THAT(l->state != LINK_DEAD || !list_linked(&l->tell.node));
}

static void enter(struct link *l, enum link_state state)
{
    l->state = state;
    if (CHECKING)
        link_check(l);
}

static void retire(struct link *l)
{
    task_cancel(&l->tell);
    timer_stop(&l->settle);
    enter(l, LINK_DEAD);
    loop_reap(l->o.env->loop, &l->reap, free, l);
}

void client_link_close(struct link *l)
{
    if (!l || l->state == LINK_DEAD)
        return;
    call_cancel(l->call);
    l->call = NULL;
    if (l->session)
        h2_session_close(l->session, 0);
    l->session = NULL;
    retire(l);
}

void client_link_wake(struct link *l)
{
    if (l->session)
        h2_session_probe(l->session, l->o.h2.ping_timeout_ms);
}

static void go_down(struct link *l, const char *step, int err, const char *reason)
{
    const struct link_ops *ops = l->ops;
    client_link_close(l);
    ops->on_down(l->user, l, step, err, reason);
}

/* ---- what the session tells */

static void on_up(void *user)
{
    /* The server's limits matter to whoever opens streams, and this side opens none. */
}

static void note(struct link *l, bool *what)
{
    *what = true;
    loop_defer(l->o.env->loop, &l->tell);
}

static void on_acked(void *user)
{
    struct link *l = user;
    note(l, &l->acked);
}

static void on_stream(void *user, struct leg *leg, struct message *m, bool end)
{
    struct link *l = user;
    exchange_list_take(l->o.exchanges, leg, m, end);
}

static void on_goaway(void *user, struct slice debug)
{
    struct link *l = user;
    if (slice_eq(debug, SLICE("taken_over")))
        l->farewell = LINK_TAKEN_OVER;
    else if (slice_eq(debug, SLICE("name_lost")))
        l->farewell = LINK_NAME_LOST;
    /* else it is a plain GOAWAY, which may also follow one of those */
    LOG(DEBUG, "server_says_goodbye", LOG_S("reason", debug));
    note(l, &l->goaway);
}

static void on_idle(void *user)
{
    struct link *l = user;
    note(l, &l->idle);
}

static void on_evicted(void *user, uint64_t stalled_ms, uint64_t bytes)
{
    struct link *l = user;
    uint64_t suppressed;
    if (log_limit_pass(&l->evictions, loop_now_us(l->o.env->loop), &suppressed))
        LOG(WARN, "stream_evicted", LOG_U("stalled_ms", stalled_ms), LOG_U("octets", bytes),
            LOG_U("suppressed", suppressed));
}

static void on_learned(void *user, const struct line_rate *learned)
{
    struct link *l = user;
    l->ops->on_learned(l->user, learned);
}

static void on_closed(void *user, int err, const char *reason)
{
    struct link *l = user;
    bool goaway_untold = l->goaway;
    l->session = NULL;
    if (goaway_untold) { /* it came with the last bytes; it says why the link ends */
        l->goaway = false;
        l->ops->on_goaway(l->user, l);
    }
    if (l->state != LINK_DEAD)
        go_down(l, "link", err, reason);
}

static const struct h2_session_ops session_ops = {
    .on_up = on_up,
    .on_acked = on_acked,
    .on_stream = on_stream,
    .on_goaway = on_goaway,
    .on_idle = on_idle,
    .on_evicted = on_evicted,
    .on_learned = on_learned,
    .on_closed = on_closed,
};

static void come_up(struct link *l)
{
    timer_stop(&l->settle);
    enter(l, LINK_UP);
    l->ops->on_up(l->user, l);
}

/* Tells what was noted. Each call may close the link; then nothing more is told. */
static void run_tell(void *user)
{
    struct link *l = user;
    if (l->let_in && l->state == LINK_SETTLING) {
        l->let_in = false;
        l->ops->on_let_in(l->user, l);
    }
    if (l->acked && l->state == LINK_SETTLING)
        come_up(l);
    if (l->goaway && l->state != LINK_DEAD) {
        l->goaway = false;
        l->ops->on_goaway(l->user, l);
    }
    if (l->idle && l->state != LINK_DEAD) {
        l->idle = false;
        if (client_link_is_idle(l))
            l->ops->on_idle(l->user, l);
    }
}

static void run_settle(void *user)
{
    go_down(user, "attach", ERR_TIMEOUT, "our SETTINGS were not acknowledged");
}

/* ---- the attach call */

/* The answer to the attach request shows how long the line is before a PING does. */
static void on_upgraded(void *user, struct sock *sock, uint64_t took_us)
{
    struct link *l = user;
    l->call = NULL;
    l->o.h2.rtt_us = took_us;
    l->session = h2_session_new(l->o.env->loop, sock, H2_SERVER, &l->o.h2, &session_ops, l);
    timer_arm(&l->settle, l->o.env->timeout_ms);
    enter(l, LINK_SETTLING);
    note(l, &l->let_in);
}

static void on_answer(void *user, const struct call_answer *a)
{
    struct link *l = user;
    struct refusal r;
    l->call = NULL;
    refusal_from_answer(&r, a);
    client_link_close(l);
    l->ops->on_refused(l->user, l, &r);
}

static void on_failed(void *user, const char *step, int err, const char *reason)
{
    struct link *l = user;
    l->call = NULL;
    go_down(l, step ? step : "attach", err, reason);
}

static const struct call_ops call_ops = {
    .on_answer = on_answer,
    .on_upgraded = on_upgraded,
    .on_failed = on_failed,
};

struct link *client_link_open(const struct link_options *o, const struct url *attach,
                              bool public_only, const char *ticket, const struct link_ops *ops,
                              void *user)
{
    struct link *l = xcalloc(1, sizeof *l);
    struct message m;
    l->o = *o;
    l->ops = ops;
    l->user = user;
    task_init(&l->tell, run_tell, l);
    timer_init(&l->settle, o->env->loop, run_settle, l);
    message_init(&m);
    m.path = fields_keep(&m.fields, slice_str(attach->path));
    fields_add(&m.fields, SLICE("Upgrade"), SLICE("ptth"));
    fields_add(&m.fields, SLICE("ALPN"), SLICE("h2"));
    fields_add_printf(&m.fields, SLICE("Authorization"), "Bearer %s", ticket);
    fields_add_copy(&m.fields, SLICE("Oneport-Instance"), slice_str(o->instance));
    if (o->env->domain)
        fields_add_copy(&m.fields, SLICE("Oneport-Domain"), slice_str(o->env->domain));
    fields_add_copy(&m.fields, SLICE("Oneport-Policy"),
                    slice_str(o->env->policy ? o->env->policy : "{}"));
    fields_add_printf(&m.fields, SLICE("Oneport-Link"), "%u", o->slot);
    fields_add(&m.fields, SLICE("Oneport-Party"), SLICE("?1"));
    if (exchange_list_asks_who(o->exchanges))
        fields_add(&m.fields, SLICE("Oneport-Viewer-Connection"), SLICE("?1"));
    struct call_target to = {.url = attach, .public_only = public_only};
    l->call = call_start(o->env, &to, &m, &call_ops, l);
    enter(l, LINK_ATTACHING);
    return l;
}

/* ---- for the owner */

void client_link_goaway(struct link *l)
{
    if (l->session)
        h2_session_goaway(l->session, SLICE(""));
}

bool client_link_is_idle(const struct link *l)
{
    return !l->session || h2_session_open_streams(l->session) == 0;
}

uint64_t client_link_round_trip_us(const struct link *l)
{
    return l->session ? h2_session_round_trip_us(l->session) : 0;
}

enum link_farewell client_link_goaway_reason(const struct link *l)
{
    return l->farewell;
}
