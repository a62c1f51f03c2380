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

void exchange_touch(struct exchange *x)
{
    x->progress_us = loop_now_us(x->all->o.loop);
}

static bool uploading(const struct exchange *x)
{
    return !x->request_ended || x->sent < x->given;
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

/* Lets the origin's connection go: into the pool if everything on it is complete. */
static void let_origin_go(struct exchange *x, enum origin_end how)
{
    if (x->conn && x->answer_ended && !x->websocket)
        origin_release(x->conn);
    else
        origin_discard(x->conn, how);
    x->conn = NULL;
    x->far = NULL;
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
    if (x->near)
        leg_untie(x->near); /* what it still holds leaves without us */
    x->near = NULL;
    exchanges_remove(x);
    loop_reap(x->all->o.loop, &x->reap, exchange_free, x);
}

static void reset_near(struct exchange *x, uint32_t code, const char *reason)
{
    struct leg_fault why = {.err = ERR_PROTOCOL, .h2_code = code, .reason = reason};
    struct leg *near = x->near;
    x->near = NULL;
    if (near)
        near->ops->reset(near, &why);
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
    if (x->near && x->status == 0) {
        struct message m;
        failure_answer(f, &m);
        x->status = m.status;
        x->near->ops->head(x->near, &m, true);
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
    uint64_t age_ms = (loop_now_us(x->all->o.loop) - x->progress_us) / 1000;
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

/* ---- upward: the viewer's request */

static void give_far(struct exchange *x, struct slice data, bool end)
{
    x->given += data.len;
    x->far->ops->body(x->far, data, end);
}

/* The origin takes body bytes now; a WebSocket's only once it is open. */
static bool far_takes_body(const struct exchange *x)
{
    return x->far && (!x->websocket || x->state == EXCHANGE_OPEN);
}

/* The request is complete: from here on the origin owes an answer. */
static void await_answer(struct exchange *x)
{
    if (x->state == EXCHANGE_WAITING && !uploading(x))
        exchange_arm(x);
}

/* All has been said on the stream in both directions; it ends by itself and tells nobody. */
void exchange_let_near_go(struct exchange *x)
{
    if (!x->near || !x->request_ended || !x->answer_ended || x->unsent > 0)
        return;
    leg_untie(x->near);
    x->near = NULL;
}

static void near_body(void *exchange, struct leg *leg, struct slice data, bool end)
{
    struct exchange *x = exchange;
    x->request_ended |= end;
    if (x->state == EXCHANGE_SENDING)
        return; /* answered: its window stays closed */
    exchange_touch(x);
    if (far_takes_body(x)) {
        give_far(x, data, end);
    } else if (buf_append(&x->early, data) < 0) {
        exchange_fail(x, &failure_internal, "request body", "more than a window came early");
        return;
    }
    await_answer(x);
    exchange_let_near_go(x);
}

static char *near_place(void *exchange, struct leg *leg, size_t bytes)
{
    struct exchange *x = exchange;
    return far_takes_body(x) ? leg_place(x->far, bytes) : NULL;
}

static void near_trailers(void *exchange, struct leg *leg, struct fields *t)
{
    struct exchange *x = exchange;
    x->request_ended = true;
    if (x->state == EXCHANGE_SENDING)
        return;
    exchange_touch(x);
    if (translate_trailers(t) < 0) {
        exchange_refuse(x, "request trailers", "malformed field");
        return;
    }
    if (far_takes_body(x))
        x->far->ops->trailers(x->far, t);
    else
        fields_copy(&x->trailers, t);
    await_answer(x);
    exchange_let_near_go(x);
}

static void near_sent(void *exchange, struct leg *leg, size_t bytes)
{
    struct exchange *x = exchange;
    exchange_touch(x);
    x->unsent -= bytes;
    if (x->far)
        x->far->ops->credit(x->far, bytes);
    if (x->state == EXCHANGE_SENDING && x->unsent == 0)
        exchange_close(x, ORIGIN_CLOSE);
    else
        exchange_let_near_go(x); /* the stream may be gone before a WebSocket's origin is */
}

static void near_reset(void *exchange, struct leg *leg, const struct leg_fault *why)
{
    struct exchange *x = exchange;
    LOG(DEBUG, "stream_reset", LOG_U("code", why->h2_code), LOG_STR("reason", why->reason),
        LOG_S("path", x->path));
    x->near = NULL;
    exchange_close(x, x->websocket ? ORIGIN_ABORT : ORIGIN_CLOSE);
}

static uint64_t near_taken(void *exchange, struct leg *leg)
{
    struct exchange *x = exchange;
    return x->far ? leg_taken(x->far) : 0;
}

const struct leg_events exchange_near_events = {
    .on_body = near_body,
    .on_place = near_place,
    .on_trailers = near_trailers,
    .on_sent = near_sent,
    .on_reset = near_reset,
    .on_taken = near_taken,
};

/* Behind the head, what came of the body meanwhile. */
void exchange_flush_early(struct exchange *x)
{
    bool with_trailers = x->request_ended && x->trailers.count > 0;
    if (buf_len(&x->early) > 0 || (x->request_ended && !x->bodyless && !with_trailers))
        give_far(x, buf_slice(&x->early), x->request_ended && !with_trailers);
    buf_release(&x->early);
    if (with_trailers)
        x->far->ops->trailers(x->far, &x->trailers);
}

/* ---- downward: the origin's answer */

static void far_body(void *exchange, struct leg *leg, struct slice data, bool end)
{
    struct exchange *x = exchange;
    exchange_touch(x);
    x->answer_ended |= end;
    if (x->near) {
        x->unsent += data.len;
        x->near->ops->body(x->near, data, end);
    }
    exchange_let_near_go(x);
}

static char *far_place(void *exchange, struct leg *leg, size_t bytes)
{
    struct exchange *x = exchange;
    return x->near ? leg_place(x->near, bytes) : NULL;
}

static void far_trailers(void *exchange, struct leg *leg, struct fields *t)
{
    struct exchange *x = exchange;
    exchange_touch(x);
    x->answer_ended = true;
    if (x->near)
        x->near->ops->trailers(x->near, t);
    exchange_let_near_go(x);
}

static void far_sent(void *exchange, struct leg *leg, size_t bytes)
{
    struct exchange *x = exchange;
    exchange_touch(x);
    x->sent += bytes;
    if (x->near)
        x->near->ops->credit(x->near, bytes);
    await_answer(x);
}

static void far_head(void *exchange, struct leg *leg, struct message *m, bool end)
{
    answer_head(exchange, m, end);
}

static void far_reset(void *exchange, struct leg *leg, const struct leg_fault *why);

static const struct leg_events far_events = {
    .on_head = far_head,
    .on_body = far_body,
    .on_place = far_place,
    .on_trailers = far_trailers,
    .on_sent = far_sent,
    .on_reset = far_reset,
};

/* The connection is free for others; the exchange is not over before its tail has gone. */
static void origin_message_end(void *user)
{
    struct exchange *x = user;
    if (x->state != EXCHANGE_RELAYING)
        return;
    if (x->unsent == 0) {
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

static void far_reset(void *exchange, struct leg *leg, const struct leg_fault *why)
{
    struct exchange *x = exchange;
    if (is_loss(why->err) && !why->begun && may_retry(x)) {
        x->retried = true;
        origin_discard(x->conn, ORIGIN_CLOSE);
        x->far = NULL;
        exchange_connect(x, true);
        return;
    }
    exchange_fail(x, failure_of_answer(why->err, x->status != 0 || why->begun),
                  x->status == 0 ? "response head" : "response body", why->reason);
}

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
    x->state = EXCHANGE_WAITING;
    exchange_touch(x);
    x->far = h1_conn_leg(origin_h1(x->conn));
    leg_tie(x->far, &far_events, x);
    leg_reply(x->far, &how);
    x->far->ops->head(x->far, &x->request, x->bodyless || x->websocket);
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
