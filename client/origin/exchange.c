/* SPDX-License-Identifier: MIT */
/* exchange.c - see exchange.h. */
#include <stdlib.h>

#include "client/origin/exchange_int.h"
#include "client/origin/translate.h"
#include "h2mux/base/check.h"
#include "h2mux/base/pool.h"
#include "h2mux/h2/h2.h"
#include "h2mux/h2/window.h"
#include "h2mux/http/grpc.h"
#include "h2mux/http/upgrade.h"

/* How long an answer that may be a refusal is waited for until it is passed on piece by piece, and
 * a second one until the first is passed on. */
enum { KEEP_MS = 2 * 1000, AGAIN_MS = 30 * 1000 };

static const struct relay_ops relay_ops;

static bool is_leased(const struct exchange *x)
{
    return x->state == EXCHANGE_WAITING || x->state == EXCHANGE_KEEPING ||
           x->state == EXCHANGE_RELAYING || x->state == EXCHANGE_OPEN;
}

void client_exchange_check(const struct exchange *x)
{
    const struct leg *far = x->relay.far.leg;
    CHECK_THAT(!is_leased(x) || x->conn || x->by_stream);
    CHECK_THAT(x->state != EXCHANGE_CONNECTING || !far);
    CHECK_THAT(!x->by_stream || !x->conn);
    CHECK_THAT(list_linked(&x->waiter.node) == (x->by_stream && x->state == EXCHANGE_CONNECTING));
    CHECK_THAT(x->state != EXCHANGE_SENDING || (!x->conn && !far && x->relay.far.ended));
    CHECK_THAT(!far || x->by_stream || (x->conn && far == h1_conn_leg(origin_h1(x->conn))));
    CHECK_THAT(x->relay.near.held || !x->early);
    CHECK_THAT(x->state != EXCHANGE_KEEPING || x->again);
    CHECK_THAT(!x->again || x->response.status == 0);
    CHECK_THAT(x->state != EXCHANGE_OPEN || (x->asked.websocket && x->request.kept));
    CHECK_THAT((x->state == EXCHANGE_DEAD) == !list_linked(&x->node));
    CHECK_THAT(x->state != EXCHANGE_DEAD || (!x->conn && !far && !x->relay.near.leg));
    CHECK_THAT(x->state != EXCHANGE_DEAD || (x->request.copied == 0 && !x->request.copy));
}

/* ---- time */

static bool uploading(const struct exchange *x)
{
    return !x->relay.near.ended || relay_waiting(&x->relay.near) > 0;
}

/* Returns how long the present state may last without progress. While the upload runs, the origin
 * owes no response yet. */
static uint64_t patience_ms(const struct exchange *x)
{
    const struct exchange_times *t = &x->env->times;
    switch (x->state) {
    case EXCHANGE_CONNECTING: /* the dial has a deadline of its own */
    case EXCHANGE_DEAD:
        return 0;
    case EXCHANGE_WAITING:
        if (x->again)
            return t->origin_ms > 0 && t->origin_ms < AGAIN_MS ? t->origin_ms : AGAIN_MS;
        return uploading(x) && !x->asked.websocket ? t->idle_ms : t->origin_ms;
    case EXCHANGE_KEEPING:
        return KEEP_MS;
    case EXCHANGE_RELAYING:
    case EXCHANGE_SENDING:
        return t->idle_ms;
    case EXCHANGE_OPEN:
        return t->websocket_ms;
    }
    return 0;
}

static void arm(struct exchange *x)
{
    uint64_t ms = patience_ms(x);
    if (ms == 0)
        wheel_timer_stop(&x->timer);
    else
        loop_arm_on_wheel(x->env->loop, &x->timer, ms);
}

void client_exchange_enter(struct exchange *x, enum exchange_state state)
{
    x->state = state;
    if (CHECKING)
        client_exchange_check(x);
    arm(x);
}

/* ---- the end */

static void exchange_free(void *object)
{
    struct exchange *x = object;
    message_deinit(&x->request.head);
    early_free(&x->early);
    again_free(&x->again);
    free(x->request.kept);
    pool_give(x, sizeof *x);
}

static void discard_origin(struct exchange *x, enum origin_end how)
{
    if (x->by_stream) {
        client_exchange_leave_stream(x);
        return;
    }
    relay_let_go(&x->relay, RELAY_FAR);
    origin_discard(x->conn, how);
    x->conn = NULL;
}

void client_exchange_let_go(struct exchange *x, enum origin_end how)
{
    if (x->by_stream || !x->conn || !x->relay.far.ended || x->asked.websocket) {
        discard_origin(x, how);
        return;
    }
    relay_let_go(&x->relay, RELAY_FAR);
    origin_release(x->conn);
    x->conn = NULL;
}

