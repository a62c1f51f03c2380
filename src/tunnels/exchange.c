/* SPDX-License-Identifier: MIT */
/* exchange.c - makes an exchange and ends it; see exchange.h for the states. */
#include "src/tunnels/exchange_int.h"

#include <stdlib.h>

#include "h2mux/base/check.h"
#include "h2mux/base/clock.h"
#include "h2mux/base/pool.h"

const char *exchange_state_name(enum exchange_state s)
{
    static const char *const names[] = {"held", "open", "streaming", "upgraded", "dead"};
    return names[s];
}

bool exchange_is_websocket(const struct exchange *x)
{
    return x->request.translated.websocket;
}

enum stream_kind exchange_kind(const struct exchange *x)
{
    return exchange_is_websocket(x) ? STREAM_WEBSOCKET : STREAM_REQUEST;
}

/* Returns whether the state @to may follow the state @from. */
static bool may_follow(enum exchange_state from, enum exchange_state to)
{
    switch (to) {
    case EXCHANGE_HELD:
    case EXCHANGE_OPEN:
        return from == EXCHANGE_HELD || from == EXCHANGE_OPEN;
    case EXCHANGE_STREAMING:
    case EXCHANGE_UPGRADED:
        return from == EXCHANGE_OPEN;
    case EXCHANGE_DEAD:
        return from != EXCHANGE_DEAD;
    }
    return false;
}

/* Checks the invariants that exchange.h states (CHECK=1). */
static void exchange_check(const struct exchange *x)
{
    const struct leg *near = x->relay.near.leg;
    bool has_backend = x->state == EXCHANGE_OPEN || x->state == EXCHANGE_STREAMING ||
                       x->state == EXCHANGE_UPGRADED;
    CHECK_THAT(!near || !near->events || near->exchange == &x->relay);
    CHECK_THAT(list_linked(&x->node));
    CHECK_THAT(!x->stream.counted || x->stream.backend);
    CHECK_THAT(!has_backend || x->stream.backend || !x->relay.far.leg);
    CHECK_THAT(x->state != EXCHANGE_HELD || !x->relay.far.leg);
    CHECK_THAT(x->state != EXCHANGE_UPGRADED || exchange_is_websocket(x));
    CHECK_THAT(x->relay.near.held || !x->early);
}

void exchange_enter(struct exchange *x, enum exchange_state s)
{
    CHECK_THAT(may_follow(x->state, s));
    x->state = s;
    if (CHECKING)
        exchange_check(x);
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
    relay_hold(&x->relay);
    x->started_us = x->relay.moved_us;
    exchange_init_waiter(x);
    wheel_timer_init(&x->timer, exchange_run_timer, x);
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
    return x->state == EXCHANGE_HELD ? loop_now_us(x->worker->loop) - x->started_us
                                     : x->wait.spent_us;
}

static void count_outcome(const struct exchange *x)
{
    struct worker_stats *s = &x->worker->stats;
    unsigned digit = (unsigned)x->response.status / 100;
    stat_add(&s->outcomes[digit < STATS_OUTCOMES ? digit : 0], 1);
    uint64_t held_us = wait_so_far(x);
    if (held_us > 0)
        histogram_add(&s->held, held_us);
}

static void write_access(const struct exchange *x, uint64_t tx_bytes, bool aborted)
{
    const struct server *server = x->worker->server;
    uint64_t now = loop_now_us(x->worker->loop);
    struct access_entry e = {
        .viewer = x->request.viewer->address,
        .request = *x->request.asked,
        .tunnel = x->name[0] ? x->name : "-",
        .status = x->response.status,
        .websocket = exchange_is_websocket(x),
        .rx_bytes = x->relay.near.came,
        .tx_bytes = tx_bytes,
        .duration_us = now - x->started_us,
        .wait_us = wait_so_far(x),
        .error = x->response.error,
        .aborted = aborted,
    };
    count_outcome(x);
    if (server->access_log)
        access_write(server->access_log,
                     slice_eq(slice_str(server->config->log.format), SLICE("json")), &e);
}

static void exchange_free(void *object)
{
    pool_give(object, sizeof(struct exchange));
}

/* Counts the bodies of an exchange for its tunnel, which may be gone (NULL). */
static void count_octets(struct tunnel *t, const struct relay *r)
{
    if (!t)
        return;
    t->rx_octets += r->near.came;
    t->tx_octets += r->far.came;
}

