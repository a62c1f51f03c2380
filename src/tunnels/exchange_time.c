/* SPDX-License-Identifier: MIT */
/* exchange_time.c - limits the time that an exchange spends in each state, and ends the exchange
 * when that time is over. */
#include "src/tunnels/exchange_int.h"

enum { QUEUE_MS = 1000, PROBE_AFTER_MS = 5000, PROBE_MS = 5000, LOOK_AGAIN_MS = 1000 };

/* Returns the milliseconds since a byte or a head last moved, or since the stream was opened. */
static uint64_t quiet_ms(const struct exchange *x)
{
    return (loop_now_us(x->worker->loop) - x->relay.moved_us) / 1000;
}

/* Returns whether a part of the request's body has not come from the viewer yet, or has not been
 * sent to the backend yet. */
static bool uploading(const struct exchange *x)
{
    return exchange_has_body(x) && (!x->relay.near.ended || relay_waiting(&x->relay.near) > 0);
}

/* Returns whether the exchange waits for the viewer: all body that came was sent on, and the body
 * has not ended. */
static bool viewer_owes_body(const struct exchange *x)
{
    return !x->relay.near.ended && relay_waiting(&x->relay.near) == 0;
}

/* Returns the number of milliseconds until an OPEN exchange must be looked at again. That is the
 * first of three times: @probe_at, when the client is asked for a sign of life; --origin-timeout;
 * and --idle-timeout while the request's body is under way. These times and @quiet are counted from
 * the last byte or head that moved. */
static uint64_t next_look_ms(const struct exchange *x, uint64_t quiet, uint64_t probe_at)
{
    const struct config *c = x->worker->server->config;
    uint64_t due = x->stream.probed ? UINT64_MAX : probe_at;
    if (c->timeouts.origin_ms != 0 && c->timeouts.origin_ms < due)
        due = c->timeouts.origin_ms;
    if (uploading(x) && c->timeouts.idle_ms < due)
        due = c->timeouts.idle_ms;
    if (due == UINT64_MAX)
        due = c->timeouts.websocket_ms; /* nothing limits it: a look now and then */
    return due > quiet ? due - quiet : LOOK_AGAIN_MS;
}

void exchange_arm(struct exchange *x)
{
    const struct config *c = x->worker->server->config;
    uint64_t ms = 0;
    switch (x->state) {
    case EXCHANGE_HELD:
        ms = x->wait.queued && x->wait.sockets == 0 ? QUEUE_MS : c->names.hold_ms;
        break;
    case EXCHANGE_OPEN:
        ms = next_look_ms(x, 0, PROBE_AFTER_MS);
        break;
    case EXCHANGE_STREAMING:
        ms = c->timeouts.idle_ms;
        break;
    case EXCHANGE_UPGRADED:
        ms = c->timeouts.websocket_ms;
        break;
    case EXCHANGE_DEAD:
        return;
    }
    /* Only --hold can be 0: then nothing is held. */
    loop_arm_on_wheel(x->worker->loop, &x->timer, ms);
}

static void time_head(struct exchange *x)
{
    const struct config *c = x->worker->server->config;
    uint64_t quiet = quiet_ms(x);
    if (uploading(x) && quiet >= c->timeouts.idle_ms) {
        exchange_log(x, EVENT_IDLE);
        exchange_fail(x, viewer_owes_body(x) ? FAIL_REQUEST_TIMEOUT : FAIL_RESPONSE_TIMEOUT);
        return;
    }
    if (c->timeouts.origin_ms != 0 && quiet >= c->timeouts.origin_ms) {
        exchange_log(x, EVENT_SILENT);
        exchange_fail(x, FAIL_RESPONSE_TIMEOUT);
        return;
    }
    uint64_t probe_at = PROBE_AFTER_MS;
    if (!x->stream.probed && quiet >= PROBE_AFTER_MS) {
        uint64_t wait = x->stream.backend->ops->probe(x->stream.backend, PROBE_AFTER_MS, PROBE_MS);
        x->stream.probed = wait == 0;
        probe_at = quiet + wait;
    }
    loop_arm_on_wheel(x->worker->loop, &x->timer, next_look_ms(x, quiet, probe_at));
}

static void time_idle(struct exchange *x, uint64_t limit_ms)
{
    uint64_t quiet = quiet_ms(x);
    if (quiet >= limit_ms) {
        exchange_log(x, EVENT_IDLE);
        x->response.error = "body_idle";
        x->state == EXCHANGE_UPGRADED ? exchange_restart(x)
                                      : exchange_fail(x, FAIL_RESPONSE_TIMEOUT);
    } else {
        loop_arm_on_wheel(x->worker->loop, &x->timer, limit_ms - quiet);
    }
}

void exchange_run_timer(void *user)
{
    struct exchange *x = user;
    const struct config *c = x->worker->server->config;
    switch (x->state) {
    case EXCHANGE_HELD:
        exchange_give_up_waiting(x);
        break;
    case EXCHANGE_OPEN:
        time_head(x);
        break;
    case EXCHANGE_STREAMING:
        time_idle(x, c->timeouts.idle_ms);
        break;
    case EXCHANGE_UPGRADED:
        time_idle(x, c->timeouts.websocket_ms);
        break;
    case EXCHANGE_DEAD:
        break;
    }
}