void client_exchange_close(struct exchange *x, enum origin_end how)
{
    if (x->state == EXCHANGE_DEAD)
        return;
    const struct exchange_report report = {
        .method = x->request.method,
        .path = x->request.path,
        .status = x->response.status,
        .ms = (loop_now_us(x->env->loop) - x->started_us) / 1000,
        .bytes = x->relay.far.left,
        .viewer = x->viewer,
    };
    if (x->state == EXCHANGE_KEEPING)
        host_choice_give_back(x->env->host);
    x->state = EXCHANGE_DEAD;
    wheel_timer_stop(&x->timer);
    task_cancel(&x->connect.task);
    client_exchange_let_go(x, how);
    relay_close(&x->relay);         /* what the stream still holds leaves by itself */
    client_exchange_forget_copy(x); /* while there is an env to count it in */
    x->env->on_end(x->env->user, x, &report);
    if (CHECKING)
        client_exchange_check(x);
    loop_reap(x->env->loop, &x->reap, exchange_free, x);
}

static void reset_near(struct exchange *x, uint32_t code, const char *reason)
{
    struct leg_fault why = {.err = ERR_PROTOCOL, .h2_code = code, .reason = reason};
    relay_reset(&x->relay, RELAY_NEAR, &why);
}

void client_exchange_cut(struct exchange *x, uint32_t code, const char *reason)
{
    reset_near(x, code, reason);
    client_exchange_close(x, ORIGIN_CLOSE);
}

static void log_failure(struct exchange *x, const char *type, const char *step, const char *reason)
{
    uint64_t suppressed = 0;
    if (!log_limit_pass(&x->env->failures, loop_now_us(x->env->loop), &suppressed))
        return;
    LOG(WARN, "exchange_failed", LOG_STR("error", type), LOG_STR("step", step),
        LOG_STR("reason", reason), LOG_STR("origin", origin_address(x->env->origin)->text),
        LOG_S("method", x->request.method), LOG_S("path", x->request.path),
        LOG_U("suppressed", suppressed));
}

void client_exchange_fail(struct exchange *x, const struct failure *f, const char *step,
                          const char *reason)
{
    if (again_asks(x->again)) {
        client_exchange_pass_kept(x);
        return;
    }
    again_free(&x->again);
    log_failure(x, f->type, step, reason);
    discard_origin(x, ORIGIN_CLOSE); /* the response that follows is not the origin's */
    if (x->relay.near.leg && x->response.status == 0) {
        struct message m;
        failure_head(f, x->asked.grpc, &m);
        x->response.status = m.status;
        relay_head(&x->relay, RELAY_FAR, &m, true);
        message_deinit(&m);
    } else {
        reset_near(x, x->state == EXCHANGE_OPEN ? H2_CANCEL : H2_INTERNAL_ERROR, reason);
    }
    client_exchange_close(x, ORIGIN_CLOSE);
}

/* Ends the exchange by RST_STREAM(PROTOCOL_ERROR): the request is malformed. */
static void refuse(struct exchange *x, const char *step, const char *reason)
{
    log_failure(x, "http_request_error", step, reason);
    client_exchange_cut(x, H2_PROTOCOL_ERROR, reason);
}

static void on_timer(void *user)
{
    struct exchange *x = user;
    uint64_t ms = patience_ms(x);
    uint64_t age_ms = (loop_now_us(x->env->loop) - x->relay.moved_us) / 1000;
    if (ms == 0)
        return;
    if (age_ms < ms) {
        loop_arm_on_wheel(x->env->loop, &x->timer, ms - age_ms);
        return;
    }
    if (x->state == EXCHANGE_KEEPING) {
        client_exchange_pass_kept(x);
        return;
    }
    if (x->state == EXCHANGE_WAITING) {
        client_exchange_fail(x, &failure_silent, "response head", "origin is silent");
        return;
    }
    log_failure(x, "body_idle", "body", "no byte moved in either direction");
    reset_near(x, H2_CANCEL, "idle");
    client_exchange_close(x, ORIGIN_ABORT);
}

/* ---- what the relay tells: the request */

static struct exchange *exchange_of(struct relay *r)
{
    return CONTAINER_OF(r, struct exchange, relay);
}

/* Once the request is complete the origin owes a response. */
static void await_response(struct exchange *x)
{
    if (x->state == EXCHANGE_WAITING && !uploading(x))
        arm(x);
}

/* Keeps what comes before the origin can take it. Drops what comes behind the response: nobody
 * wants it, and the stream's window stays closed. */
