/* SPDX-License-Identifier: MIT */
/* channels.c - see channels.h.
 *
 * What a session tells comes from inside nghttp2, so it is noted here, and looked at by a task.
 * Invariants: a channel has a dial or a session until it is over; `up` is set with a session only.
 */
#include "client/origin/channels.h"

#include <stdio.h>
#include <stdlib.h>

#include "h2mux/base/check.h"
#include "h2mux/base/log.h"

enum {
    BUFFER_LIMIT = 32 * 1024 * 1024, /* of a channel: http-rules.md#memory */
    PING_TIMEOUT_MS = 10 * 1000,
    PAUSE_MS = 1000,      /* after a dial that failed while other channels are up */
    SHORT_PAUSE_MS = 50,  /* after one that found no descriptor, or a channel that served nothing */
    RESET_BURST = 900,    /* RST_STREAM frames at once; other authors' servers end a connection */
    RESET_RATE = 30,      /* that sends more than 1,000, and 33 a second after that (G3) */
    STREAMS_MAX = 1 << 20 /* on one channel, whatever the origin allows */
};

struct channels {
    struct channels_options o;
    struct list_node list;    /* of channel.node: the oldest first */
    struct list_node waiters; /* of channel_waiter.node: the oldest first */
    size_t count;
    uint64_t pause_us; /* no dial before */
    struct task serve;
    struct timer timer; /* armed while anybody waits, or a channel is idle */
    struct log_limit waits;
};

struct channel {
    struct channels *all;
    struct list_node node;
    struct dial *dial;          /* owned until it has answered */
    struct h2_session *session; /* owned until it ends by itself */
    bool up;                    /* the origin's SETTINGS have come */
    bool used;                  /* a stream was opened */
    uint64_t idle_since_us;     /* since when it has no stream; of use while it has none */
    struct reap reap;
};

static struct channel *channel_of(struct list_node *n)
{
    return CONTAINER_OF(n, struct channel, node);
}

static uint64_t now_us(const struct channels *all)
{
    return loop_now_us(all->o.loop);
}

static bool is_idle(const struct channel *c)
{
    return c->up && h2_session_open_streams(c->session) == 0;
}

static void channels_check(const struct channels *all)
{
    size_t n = 0;
    LIST_FOREACH (it, &all->list) {
        const struct channel *c = CONST_CONTAINER_OF(it, struct channel, node);
        CHECK_THAT(!c->dial != !c->session);
        CHECK_THAT(!c->up || c->session);
        n++;
    }
    CHECK_THAT(n == all->count && n <= CHANNELS_MAX);
}

/* ---- time */

