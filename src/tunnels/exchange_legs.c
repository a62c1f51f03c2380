/* SPDX-License-Identifier: MIT */
/* exchange_legs.c - what the two legs of an exchange tell: bytes and credit pass through, heads
 * are judged, ends are noted. */
#include "src/tunnels/exchange_int.h"

#include <assert.h>

#include "h2mux/h2/h2.h"
#include "src/limits/abuse.h"
#include "src/tunnels/registry.h"

/* ---- the request's way: near → far */

static void end_if_over(struct exchange *x);

static void near_body(void *user, struct leg *leg, struct slice data, bool end)
{
    struct exchange *x = user;
    exchange_moved(x);
    x->rx_bytes += data.len;
    x->request_ended |= end;
    uint64_t max = x->worker->server->config->max_body;
    if (max != 0 && x->rx_bytes > max && x->state != EXCHANGE_UPGRADED) {
        exchange_fail(x, FAIL_BODY_TOO_LARGE);
        return;
    }
    assert(x->far); /* no body is asked for while there is no stream, and none is retried
                               that cannot have one at once */
    x->far->ops->body(x->far, data, end);
    end_if_over(x);
}

static char *near_place(void *user, struct leg *leg, size_t bytes)
{
    struct exchange *x = user;
    return x->far ? leg_place(x->far, bytes) : NULL;
}

static void near_trailers(void *user, struct leg *leg, struct fields *t)
{
    struct exchange *x = user;
    x->request_ended = true;
    translate_trailers(t);
    x->far->ops->trailers(x->far, t);
}

static void near_sent(void *user, struct leg *leg, size_t bytes)
{
    struct exchange *x = user;
    exchange_moved(x);
    if (x->far)
        x->far->ops->credit(x->far, bytes);
}

static const char *why_near_ended(int err)
{
    if (err == ERR_SYNTAX || err == ERR_LIMIT)
        return "bad_request";
    return err == ERR_CLOSED
               ? failure_type(FAIL_PROTOCOL)
               : "viewer_left"; /* the leg cannot write what it was given; or FIN, RST, I/O */
}

/* Leaving costs a stream's reset, which a viewer could have us send without end. */
static void note_abort(const struct exchange *x)
{
    if (x->far)
        abuse_note(x->worker->abuse, x->request.viewer, loop_now_us(x->worker->loop));
}

static void near_reset(void *user, struct leg *leg, const struct leg_fault *why)
{
    struct exchange *x = user;
    const struct exchange_owner *ops = x->ops;
    void *owner = x->owner;
    note_abort(x);
    exchange_cancel(x, why_near_ended(why->err));
    ops->on_gone(owner);
}

const struct leg_events exchange_near_events = {
    .on_body = near_body,
    .on_place = near_place,
    .on_trailers = near_trailers,
    .on_sent = near_sent,
    .on_reset = near_reset,
};

/* ---- the response's way: far → near */

/* Nothing more is expected of the stream; what it still has queued may leave. */
static void far_is_over(struct exchange *x)
{
    if (x->far && x->far->exchange == x)
        leg_untie(x->far);
    x->far = NULL;
    exchange_leave_far(x, ERR_OK);
}

/* Complete for the viewer. */
static void response_ended(struct exchange *x)
{
    const struct exchange_owner *ops = x->ops;
    void *owner = x->owner;
    if (x->far && x->request_ended)
        far_is_over(x);
    exchange_die(x, false);
    ops->on_end(owner);
}

/* A WebSocket is over when both directions are. */
static void end_if_over(struct exchange *x)
{
    if (x->state == EXCHANGE_UPGRADED && x->request_ended && x->response_ended)
        response_ended(x);
}

enum { INTERIM_BYTES_MAX = 16 * 1024 }; /* rule R4; their number is bounded by the session */

/* nginx before 1.29 takes an interim head other than 101 for the final answer (N11). */
static bool wants_hints(const struct exchange *x)
{
    struct slice mode = slice_str(x->worker->server->config->early_hints);
    if (slice_eq(mode, SLICE("auto")))
        return !x->request.viewer->proxied;
    return slice_eq(mode, SLICE("on"));
}

/* HTTP/1.0 knows none, RFC 9110 15.2. */
static bool wants_interim(const struct exchange *x, int status)
{
    if (status == 100)
        return x->request.translated.expects;
    return status == 103 && x->request.head->minor_version == 1 && wants_hints(x);
}

static void interim(struct exchange *x, struct message *m)
{
    bool cut = false;
    if (!wants_interim(x, m->status) ||
        !translate_response(m, slice_str(x->worker->server->config->domain), &cut) ||
        x->interim_bytes + m->fields.bytes > (size_t)INTERIM_BYTES_MAX)
        return;
    x->interim_bytes += m->fields.bytes;
    x->near->ops->head(x->near, m, false);
}

static bool client_failed(const struct message *m)
{
    return fields_find(&m->fields, SLICE("oneport-error"));
}

static void client_failure(struct exchange *x, struct message *m, bool end)
{
    struct slice type = fields_value(&m->fields, SLICE("oneport-error"));
    enum failure why = failure_from_client(m->status, type);
    uint64_t suppressed;
    if (why == FAIL_RESPONSE_TIMEOUT)
        exchange_log(x, EVENT_SILENT);
    else if (exchange_log_pass(x, EVENT_ORIGIN, &suppressed))
        LOG(INFO, "origin_failed", LOG_STR("name", x->name), LOG_S("error", type),
            LOG_U("suppressed", suppressed));
    if (end && x->request_ended)
        far_is_over(x);
    exchange_fail(x, why);
}