static bool on_body(struct relay *r, enum relay_side from, struct slice data, bool end)
{
    struct exchange *x = exchange_of(r);
    if (from == RELAY_FAR && x->state == EXCHANGE_KEEPING) {
        client_exchange_keep_body(x, data, end);
        return false;
    }
    if (from == RELAY_NEAR && x->by_stream)
        client_exchange_copy(x, data, end);
    if (from == RELAY_FAR || (!r->near.held && x->state != EXCHANGE_SENDING))
        return true;
    if (x->state == EXCHANGE_SENDING)
        return false;
    relay_touch(r);
    if (early_keep_body(&x->early, WINDOW_MAX, data, end) < 0)
        client_exchange_fail(x, &failure_internal, "request body", "more than a window came early");
    else
        await_response(x);
    return false;
}

static bool on_trailers(struct relay *r, enum relay_side from, struct fields *t)
{
    struct exchange *x = exchange_of(r);
    if (from == RELAY_FAR && x->state == EXCHANGE_KEEPING) {
        client_exchange_keep_body(x, SLICE(""), true); /* its trailers are lost */
        return false;
    }
    if (from == RELAY_FAR)
        return true;
    if (x->state == EXCHANGE_SENDING)
        return false;
    if (translate_trailers_to_origin(t) < 0) {
        refuse(x, "request trailers", "malformed field");
        return false;
    }
    if (x->by_stream)
        client_exchange_copy_trailers(x, t);
    if (!r->near.held)
        return true;
    relay_touch(r);
    early_keep_trailers(&x->early, t);
    await_response(x);
    return false;
}

static void on_end(struct relay *r, enum relay_side from)
{
    struct exchange *x = exchange_of(r);
    if (from == RELAY_NEAR)
        await_response(x);
    if (x->by_stream)
        client_exchange_stream_ended(x);
}

static void on_left(struct relay *r, enum relay_side from)
{
    struct exchange *x = exchange_of(r);
    if (from == RELAY_NEAR)
        await_response(x);
    else if (x->state == EXCHANGE_SENDING && relay_waiting(&r->far) == 0)
        client_exchange_close(x, ORIGIN_CLOSE);
}

/* ---- what the relay tells: the response */

static void pass_final(struct exchange *x, struct message *m, const struct response_verdict *v)
{
    relay_touch(&x->relay);
    client_exchange_tell_sign_in(x, m);
    client_exchange_forget_copy(x);
    client_exchange_note(x, m->status);
    x->response.status = m->status;
    leg_hint(x->relay.near.leg, v->hint);
    relay_head(&x->relay, RELAY_FAR, m, v->end);
    if (v->cut) {
        discard_origin(x, ORIGIN_CLOSE);
        client_exchange_close(x, ORIGIN_CLOSE);
    } else {
        client_exchange_enter(x, EXCHANGE_RELAYING);
        if (x->by_stream)
            client_exchange_stream_ended(x); /* with the head, perhaps */
    }
}

/* Forgets the head, which nobody looks at while the WebSocket is open, but for its path. The method
 * is static. */
static void forget_request(struct exchange *x)
{
    x->request.kept = xmalloc(x->request.path.len);
    memcpy(x->request.kept, x->request.path.ptr, x->request.path.len);
    x->request.path.ptr = x->request.kept;
    x->asked.scheme = x->asked.authority = SLICE("");
    message_deinit(&x->request.head);
    message_init(&x->request.head);
}

static void open_websocket(struct exchange *x, struct message *m, const struct response_verdict *v)
{
    relay_touch(&x->relay);
    leg_hint(x->relay.near.leg, v->hint);
    relay_head(&x->relay, RELAY_FAR, m, false);
    client_exchange_note(x, 101);
    x->response.status = 101; /* what the viewer sees */
    leg_upgrade(x->relay.far.leg);
    forget_request(x);
    early_pass(&x->early, &x->relay);
    client_exchange_enter(x, EXCHANGE_OPEN);
}

static void on_head(struct relay *r, struct message *m, bool end)
{
    struct exchange *x = exchange_of(r);
    if (x->conn)
        origin_answers(x->conn, m, uploading(x));
    struct response_verdict v = response_judge(&x->asked, x->rewrite, &x->response.interim, m, end);
    if (x->again && !client_exchange_is_served(x, m, &v))
        return;
    switch (v.kind) {
    case RESPONSE_DROPPED:
        break;
    case RESPONSE_INTERIM: /* R4: it is not what is waited for, so no deadline moves */
        relay_head(r, RELAY_FAR, m, false);
        break;
    case RESPONSE_FINAL:
        if (!client_exchange_keep(x, m, v.end))
            pass_final(x, m, &v);
        break;
    case RESPONSE_OPEN:
        open_websocket(x, m, &v);
        break;
    case RESPONSE_WRONG:
        client_exchange_fail(x, v.why, v.step, v.reason);
        break;
    }
}

