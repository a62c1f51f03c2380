/* SPDX-License-Identifier: MIT */
/* exchange.c - one exchange: ties the two legs, keeps its time, ends it. States: exchange_int.h.
 *
 * near is the link's stream, far the origin's connection. Bytes taken from one are credited when
 * they have left by the other, so a side that stalls stops the other after one window. The stream
 * itself says RST(NO_ERROR) when an answer is complete before its upload (D12).
 *
 * Invariants: near is tied to this until both of its directions are complete or it is reset; conn
 * is leased until the answer is complete; far != NULL iff the request's head was written to conn.
 * What arrives before that waits in `early`, bounded by the stream's first window. */
#include <stdlib.h>

#include "client/origin/exchange_int.h"
#include "client/origin/translate.h"
#include "h2mux/base/pool.h"

/* ---- time */

static bool uploading(const struct exchange *x)
{
    return !x->relay.near.ended || relay_waiting(&x->relay.near) > 0;
}

/* How long without progress the present state may last. While the upload runs, the origin's silence
 * is no answer yet due. */
static uint64_t patience_ms(const struct exchange *x)
{
    switch (x->state) {
    case EXCHANGE_CONNECTING: /* the dial has a deadline of its own */
    case EXCHANGE_DEAD:
        return 0;
    case EXCHANGE_WAITING:
        return uploading(x) && !x->websocket ? x->all->o.idle_ms : x->all->o.origin_ms;
    case EXCHANGE_RELAYING:
    case EXCHANGE_SENDING:
        return x->all->o.idle_ms;
    case EXCHANGE_OPEN:
        return x->all->o.websocket_ms;
    }
    return 0;
}

void exchange_arm(struct exchange *x)
{
    uint64_t ms = patience_ms(x);
    if (ms == 0)
        timer_stop(&x->timer);
    else
        timer_arm(&x->timer, ms);
}

/* The method is static. */
void exchange_forget_request(struct exchange *x)
{
    x->kept = xmalloc(x->path.len);
    memcpy(x->kept, x->path.ptr, x->path.len);
    x->path.ptr = x->kept;
    x->scheme = x->authority = SLICE("");
    message_deinit(&x->request);
    message_init(&x->request);
}

/* ---- the end */

static void exchange_free(void *object)
{
    struct exchange *x = object;
    message_deinit(&x->request);
    fields_deinit(&x->trailers);
    buf_release(&x->early);
    free(x->kept);
    pool_give(x, sizeof *x);
}

static void discard_origin(struct exchange *x, enum origin_end how)
{
    relay_let_go(&x->relay, RELAY_FAR);
    origin_discard(x->conn, how);
    x->conn = NULL;
}

/* Lets the origin's connection go: into the pool if everything on it is complete. */
static void let_origin_go(struct exchange *x, enum origin_end how)
{
    if (x->conn && x->relay.far.ended && !x->websocket) {
        relay_let_go(&x->relay, RELAY_FAR);
        origin_release(x->conn);
        x->conn = NULL;
    } else {
        discard_origin(x, how);
    }
}

void exchange_close(struct exchange *x, enum origin_end how)
{
    if (x->state == EXCHANGE_DEAD)
        return;
    uint64_t ms = (loop_now_us(x->all->o.loop) - x->started_us) / 1000;
    terminal_show_request(x->all->o.terminal, x->method, x->path, x->status, ms);
    x->state = EXCHANGE_DEAD;
    timer_stop(&x->timer);
    task_cancel(&x->connect);
    let_origin_go(x, how);
    relay_close(&x->relay); /* what near still holds leaves without us */
    exchanges_remove(x);
    loop_reap(x->all->o.loop, &x->reap, exchange_free, x);
}

static void reset_near(struct exchange *x, uint32_t code, const char *reason)
{
    struct leg_fault why = {.err = ERR_PROTOCOL, .h2_code = code, .reason = reason};
    relay_reset(&x->relay, RELAY_NEAR, &why);
}

static void log_failure(struct exchange *x, const char *type, const char *step, const char *reason)
{
    uint64_t suppressed = 0;
    if (!log_limit_pass(&x->all->failures, loop_now_us(x->all->o.loop), &suppressed))
        return;
    LOG(WARN, "exchange_failed", LOG_STR("error", type), LOG_STR("step", step),
        LOG_STR("reason", reason), LOG_STR("origin", origin_address(x->all->o.origin)->text),
        LOG_S("method", x->method), LOG_S("path", x->path), LOG_U("suppressed", suppressed));
}

