/* SPDX-License-Identifier: MIT */
/* exchange.c - one request and its response between two legs; see exchange.h for the states. */
#include "src/tunnels/exchange_int.h"

#include <stdlib.h>

#include "h2mux/base/clock.h"
#include "h2mux/base/pool.h"
#include "src/tunnels/registry.h"

enum { QUEUE_MS = 1000, PROBE_AFTER_MS = 5000, PROBE_MS = 5000, LOOK_AGAIN_MS = 1000 };

static uint64_t next_look_ms(const struct exchange *x, uint64_t quiet, uint64_t probe_at);
static void on_timer(void *user);
static void on_backend(struct waiter *w, struct backend *b);
static void on_gone(struct waiter *w);

const char *exchange_state_name(enum exchange_state s)
{
    static const char *const names[] = {"held", "open", "streaming", "upgraded", "dead"};
    return names[s];
}

bool exchange_is_websocket(const struct exchange *x)
{
    return x->request.translated.websocket;
}

static enum stream_kind exchange_kind(const struct exchange *x)
{
    return exchange_is_websocket(x) ? STREAM_WEBSOCKET : STREAM_REQUEST;
}

static struct counter *gauge(struct exchange *x)
{
    struct worker_stats *stats = &x->worker->stats;
    return exchange_is_websocket(x) ? &stats->websockets_open : &stats->exchanges_open;
}

struct exchange *exchange_new(struct worker *w, struct leg *near, const struct exchange_request *r,
                              const struct exchange_owner *ops, void *owner)
{
    struct exchange *x = pool_take_zeroed(sizeof *x);
    x->worker = w;
    x->request = *r;
    x->ops = ops;
    x->owner = owner;
    relay_init(&x->relay, w->loop, near, r->end, &exchange_relay_ops);
    x->started_us = x->relay.moved_us;
    x->waiter.kind = exchange_kind(x);
    x->waiter.on_backend = on_backend;
    x->waiter.on_gone = on_gone;
    timer_init(&x->timer, w->loop, on_timer, x);
    list_push(&w->exchanges, &x->node);
    stat_add(gauge(x), 1);
    stat_add(&w->stats.requests, 1);
    if (exchange_is_websocket(x))
        stat_add(&w->stats.websockets, 1);
    return x;
}

bool exchange_log_pass(struct exchange *x, enum exchange_event event, uint64_t *suppressed)
{
    return log_limit_pass(&x->worker->exchange_log[event], loop_now_us(x->worker->loop),
                          suppressed);
}

void exchange_log(struct exchange *x, enum exchange_event event)
{
    static const char *const names[] = {
        [EVENT_AWAY] = "tunnel_away",
        [EVENT_FULL] = "stream_limit",
        [EVENT_SILENT] = "origin_timeout",
        [EVENT_IDLE] = "body_idle",
    };
    uint64_t suppressed;
    if (exchange_log_pass(x, event, &suppressed))
        LOG(INFO, names[event], LOG_STR("name", x->name),
            LOG_STR("viewer", x->request.viewer->address), LOG_U("suppressed", suppressed));
}

/* ---- the end */

static uint64_t wait_so_far(const struct exchange *x)
{
    return x->state == EXCHANGE_HELD ? loop_now_us(x->worker->loop) - x->started_us : x->wait_us;
}

static void write_access(const struct exchange *x, uint64_t tx_bytes, bool aborted)
{
    const struct server *server = x->worker->server;
    uint64_t now = loop_now_us(x->worker->loop);
    struct access_entry e = {
        .viewer = x->request.viewer->address,
        .request = *x->request.asked,
        .tunnel = x->name[0] ? x->name : "-",
        .status = x->status,
        .websocket = exchange_is_websocket(x),
        .rx_bytes = x->relay.near.came,
        .tx_bytes = tx_bytes,
        .duration_us = now - x->started_us,
        .wait_us = wait_so_far(x),
        .error = x->error,
        .aborted = aborted,
    };
    if (server->access_log)
        access_write(server->access_log,
                     slice_eq(slice_str(server->config->log_format), SLICE("json")), &e);
}