static void warn_cookie(struct exchange *x)
{
    struct tunnel *t = registry_find(x->worker->registry, slice_str(x->name));
    if (!t || t->cookie_warned)
        return;
    t->cookie_warned = true;
    LOG(WARN, "cookie_confined", LOG_STR("name", x->name));
}

/* Neither of the two has a body, so it is an answer: a client that passes on how its origin
 * answered a plain request must not open the way to it. (A length nghttp2 takes away, RFC
 * 9110 9.3.6.) */
static bool opens_websocket(const struct message *m, bool end)
{
    return m->status < 300 && m->status != 204 && m->status != 205 && !end;
}

static void upgrade(struct exchange *x, struct message *m)
{
    translate_websocket_opened(m, x->request.translated.ws_key);
    x->status = 101;
    x->ops->on_response(x->owner, m, false);
    x->near->ops->head(x->near, m, false);
    x->state = EXCHANGE_UPGRADED;
    ws_frames_init(&x->frames);
    x->request.head = NULL;
    x->request.translated.ws_key = SLICE("");
    x->ops->on_upgraded(x->owner);
    exchange_arm(x);
}

static void respond(struct exchange *x, struct message *m, bool end)
{
    x->status = m->status;
    x->ops->on_response(x->owner, m, end);
    x->near->ops->head(x->near, m, end);
    x->state = EXCHANGE_STREAMING;
    if (end)
        response_ended(x);
    else
        exchange_arm(x);
}

static void far_head(void *user, struct leg *leg, struct message *m, bool end)
{
    struct exchange *x = user;
    bool cookie_cut = false;
    if (x->state != EXCHANGE_OPEN)
        return;
    exchange_moved(x);
    if (m->status < 200 && m->status >= 100 && !end) {
        interim(x, m);
        return;
    }
    if (client_failed(m)) {
        client_failure(x, m, end);
        return;
    }
    if (m->status < 200 ||
        !translate_response(m, slice_str(x->worker->server->config->domain), &cookie_cut)) {
        exchange_fail(x, FAIL_PROTOCOL);
        return;
    }
    if (cookie_cut)
        warn_cookie(x);
    if (exchange_is_websocket(x) && opens_websocket(m, end))
        upgrade(x, m);
    else if (exchange_is_websocket(x) && m->status < 300)
        exchange_fail(x, FAIL_UPGRADE);
    else
        respond(x, m, end);
}

static void far_body(void *user, struct leg *leg, struct slice data, bool end)
{
    struct exchange *x = user;
    exchange_moved(x);
    x->tx_bytes += data.len;
    if (x->state == EXCHANGE_UPGRADED)
        ws_frames_feed(&x->frames, data);
    x->near->ops->body(x->near, data, end);
    x->response_ended |= end;
    if (end && x->state == EXCHANGE_STREAMING)
        response_ended(x);
    else
        end_if_over(x);
}

static char *far_place(void *user, struct leg *leg, size_t bytes)
{
    struct exchange *x = user;
    return leg_place(x->near, bytes);
}

static void far_trailers(void *user, struct leg *leg, struct fields *t)
{
    struct exchange *x = user;
    translate_trailers(t);
    x->near->ops->trailers(x->near, t);
    response_ended(x);
}

static void far_sent(void *user, struct leg *leg, size_t bytes)
{
    struct exchange *x = user;
    exchange_moved(x);
    x->forwarded += bytes;
    x->near->ops->credit(x->near, bytes);
}

static enum failure failure_of(const struct leg_fault *why)
{
    if (why->unprocessed)
        return why->err == ERR_LINK_LOST ? FAIL_AWAY : FAIL_BUSY;
    bool broke_off =
        why->err == ERR_LINK_LOST || why->h2_code == H2_INTERNAL_ERROR || why->h2_code == H2_CANCEL;
    return broke_off ? FAIL_TERMINATED : FAIL_PROTOCOL;
}

/* REFUSED_STREAM of other software is no proof: HAProxy says it of requests whose origin died over
 * them. What must not be done twice is then not asked for again. */
static bool may_ask_again(const struct exchange *x, const struct leg_fault *why)
{
    bool their_word = why->err == ERR_RESET && x->backend && !x->backend->ours;
    return !their_word || exchange_is_websocket(x) ||
           (x->request.head && method_is_idempotent(x->request.head->method));
}

static void far_reset(void *user, struct leg *leg, const struct leg_fault *why)
{
    struct exchange *x = user;
    uint64_t suppressed;
    bool again = may_ask_again(x, why);
    x->far = NULL;
    x->stalled = why->err == ERR_STALLED;
    exchange_leave_far(x, ERR_OK);
    if (again && exchange_retry(x, why))
        return;
    if (why->err == ERR_CLOSED &&
        x->response_ended) { /* a WebSocket: the client hears no more of what has been answered */
        response_ended(x);
        return;
    }
    if (why->err == ERR_LINK_LOST && x->state == EXCHANGE_UPGRADED) {
        x->error = "link_lost";
        exchange_restart(x);
        return;
    }
    if (why->h2_code != 0 && exchange_log_pass(x, EVENT_RESET, &suppressed))
        LOG(INFO, "stream_reset", LOG_STR("name", x->name), LOG_U("code", why->h2_code),
            LOG_STR("reason", why->reason), LOG_U("suppressed", suppressed));
    exchange_fail(x, failure_of(why));
}

static uint64_t far_taken(void *user, struct leg *leg)
{
    struct exchange *x = user;
    return leg_taken(x->near);
}

const struct leg_events exchange_far_events = {
    .on_head = far_head,
    .on_body = far_body,
    .on_place = far_place,
    .on_trailers = far_trailers,
    .on_sent = far_sent,
    .on_reset = far_reset,
    .on_taken = far_taken,
};