void exchange_fail(struct exchange *x, const struct failure *f, const char *step,
                   const char *reason)
{
    log_failure(x, f->type, step, reason);
    discard_origin(x, ORIGIN_CLOSE); /* the answer that follows is not its own */
    if (x->relay.near.leg && x->status == 0) {
        struct message m;
        failure_answer(f, &m);
        x->status = m.status;
        relay_head(&x->relay, RELAY_FAR, &m, true);
        message_deinit(&m);
    } else {
        reset_near(x, x->state == EXCHANGE_OPEN ? H2_CANCEL : H2_INTERNAL_ERROR, reason);
    }
    exchange_close(x, ORIGIN_CLOSE);
}

void exchange_refuse(struct exchange *x, const char *step, const char *reason)
{
    log_failure(x, "http_request_error", step, reason);
    reset_near(x, H2_PROTOCOL_ERROR, reason);
    exchange_close(x, ORIGIN_CLOSE);
}

void exchange_run_timer(void *user)
{
    struct exchange *x = user;
    uint64_t ms = patience_ms(x);
    uint64_t age_ms = (loop_now_us(x->all->o.loop) - x->relay.moved_us) / 1000;
    if (ms == 0)
        return;
    if (age_ms < ms) {
        timer_arm(&x->timer, ms - age_ms);
        return;
    }
    if (x->state == EXCHANGE_WAITING) {
        exchange_fail(x, &failure_silent, "response head", "origin is silent");
        return;
    }
    log_failure(x, "body_idle", "body", "no octet moved in either direction");
    reset_near(x, H2_CANCEL, "idle");
    exchange_close(x, ORIGIN_ABORT);
}

/* ---- what the relay tells */

static struct exchange *exchange_of(struct relay *r)
{
    return CONTAINER_OF(r, struct exchange, relay);
}

/* The request is complete: from here on the origin owes an answer. */
static void await_answer(struct exchange *x)
{
    if (x->state == EXCHANGE_WAITING && !uploading(x))
        exchange_arm(x);
}

static void on_head(struct relay *r, struct message *m, bool end)
{
    answer_head(exchange_of(r), m, end);
}

/* What comes before the origin can take it is kept; what comes behind the answer is not wanted, and
 * the stream's window stays closed. */
static bool on_body(struct relay *r, enum relay_side from, struct slice data, bool end)
{
    struct exchange *x = exchange_of(r);
    if (from == RELAY_FAR || (!r->near.held && x->state != EXCHANGE_SENDING))
        return true;
    if (x->state == EXCHANGE_SENDING)
        return false;
    relay_touch(r);
    if (buf_append(&x->early, data) < 0)
        exchange_fail(x, &failure_internal, "request body", "more than a window came early");
    else
        await_answer(x);
    return false;
}

static bool on_trailers(struct relay *r, enum relay_side from, struct fields *t)
{
    struct exchange *x = exchange_of(r);
    if (from == RELAY_FAR)
        return true;
    if (x->state == EXCHANGE_SENDING)
        return false;
    if (translate_trailers_to_origin(t) < 0) {
        exchange_refuse(x, "request trailers", "malformed field");
        return false;
    }
    if (!r->near.held)
        return true;
    relay_touch(r);
    fields_copy(&x->trailers, t);
    await_answer(x);
    return false;
}

static void on_end(struct relay *r, enum relay_side from)
{
    if (from == RELAY_NEAR)
        await_answer(exchange_of(r));
}

static void on_left(struct relay *r, enum relay_side from)
{
    struct exchange *x = exchange_of(r);
    if (from == RELAY_NEAR)
        await_answer(x);
    else if (x->state == EXCHANGE_SENDING && relay_waiting(&r->far) == 0)
        exchange_close(x, ORIGIN_CLOSE);
}

/* Behind the head, what came of the body meanwhile. */
void exchange_flush_early(struct exchange *x)
{
    struct relay *r = &x->relay;
    bool with_trailers = r->near.ended && x->trailers.count > 0;
    relay_let_pass(r);
    if (buf_len(&x->early) > 0 || (r->near.ended && !x->bodyless && !with_trailers))
        relay_body(r, RELAY_NEAR, buf_slice(&x->early), r->near.ended && !with_trailers);
    buf_release(&x->early);
    if (with_trailers)
        relay_trailers(r, RELAY_NEAR, &x->trailers);
}