static uint64_t earlier(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

/* Returns when the next thing is due: the end of a wait, a dial that was put off, or the end of an
 * idle channel. */
static uint64_t next_due(struct channels *all)
{
    uint64_t due = UINT64_MAX;
    if (!list_empty(&all->waiters)) {
        struct channel_waiter *w = CONTAINER_OF(all->waiters.next, struct channel_waiter, node);
        due = w->since_us + (uint64_t)CHANNEL_WAIT_MS * 1000;
        if (all->pause_us > now_us(all))
            due = earlier(due, all->pause_us);
        return due;
    }
    LIST_FOREACH (it, &all->list)
        if (is_idle(channel_of(it)))
            due = earlier(due, channel_of(it)->idle_since_us + all->o.idle_ms * 1000);
    return due;
}

static void arm(struct channels *all)
{
    uint64_t due = next_due(all), now = now_us(all);
    if (due == UINT64_MAX)
        timer_stop(&all->timer);
    else
        timer_arm(&all->timer, due > now ? (due - now + 999) / 1000 : 0);
}

static void look(struct channels *all)
{
    loop_defer(all->o.loop, &all->serve);
}

/* ---- ends */

/* Takes @c, whose dial and session have ended, out of the list. */
static void forget(struct channel *c)
{
    c->up = false;
    c->all->count--;
    list_remove(&c->node);
    loop_reap(c->all->o.loop, &c->reap, free, c);
}

static void close_channel(struct channel *c)
{
    dial_cancel(c->dial);
    if (c->session)
        h2_session_close(c->session, H2_NO_ERROR);
    c->dial = NULL;
    c->session = NULL;
    forget(c);
}

static bool any_up(const struct channels *all)
{
    LIST_FOREACH (it, &all->list) {
        const struct channel *c = CONST_CONTAINER_OF(it, struct channel, node);
        if (c->up && h2_session_can_open(c->session))
            return true;
    }
    return false;
}

/* Tells all who wait that there is no session; but while another channel is up they wait for that
 * one. */
static void fail_waiters(struct channels *all, const struct failure *f, const char *step,
                         const char *reason)
{
    if (any_up(all)) {
        all->pause_us = now_us(all) + (uint64_t)PAUSE_MS * 1000;
        arm(all);
        return;
    }
    for (struct list_node *n; (n = list_pop(&all->waiters));) {
        struct channel_waiter *w = CONTAINER_OF(n, struct channel_waiter, node);
        w->ops->on_failed(w, f, step, reason);
    }
    arm(all);
}

/* ---- what a session tells */

static void on_up(void *user)
{
    struct channel *c = user;
    c->up = true;
    c->idle_since_us = now_us(c->all);
    look(c->all);
}

static void on_goaway(void *user, struct slice debug)
{
    struct channel *c = user;
    LOG(DEBUG, "origin_says_goodbye", LOG_STR("origin", c->all->o.address->text),
        LOG_U("streams", h2_session_open_streams(c->session)), LOG_S("debug", debug));
    look(c->all);
}

static void on_room(void *user)
{
    struct channel *c = user;
    if (!list_empty(&c->all->waiters))
        look(c->all);
}

static void on_idle(void *user)
{
    struct channel *c = user;
    c->idle_since_us = now_us(c->all);
    look(c->all);
}

static void on_evicted(void *user, uint64_t stalled_ms, uint64_t bytes)
{
    struct channel *c = user;
    uint64_t suppressed;
    if (log_limit_pass(&c->all->waits, now_us(c->all), &suppressed))
        LOG(WARN, "stream_evicted", LOG_U("stalled_ms", stalled_ms), LOG_U("octets", bytes),
            LOG_U("suppressed", suppressed));
}

/* The session of @c has ended before it was up. */
static void greeting_failed(struct channels *all, int err, const char *reason)
{
    char text[ORIGIN_TEXT_MAX + TLS_REASON_MAX];
    if (err == ERR_TIMEOUT) {
        fail_waiters(all, failure_of_dial(DIAL_TLS, err), "HTTP/2", reason);
        return;
    }
    snprintf(text, sizeof text, "the service does not speak HTTP/2 here (%s); is it %s://%s?",
             reason, all->o.address->url.https ? "https" : "http", all->o.address->text);
    fail_waiters(all, &failure_protocol, "HTTP/2", text);
}

static void on_closed(void *user, int err, const char *reason)
{
    struct channel *c = user;
    struct channels *all = c->all;
    bool up = c->up;
    c->session = NULL;
    forget(c);
    if (!up)
        greeting_failed(all, err, reason);
    else if (!c->used)
        all->pause_us = now_us(all) + (uint64_t)SHORT_PAUSE_MS * 1000;
    look(all);
}

static const struct h2_session_ops session_ops = {
    .on_up = on_up,
    .on_goaway = on_goaway,
    .on_room = on_room,
    .on_idle = on_idle,
    .on_evicted = on_evicted,
    .on_closed = on_closed,
};

/* ---- dials */

static const char no_h2[] = "the service does not agree to HTTP/2 in TLS (ALPN h2); share it as "
                            "https:// instead of https+h2://";

static void on_dialled(void *user, struct sock *sock)
{
    struct channel *c = user;
    struct channels *all = c->all;
    c->dial = NULL;
    if (all->o.tls && !slice_eq(sock_protocol(sock), SLICE("h2"))) {
        sock_close(sock);
        forget(c);
        fail_waiters(all, &failure_protocol, "TLS", no_h2);
        return;
    }
    struct h2_options o = {
        .service = true,
        .ping_timeout_ms = PING_TIMEOUT_MS,
        .settings_timeout_ms = all->o.connect_ms,
        .buffer_limit = BUFFER_LIMIT,
        .evictor = all->o.evictor,
        .stall_ms = all->o.stall_ms,
        .reset_burst = RESET_BURST,
        .reset_rate = RESET_RATE,
    };
    sock_keep_alive(sock_fd(sock));
    sock_watch_peer(sock, all->o.peer_ms);
    c->session = h2_session_new(all->o.loop, sock, H2_OPENER, &o, &session_ops, c);
}

/* Lets those who wait go on waiting for a descriptor, which others may give back. */
static void wait_for_descriptor(struct channels *all, const char *reason)
{
    uint64_t suppressed;
    all->pause_us = now_us(all) + (uint64_t)SHORT_PAUSE_MS * 1000;
    if (log_limit_pass(&all->waits, now_us(all), &suppressed))
        LOG(WARN, "origin_dials_wait", LOG_STR("origin", all->o.address->text),
            LOG_STR("reason", reason), LOG_U("suppressed", suppressed));
    arm(all);
}

static void on_dial_failed(void *user, enum dial_step step, int err, const char *reason)
{
    struct channel *c = user;
    struct channels *all = c->all;
    c->dial = NULL;
    forget(c);
    if (err == ERR_SHORT)
        wait_for_descriptor(all, reason);
    else if (step == DIAL_TLS && strstr(reason, "no application protocol"))
        fail_waiters(all, &failure_protocol, "TLS", no_h2);
    else
        fail_waiters(all, failure_of_dial(step, err), dial_step_name(step), reason);
}

static const struct dial_ops dial_ops = {.on_done = on_dialled, .on_failed = on_dial_failed};

static void dial(struct channels *all)
{
    struct channel *c = xcalloc(1, sizeof *c);
    const struct dial_target target = {
        .host = all->o.address->url.host,
        .port = all->o.address->url.port,
        .tls = all->o.tls,
        .tls_name = all->o.tls_name,
    };
    c->all = all;
    list_push(&all->list, &c->node);
    all->count++;
    c->dial = dial_start(all->o.loop, all->o.resolver, &target, all->o.connect_ms, &dial_ops, c);
}

static bool is_coming(const struct channels *all)
{
    LIST_FOREACH (it, &all->list)
        if (!CONST_CONTAINER_OF(it, struct channel, node)->up)
            return true;
    return false;
}

/* ---- serving those who wait */

static bool has_room(const struct channel *c)
{
    if (!c->up || !h2_session_can_open(c->session))
        return false;
    uint32_t limit = h2_session_peer_limit(c->session);
    return h2_session_open_streams(c->session) < (limit < STREAMS_MAX ? limit : STREAMS_MAX);
}

static struct channel *with_room(struct channels *all)
{
    LIST_FOREACH (it, &all->list)
        if (has_room(channel_of(it)))
            return channel_of(it);
    return NULL;
}

static void give(struct channel *c, struct channel_waiter *w)
{
    list_remove(&w->node);
    c->used = true;
    w->ops->on_session(w, c->session);
    if (c->session && h2_session_ids_low(c->session))
        h2_session_goaway(c->session, SLICE(""));
}

static void close_idle(struct channels *all)
{
    LIST_FOREACH (it, &all->list) {
        struct channel *c = channel_of(it);
        if (is_idle(c) && now_us(all) - c->idle_since_us >= all->o.idle_ms * 1000)
            close_channel(c);
    }
}

static void run_serve(void *user)
{
    struct channels *all = user;
    struct channel *c;
    while (!list_empty(&all->waiters) && (c = with_room(all)))
        give(c, CONTAINER_OF(all->waiters.next, struct channel_waiter, node));
    if (list_empty(&all->waiters))
        close_idle(all);
    else if (!is_coming(all) && all->count < CHANNELS_MAX && all->pause_us <= now_us(all))
        dial(all);
    if (CHECKING)
        channels_check(all);
    arm(all);
}

static void on_timer(void *user)
{
    struct channels *all = user;
    while (!list_empty(&all->waiters)) {
        struct channel_waiter *w = CONTAINER_OF(all->waiters.next, struct channel_waiter, node);
        if (now_us(all) - w->since_us < (uint64_t)CHANNEL_WAIT_MS * 1000)
            break;
        list_remove(&w->node);
        w->ops->on_failed(w, failure_of_dial(DIAL_TCP, ERR_SHORT), "stream",
                          "the service takes no more requests at once");
    }
    look(all);
}

/* ---- for exchanges */

void channels_ask(struct channels *all, struct channel_waiter *w)
{
    w->since_us = now_us(all);
    list_push(&all->waiters, &w->node);
    look(all);
}

void channels_leave(struct channel_waiter *w)
{
    list_remove(&w->node);
}

struct channels *channels_new(const struct channels_options *o)
{
    struct channels *all = xcalloc(1, sizeof *all);
    all->o = *o;
    list_init(&all->list);
    list_init(&all->waiters);
    task_init(&all->serve, run_serve, all);
    timer_init(&all->timer, o->loop, on_timer, all);
    return all;
}

void channels_free(struct channels *all)
{
    if (!all)
        return;
    while (!list_empty(&all->list))
        close_channel(channel_of(all->list.next));
    task_cancel(&all->serve);
    timer_stop(&all->timer);
    free(all);
}