/* ---- what the relay tells: resets */

static void near_reset(struct exchange *x, const struct leg_fault *why)
{
    LOG(DEBUG, "stream_reset", LOG_U("code", why->h2_code), LOG_STR("reason", why->reason),
        LOG_S("path", x->request.path));
    client_exchange_close(x, x->asked.websocket ? ORIGIN_ABORT : ORIGIN_CLOSE);
}

static void on_reset(struct relay *r, enum relay_side side, const struct leg_fault *why)
{
    if (side == RELAY_NEAR)
        near_reset(exchange_of(r), why);
    else if (exchange_of(r)->by_stream)
        client_exchange_stream_reset(exchange_of(r), why);
    else
        client_exchange_conn_reset(exchange_of(r), why);
}

static const struct relay_ops relay_ops = {
    .on_head = on_head,
    .on_body = on_body,
    .on_trailers = on_trailers,
    .on_end = on_end,
    .on_left = on_left,
    .on_reset = on_reset,
};

/* ---- the beginning */

/* Keeps the head and its arena: the request lives on when the stream's head is gone. */
static void keep_request(struct exchange *x, struct message *m)
{
    struct message *r = &x->request.head;
    *r = *m;
    message_init(m);
    bool websocket = message_is_websocket(r);
    x->request.method = websocket ? SLICE("GET") : r->method; /* as the viewer said it */
    x->request.path = r->path;
    x->asked = (struct response_asked){
        .request = r,
        .scheme = r->scheme,
        .authority = r->authority,
        .websocket = websocket,
        .grpc = grpc_is(&r->fields),
        .by_stream = x->by_stream,
    };
}

/* A WebSocket goes beside the streams where TLS can offer HTTP/1.1 too (rule D41). */
static bool goes_by_stream(const struct exchange_env *env, const struct message *m)
{
    return env->channels && !(message_is_websocket(m) && origin_address(env->origin)->url.https);
}

/* Returns a number for the address that the server names as the viewer's (rule H7), or 0 if it
 * names none. */
static uint64_t viewer_of(const struct message *m)
{
    struct slice list = fields_value(&m->fields, SLICE("x-forwarded-for"));
    const char *comma = list.len > 0 ? memchr(list.ptr, ',', list.len) : NULL;
    size_t len = comma ? (size_t)(comma - list.ptr) : list.len;
    return len > 0 ? slice_hash(SLICE_HASH_START, slice_make(list.ptr, len)) : 0;
}

struct exchange *client_exchange_new(struct exchange_env *env, struct leg *near, struct message *m,
                                     bool end)
{
    struct exchange *x = pool_take_zeroed(sizeof *x);
    x->env = env;
    x->by_stream = goes_by_stream(env, m);
    keep_request(x, m);
    x->request.bodyless = end;
    wheel_timer_init(&x->timer, on_timer, x);
    client_exchange_prepare(x);
    if (env->knows_viewers)
        x->viewer = viewer_of(&x->request.head);
    relay_init(&x->relay, env->loop, near, end, &relay_ops);
    relay_hold(&x->relay);
    x->started_us = x->relay.moved_us;
    return x;
}

void client_exchange_start(struct exchange *x)
{
    struct message *m = &x->request.head;
    const char *reason = NULL;
    if (origin_keeps_logins(x->env->origin) && !x->asked.websocket)
        x->request.owner = login_owner(&m->fields);
    if (translate_to_origin(m, &x->request.wants_trailers, &reason) < 0) {
        refuse(x, "request head", reason);
        return;
    }
    if (slice_eq(m->method, SLICE("CONNECT")) && !x->asked.websocket) {
        client_exchange_fail(x, &failure_unsupported, "request head", "CONNECT is for WebSockets");
        return;
    }
    x->asked.wants_continue = fields_has_token(&m->fields, SLICE("expect"), SLICE("100-continue"));
    x->rewrite = host_choice_now(x->env->host);
    rewrite_request(x->rewrite, m);
    if (x->by_stream) {
        translate_to_stream(m, origin_address(x->env->origin)->url.https,
                            x->request.wants_trailers);
        client_exchange_ask_stream(x);
        return;
    }
    if (x->asked.websocket && upgrade_request(m) < 0) {
        client_exchange_fail(x, &failure_internal, "upgrade", "no random bytes");
        return;
    }
    bool repeatable = reuse_repeatable(m, x->request.bodyless || x->asked.websocket);
    client_exchange_connect(x, repeatable ? REUSE_ANY : REUSE_SURE);
}