void exchange_leave_far(struct exchange *x, int err)
{
    struct leg_fault why = {.err = err, .reason = "exchange over"};
    relay_reset(&x->relay, RELAY_FAR, &why);
    if (x->stream.counted) {
        count_octets(x->stream.backend->tunnel, &x->relay);
        x->stream.counted = false;
        x->stream.backend->ops->done(x->stream.backend, exchange_kind(x));
        x->stream.backend->ops->dismiss(x->stream.backend, &x->stream.place);
    }
    x->stream.backend = NULL;
    list_remove(&x->stream.beside);
}

static void leave_tunnel(struct exchange *x)
{
    if (!x->wait.tunnel)
        return;
    tunnel_unwait(x->wait.tunnel, &x->wait.waiter);
    x->wait.tunnel = NULL;
}

void exchange_change_guard(struct exchange *x, struct guard *g, bool seated)
{
    struct exchange_request *r = &x->request;
    struct guard *before = r->guard;
    r->guard = guard_hold(g);
    if (before && r->seated)
        guard_leave(before, r->viewer, loop_now_us(x->worker->loop));
    r->seated = seated;
    guard_drop(before);
}

static void leave_guard(struct exchange *x)
{
    exchange_change_guard(x, NULL, false);
    free(x->request.pass);
    x->request.pass = NULL;
    if (x->watcher)
        *x->watcher = NULL;
    x->watcher = NULL;
}

/* Enters DEAD: stops the timer and the wait for a backend, gives up both legs, which may live on,
 * and lets the loop free the exchange later. */
static void cut_ties(struct exchange *x)
{
    x->wait.spent_us = wait_so_far(x);
    stat_add(&x->worker->stats.rx_bytes, (int64_t)x->relay.near.came);
    stat_add(&x->worker->stats.tx_bytes, (int64_t)x->relay.far.came);
    stat_add(gauge(x), -1);
    leave_tunnel(x);
    exchange_enter(x, EXCHANGE_DEAD);
    exchange_leave_far(x, ERR_CLOSED);
    relay_close(&x->relay);
    early_free(&x->early);
    leave_guard(x);
    wheel_timer_stop(&x->timer);
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

void exchange_fail(struct exchange *x, enum failure why)
{
    const struct exchange_owner *ops = x->ops;
    void *owner = x->owner;
    uint64_t tx_bytes = x->relay.far.came;
    bool sent = head_was_sent(x);
    if (!x->response.error)
        x->response.error = failure_type(why);
    if (!sent)
        x->response.status = failure_status(why);
    cut_ties(x);
    if (sent)
        ops->on_broken(owner, x->response.stalled);
    else
        tx_bytes = ops->on_failure(owner, why);
    write_access(x, tx_bytes, sent);
}

/* Ends an open WebSocket by @tell of its owner. */
static void end_websocket(struct exchange *x,
                          void (*tell)(void *owner, const struct ws_frames *frames))
{
    struct ws_frames frames = x->response.frames;
    void *owner = x->owner;
    exchange_die(x, false);
    tell(owner, &frames);
}

void exchange_restart(struct exchange *x)
{
    end_websocket(x, x->ops->on_restart);
}

void exchange_cancel(struct exchange *x, const char *error)
{
    if (x->state == EXCHANGE_DEAD)
        return;
    x->response.error = error;
    exchange_die(x, head_was_sent(x));
}

void exchange_give_up(struct exchange *x)
{
    x->response.stalled = true;
    exchange_fail(x, FAIL_BUSY);
}

static void end(struct exchange *x, enum failure why)
{
    if (x->state == EXCHANGE_UPGRADED)
        exchange_restart(x);
    else if (x->state != EXCHANGE_DEAD)
        exchange_fail(x, why);
}

void exchange_bar(struct exchange *x)
{
    end(x, FAIL_BARRED);
}

void exchange_refuse(struct exchange *x, enum failure why)
{
    if (x->state == EXCHANGE_UPGRADED) {
        x->response.error = failure_type(why);
        end_websocket(x, x->ops->on_refused);
    } else {
        end(x, why);
    }
}

void exchange_stop(struct exchange *x)
{
    end(x, FAIL_DRAINING);
}