static void exchange_free(void *object)
{
    pool_give(object, sizeof(struct exchange));
}

void exchange_leave_far(struct exchange *x, int err)
{
    struct leg_fault why = {.err = err, .reason = "exchange over"};
    relay_reset(&x->relay, RELAY_FAR, &why);
    if (x->counted) {
        x->counted = false;
        x->backend->ops->done(x->backend, exchange_kind(x));
    }
    x->backend = NULL;
}

static void leave_tunnel(struct exchange *x)
{
    if (!x->tunnel)
        return;
    tunnel_unwait(x->tunnel, &x->waiter);
    x->tunnel = NULL;
}

/* Both legs may live on. */
static void cut_ties(struct exchange *x)
{
    x->wait_us = wait_so_far(x);
    stat_add(&x->worker->stats.rx_bytes, (int64_t)x->relay.near.came);
    stat_add(&x->worker->stats.tx_bytes, (int64_t)x->relay.far.came);
    stat_add(gauge(x), -1);
    leave_tunnel(x);
    x->state = EXCHANGE_DEAD;
    exchange_leave_far(x, ERR_CLOSED);
    relay_close(&x->relay);
    timer_stop(&x->timer);
    list_remove(&x->node);
    loop_reap(x->worker->loop, &x->reap, exchange_free, x);
}

static bool head_was_sent(const struct exchange *x)
{
    return x->state == EXCHANGE_STREAMING || x->state == EXCHANGE_UPGRADED;
}

void exchange_die(struct exchange *x, bool aborted)
{
    if (x->state == EXCHANGE_DEAD)
        return;
    write_access(x, x->relay.far.came, aborted);
    cut_ties(x);
}

/* A definite answer, whatever happened: an error page before the head, a visible cut after it. */
void exchange_fail(struct exchange *x, enum failure why)
{
    const struct exchange_owner *ops = x->ops;
    void *owner = x->owner;
    uint64_t tx_bytes = x->relay.far.came;
    bool sent = head_was_sent(x);
    if (!x->error)
        x->error = failure_type(why);
    if (!sent)
        x->status = failure_status(why);
    cut_ties(x);
    if (sent)
        ops->on_broken(owner, x->stalled);
    else
        tx_bytes = ops->on_failure(owner, why);
    write_access(x, tx_bytes, sent);
}

void exchange_restart(struct exchange *x)
{
    struct ws_frames frames = x->frames;
    const struct exchange_owner *ops = x->ops;
    void *owner = x->owner;
    exchange_die(x, false);
    ops->on_restart(owner, &frames);
}

void exchange_cancel(struct exchange *x, const char *error)
{
    if (x->state == EXCHANGE_DEAD)
        return;
    x->error = error;
    exchange_die(x, head_was_sent(x));
}

void exchange_stop(struct exchange *x)
{
    if (x->state == EXCHANGE_UPGRADED)
        exchange_restart(x);
    else if (x->state != EXCHANGE_DEAD)
        exchange_fail(x, FAIL_DRAINING);
}

/* ---- finding a backend */

void exchange_arm(struct exchange *x)
{
    const struct config *c = x->worker->server->config;
    uint64_t ms = 0;
    switch (x->state) {
    case EXCHANGE_HELD:
        ms = x->queued ? QUEUE_MS : c->hold_ms;
        break;
    case EXCHANGE_OPEN:
        ms = next_look_ms(x, 0, PROBE_AFTER_MS);
        break;
    case EXCHANGE_STREAMING:
        ms = c->idle_timeout_ms;
        break;
    case EXCHANGE_UPGRADED:
        ms = c->websocket_timeout_ms;
        break;
    case EXCHANGE_DEAD:
        return;
    }
    timer_arm(&x->timer, ms); /* only --hold can be 0: then nothing is held */
}

/* It has waited enough, or may not wait at all: for a link, or for room on one. */
static void give_up_waiting(struct exchange *x)
{
    exchange_log(x, x->queued ? EVENT_FULL : EVENT_AWAY);
    exchange_fail(x, x->queued ? FAIL_BUSY : FAIL_AWAY);
}