static void near_ended(struct exchange *x, const struct leg_fault *why)
{
    LOG(DEBUG, "stream_reset", LOG_U("code", why->h2_code), LOG_STR("reason", why->reason),
        LOG_S("path", x->path));
    exchange_close(x, x->websocket ? ORIGIN_ABORT : ORIGIN_CLOSE);
}

/* The connection is free for others; the exchange is not over before its tail has gone. */
static void origin_message_end(void *user)
{
    struct exchange *x = user;
    if (x->state != EXCHANGE_RELAYING)
        return;
    if (relay_waiting(&x->relay.far) == 0) {
        exchange_close(x, ORIGIN_CLOSE);
        return;
    }
    let_origin_go(x, ORIGIN_CLOSE);
    x->state = EXCHANGE_SENDING;
    exchange_arm(x);
}

/* A WebSocket has ended in both directions; its last bytes may still be queued. */
static void origin_done(void *user)
{
    struct exchange *x = user;
    bool queued = sock_queued(h1_conn_sock(origin_h1(x->conn))) > 0;
    exchange_close(x, queued ? ORIGIN_FLUSH : ORIGIN_CLOSE);
}

/* ---- the origin's connection */

/* D8: a pooled connection that died before it said anything says nothing about the origin. */
static bool may_retry(const struct exchange *x)
{
    return x->state == EXCHANGE_WAITING && !x->retried && origin_was_used(x->conn) &&
           (x->bodyless || x->websocket) && x->interim == 0 &&
           method_is_idempotent(x->request.method);
}

static bool is_loss(int err)
{
    return err == ERR_EOF || err == ERR_RESET || err == ERR_TRUNCATED || err == ERR_IO;
}

static void far_ended(struct exchange *x, const struct leg_fault *why)
{
    if (is_loss(why->err) && !why->begun && may_retry(x)) {
        x->retried = true;
        origin_discard(x->conn, ORIGIN_CLOSE);
        exchange_connect(x, true);
        return;
    }
    exchange_fail(x, failure_of_answer(why->err, x->status != 0 || why->begun),
                  x->status == 0 ? "response head" : "response body", why->reason);
}

static void on_reset(struct relay *r, enum relay_side side, const struct leg_fault *why)
{
    if (side == RELAY_NEAR)
        near_ended(exchange_of(r), why);
    else
        far_ended(exchange_of(r), why);
}

const struct relay_ops exchange_relay_ops = {
    .on_head = on_head,
    .on_body = on_body,
    .on_trailers = on_trailers,
    .on_end = on_end,
    .on_left = on_left,
    .on_reset = on_reset,
};

static void origin_failed(void *user, enum dial_step step, int err, const char *reason)
{
    struct exchange *x = user;
    x->conn = NULL;
    exchange_fail(x, failure_of_dial(step, err), dial_step_name(step), reason);
}

/* The request leaves: its head, and what came of its body meanwhile. */
static void origin_ready(void *user)
{
    struct exchange *x = user;
    struct leg_reply how = {.upgrade = x->websocket, .trailers = x->wants_trailers};
    struct leg *far = h1_conn_leg(origin_h1(x->conn));
    x->state = EXCHANGE_WAITING;
    relay_touch(&x->relay);
    relay_join(&x->relay, far);
    leg_reply(far, &how);
    relay_head(&x->relay, RELAY_NEAR, &x->request, x->bodyless);
    if (!x->websocket)
        exchange_flush_early(x);
    exchange_arm(x);
}

static const struct origin_ops origin_ops = {
    .on_ready = origin_ready,
    .on_failed = origin_failed,
    .on_message_end = origin_message_end,
    .on_done = origin_done,
};

void exchange_run_connect(void *user)
{
    struct exchange *x = user;
    x->conn = origin_acquire(x->all->o.origin, x->fresh, &origin_ops, x);
    if (origin_h1(x->conn))
        origin_ready(x);
}

void exchange_connect(struct exchange *x, bool fresh)
{
    x->state = EXCHANGE_CONNECTING;
    x->fresh = fresh;
    x->conn = NULL;
    loop_defer(x->all->o.loop, &x->connect);
}