static void open_on(struct exchange *x, struct backend *b)
{
    struct message *m = x->request.head;
    uint64_t now = loop_now_us(x->worker->loop);
    struct leg *far = b->ops->open(b, m, x->request.end, &relay_far_events, &x->relay);
    if (!far) {
        x->queued = true;
        give_up_waiting(x);
        return;
    }
    relay_join(&x->relay, far);
    relay_show_head(&x->relay, RELAY_NEAR, m, x->request.end);
    x->backend = b;
    x->counted = true;
    x->tunnel = NULL;
    x->state = EXCHANGE_OPEN;
    x->wait_us += now - x->relay.moved_us;
    x->relay.moved_us = now;
    x->probed = false;
    exchange_arm(x);
    if (!x->request.end && !exchange_is_websocket(x))
        x->relay.near.leg->ops->want_body(x->relay.near.leg);
}

static enum fitness fitness_for(const struct exchange *x, const struct backend *b)
{
    return b->ops->fitness(b, exchange_kind(x));
}

/* Waits again. The time in the queue runs from the first time that the request was passed over. */
static void wait_again(struct exchange *x)
{
    bool queued_before = x->queued;
    x->queued = true;
    if (!tunnel_wait(x->tunnel, &x->waiter, loop_now_us(x->worker->loop)))
        give_up_waiting(x);
    else if (!queued_before)
        exchange_arm(x);
}

static void on_backend(struct waiter *w, struct backend *b)
{
    struct exchange *x = CONTAINER_OF(w, struct exchange, waiter);
    switch (fitness_for(x, b)) {
    case FITNESS_NO_WEBSOCKETS:
        x->tunnel = NULL;
        exchange_fail(x, FAIL_NO_WEBSOCKETS);
        break;
    case FITNESS_ROOM:
        open_on(x, b);
        break;
    case FITNESS_NONE:
    case FITNESS_FULL:
        wait_again(x);
        break;
    }
}

static void on_gone(struct waiter *w)
{
    struct exchange *x = CONTAINER_OF(w, struct exchange, waiter);
    x->tunnel = NULL;
    exchange_fail(x, FAIL_NO_TUNNEL);
}

static void wait_for_backend(struct exchange *x, struct tunnel *t, bool queued)
{
    x->state = EXCHANGE_HELD;
    x->queued = queued;
    x->tunnel = t;
    if (!tunnel_wait(t, &x->waiter, loop_now_us(x->worker->loop))) {
        x->tunnel = NULL;
        give_up_waiting(x);
        return;
    }
    exchange_arm(x);
}

static void start_on(struct exchange *x, struct tunnel *t, struct backend *b)
{
    switch (fitness_for(x, b)) {
    case FITNESS_NO_WEBSOCKETS:
        exchange_fail(x, FAIL_NO_WEBSOCKETS);
        break;
    case FITNESS_ROOM:
        open_on(x, b);
        break;
    case FITNESS_NONE:
    case FITNESS_FULL:
        wait_for_backend(x, t, true);
        break;
    }
}

void exchange_start(struct exchange *x, struct tunnel *t)
{
    memcpy(x->name, t->name, sizeof x->name);
    struct backend *b = tunnel_pick(t, exchange_kind(x));
    t->exchanges++;
    relay_touch(&x->relay);
    if (x->worker->server->draining)
        exchange_fail(x, FAIL_DRAINING);
    else if (b)
        start_on(x, t, b);
    else
        wait_for_backend(x, t, false);
}

/* The near leg hands up body bytes: there must be a stream for them. */
static bool body_runs(const struct exchange *x)
{
    return !x->request.end && !exchange_is_websocket(x);
}

/* The client provably did nothing with it, and nothing of its body is gone: once more, on another
 * link or, without a body, after a wait. */
bool exchange_retry(struct exchange *x, const struct leg_fault *why)
{
    if (!why->unprocessed || x->retried || x->state != EXCHANGE_OPEN || x->relay.near.came > 0 ||
        (body_runs(x) && x->relay.near.ended))
        return false;
    struct tunnel *t = registry_find(x->worker->registry, slice_str(x->name));
    struct backend *b = t ? tunnel_pick(t, exchange_kind(x)) : NULL;
    if (!t || (body_runs(x) && (!b || fitness_for(x, b) != FITNESS_ROOM)))
        return false;
    x->retried = true;
    x->state = EXCHANGE_HELD;
    exchange_start(x, t);
    return true;
}

/* ---- time */

/* Milliseconds since something moved, or since the stream was opened. */
static uint64_t quiet_ms(const struct exchange *x)
{
    return (loop_now_us(x->worker->loop) - x->relay.moved_us) / 1000;
}

/* The upload is not through: more of it is to come, or to leave. */
static bool uploading(const struct exchange *x)
{
    return body_runs(x) && (!x->relay.near.ended || relay_waiting(&x->relay.near) > 0);
}

/* It is the viewer's turn: all that came of its body has left, and more is owed. */
static bool viewer_owes_body(const struct exchange *x)
{
    return !x->relay.near.ended && relay_waiting(&x->relay.near) == 0;
}

/* Until the first of what may be due: the probe, the origin's time, the viewer's. */
static uint64_t next_look_ms(const struct exchange *x, uint64_t quiet, uint64_t probe_at)
{
    const struct config *c = x->worker->server->config;
    uint64_t due = x->probed ? UINT64_MAX : probe_at;
    if (c->origin_timeout_ms != 0 && c->origin_timeout_ms < due)
        due = c->origin_timeout_ms;
    if (uploading(x) && c->idle_timeout_ms < due)
        due = c->idle_timeout_ms;
    if (due == UINT64_MAX)
        due = c->websocket_timeout_ms; /* nothing limits it: a look now and then */
    return due > quiet ? due - quiet : LOOK_AGAIN_MS;
}

static void time_head(struct exchange *x)
{
    const struct config *c = x->worker->server->config;
    uint64_t quiet = quiet_ms(x);
    if (uploading(x) && quiet >= c->idle_timeout_ms) {
        exchange_log(x, EVENT_IDLE);
        exchange_fail(x, viewer_owes_body(x) ? FAIL_REQUEST_TIMEOUT : FAIL_RESPONSE_TIMEOUT);
        return;
    }
    if (c->origin_timeout_ms != 0 && quiet >= c->origin_timeout_ms) {
        exchange_log(x, EVENT_SILENT);
        exchange_fail(x, FAIL_RESPONSE_TIMEOUT);
        return;
    }
    uint64_t probe_at = PROBE_AFTER_MS;
    if (!x->probed && quiet >= PROBE_AFTER_MS) {
        uint64_t wait = x->backend->ops->probe(x->backend, PROBE_AFTER_MS, PROBE_MS);
        x->probed = wait == 0;
        probe_at = quiet + wait;
    }
    timer_arm(&x->timer, next_look_ms(x, quiet, probe_at));
}

static void time_idle(struct exchange *x, uint64_t limit_ms)
{
    uint64_t quiet = quiet_ms(x);
    if (quiet >= limit_ms) {
        exchange_log(x, EVENT_IDLE);
        x->error = "body_idle";
        x->state == EXCHANGE_UPGRADED ? exchange_restart(x)
                                      : exchange_fail(x, FAIL_RESPONSE_TIMEOUT);
    } else {
        timer_arm(&x->timer, limit_ms - quiet);
    }
}

static void on_timer(void *user)
{
    struct exchange *x = user;
    const struct config *c = x->worker->server->config;
    switch (x->state) {
    case EXCHANGE_HELD:
        give_up_waiting(x);
        break;
    case EXCHANGE_OPEN:
        time_head(x);
        break;
    case EXCHANGE_STREAMING:
        time_idle(x, c->idle_timeout_ms);
        break;
    case EXCHANGE_UPGRADED:
        time_idle(x, c->websocket_timeout_ms);
        break;
    case EXCHANGE_DEAD:
        break;
    }
}
