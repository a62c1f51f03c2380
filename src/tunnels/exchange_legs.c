/* SPDX-License-Identifier: MIT */
/* exchange_legs.c - implements the callbacks of the relay: judges heads, limits bodies, and ends
 * the exchange when a leg ends or is reset. */
#include "src/tunnels/exchange_int.h"

#include <assert.h>

#include "h2mux/h2/h2.h"
#include "h2mux/h2/window.h"
#include "src/limits/abuse.h"
#include "src/tunnels/registry.h"

enum { EARLY_MAX = WINDOW_MAX /* more than any leg hands up without credit */ };

static struct exchange *exchange_of(struct relay *r)
{
    return CONTAINER_OF(r, struct exchange, relay);
}

/* ---- bodies */

/* Keeps @data, body that the near leg hands up before there is a stream or before a WebSocket is
 * open. Fails the exchange with 413 when more than EARLY_MAX bytes would be kept. Returns false, so
 * that the relay passes nothing on. */
static bool keep_early(struct exchange *x, struct slice data, bool end)
{
    if (early_keep_body(&x->early, EARLY_MAX, data, end) < 0)
        exchange_fail(x, FAIL_BODY_TOO_LARGE);
    return false;
}

static bool request_body(struct exchange *x, struct slice data, bool end)
{
    uint64_t max = x->worker->server->config->limits.body;
    if (max != 0 && x->relay.near.came > max && x->state != EXCHANGE_UPGRADED) {
        exchange_fail(x, FAIL_BODY_TOO_LARGE);
        return false;
    }
    if (x->relay.near.held)
        return keep_early(x, data, end);
    assert(x->relay.far.leg);
    return true;
}

static bool on_body(struct relay *r, enum relay_side from, struct slice data, bool end)
{
    struct exchange *x = exchange_of(r);
    if (from == RELAY_NEAR)
        return request_body(x, data, end);
    if (x->state == EXCHANGE_UPGRADED)
        ws_frames_feed(&x->response.frames, data);
    return true;
}

static bool on_trailers(struct relay *r, enum relay_side from, struct fields *t)
{
    struct exchange *x = exchange_of(r);
    if (from == RELAY_FAR)
        translate_response_trailers(t);
    else
        translate_request_trailers(t, x->request.viewer);
    if (from == RELAY_FAR || !r->near.held)
        return true;
    early_keep_trailers(&x->early, t);
    return false;
}

/* ---- ends */

/* Lets go of the far leg when its stream has ended in both directions. Bytes that the leg has
 * queued are still sent. */
static void far_is_over(struct exchange *x)
{
    relay_let_go(&x->relay, RELAY_FAR);
    exchange_leave_far(x, ERR_OK);
}

/* Ends the exchange with on_end, because the whole response was passed to the viewer's leg. */
static void response_ended(struct exchange *x)
{
    const struct exchange_owner *ops = x->ops;
    void *owner = x->owner;
    if (x->relay.near.ended)
        far_is_over(x);
    exchange_die(x, false);
    ops->on_end(owner);
}

/* Ends the exchange when the response has ended. An open WebSocket ends when both directions have
 * ended. */
static void on_end(struct relay *r, enum relay_side from)
{
    struct exchange *x = exchange_of(r);
    if (x->state == EXCHANGE_UPGRADED ? r->near.ended && r->far.ended : from == RELAY_FAR)
        response_ended(x);
}

/* ---- heads of the response */

/* Most bytes of interim heads for one response (rule R4); the session limits their number. */
enum { INTERIM_BYTES_MAX = 16 * 1024 };

/* Returns whether interim heads other than 100 are passed on to the viewer, by --early-hints. nginx
 * before 1.29 takes any interim head other than 101 for the final answer (fact N11), so `auto`
 * passes none to a proxy. */
static bool wants_hints(const struct exchange *x)
{
    struct slice mode = slice_str(x->worker->server->config->early_hints);
    if (slice_eq(mode, SLICE("auto")))
        return !x->request.viewer->proxied;
    return slice_eq(mode, SLICE("on"));
}

/* Returns whether the viewer gets the interim head with @status. HTTP/1.0 has no interim heads (RFC
 * 9110 15.2). */
static bool wants_interim(const struct exchange *x, int status)
{
    if (status == 100)
        return x->request.translated.expects;
    return status != 101 && x->request.head->minor_version == 1 && wants_hints(x);
}

/* Lets a head of the response pass the guard: its fields are edited, and the gate's cookie is the
 * gate's alone. */
static void pass_guard(struct exchange *x, enum policy_head head, struct message *m)
{
    struct guard *g = x->request.guard;
    if (!g)
        return;
    guard_edit(g, head, &m->fields);
    if (head == POLICY_RESPONSE && guard_is_for_some(g))
        pass_keep_private(&m->fields);
    if (!guard_login(g))
        return;
    pass_guard_response(&m->fields);
    if (head == POLICY_RESPONSE && x->request.pass)
        pass_set(&m->fields, x->request.viewer->https, x->request.pass);
}

static void interim(struct exchange *x, struct message *m)
{
    bool cut = false;
    if (!wants_interim(x, m->status) ||
        !translate_response(m, slice_str(x->worker->server->config->domain), &cut) ||
        x->response.interim_bytes + m->fields.bytes > (size_t)INTERIM_BYTES_MAX)
        return;
    x->response.interim_bytes += m->fields.bytes;
    pass_guard(x, POLICY_INTERIM, m);
    relay_head(&x->relay, RELAY_FAR, m, false);
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
    if (end && x->relay.near.ended)
        far_is_over(x);
    exchange_fail(x, why);
}

static void warn_cookie(struct exchange *x)
{
    struct tunnel *t = registry_find(x->worker->registry, slice_str(x->name));
    if (!t || t->cookie_warned)
        return;
    t->cookie_warned = true;
    uint64_t suppressed;
    if (worker_may_log(x->worker, WORKER_COOKIE_CONFINED, &suppressed))
        LOG(WARN, "cookie_confined", LOG_STR("name", x->name), LOG_U("suppressed", suppressed));
}

/* Returns whether the head @m opens the WebSocket that was asked for. Returns false for a 204, a
 * 205 and a head that ends the stream: such an answer comes from an origin that does not know
 * WebSockets, and must not open a way for the viewer's bytes to that origin. */
static bool opens_websocket(const struct message *m, bool end)
{
    return m->status < 300 && m->status != 204 && m->status != 205 && !end;
}

/* Counts the time from the stream to the final head. */
static void count_first_byte(struct exchange *x)
{
    uint64_t us = loop_now_us(x->worker->loop) - x->started_us;
    histogram_add(&x->worker->stats.first_byte, us > x->wait.spent_us ? us - x->wait.spent_us : 0);
}

static void upgrade(struct exchange *x, struct message *m)
{
    translate_websocket_opened(m, x->request.translated.ws_key);
    x->response.status = 101;
    x->ops->on_response(x->owner, m, false);
    relay_head(&x->relay, RELAY_FAR, m, false);
    exchange_enter(x, EXCHANGE_UPGRADED);
    count_first_byte(x);
    ws_frames_init(&x->response.frames);
    x->request.head = NULL;
    x->request.translated.ws_key = SLICE("");
    x->ops->on_upgraded(x->owner);
    early_pass(&x->early, &x->relay);
    if (x->state != EXCHANGE_DEAD)
        exchange_arm(x);
}

static void respond(struct exchange *x, struct message *m, bool end)
{
    if (!fields_find(&m->fields, SLICE("date"))) /* rule R20 */
        fields_add(&m->fields, SLICE("date"), worker_date(x->worker));
    x->response.status = m->status;
    x->ops->on_response(x->owner, m, end);
    relay_head(&x->relay, RELAY_FAR, m, end);
    exchange_enter(x, EXCHANGE_STREAMING);
    count_first_byte(x);
    if (end)
        response_ended(x);
    else
        exchange_arm(x);
}

/* Returns whether the answer asks for a sign-in that would be kept if the request had come over
 * HTTP/1.1, by a connection with a name (rule D44). */
static bool needs_http1(const struct exchange *x, const struct message *m)
{
    return x->request.viewer->nameless && x->stream.backend && x->stream.backend->asks_who &&
           fields_find(&m->fields, SLICE("oneport-sign-in"));
}

static void on_head(struct relay *r, struct message *m, bool end)
{
    struct exchange *x = exchange_of(r);
    bool cookie_cut = false;
    if (x->state != EXCHANGE_OPEN)
        return;
    relay_touch(r);
    if (m->status < 200 && m->status >= 100 && !end) {
        interim(x, m);
        return;
    }
    if (client_failed(m)) {
        client_failure(x, m, end);
        return;
    }
    if (needs_http1(x, m)) {
        exchange_fail(x, FAIL_SIGN_IN);
        return;
    }
    if (m->status < 200 ||
        !translate_response(m, slice_str(x->worker->server->config->domain), &cookie_cut)) {
        exchange_fail(x, FAIL_PROTOCOL);
        return;
    }
    if (cookie_cut)
        warn_cookie(x);
    pass_guard(x, POLICY_RESPONSE, m);
    translate_hsts(&m->fields, x->request.viewer, x->worker->server->config->urls.hsts_ms);
    if (exchange_is_websocket(x) && opens_websocket(m, end))
        upgrade(x, m);
    else if (exchange_is_websocket(x) && m->status < 300)
        exchange_fail(x, FAIL_UPGRADE);
    else
        respond(x, m, end);
}

/* ---- resets */

/* Returns the error for the access log when the near leg has ended with @err. ERR_CLOSED means that
 * the leg could not write the response. Errors that are not listed here mean that the viewer left,
 * by FIN, RST or an I/O error. */
static const char *why_near_ended(int err)
{
    if (err == ERR_SYNTAX || err == ERR_LIMIT)
        return "bad_request";
    return err == ERR_CLOSED ? failure_type(FAIL_PROTOCOL) : "viewer_left";
}

/* Counts an aborted request against the viewer's address if the request has a stream, since the
 * abort costs a RST_STREAM on the link. */
static void note_abort(const struct exchange *x)
{
    if (x->relay.far.leg)
        abuse_note(x->worker->abuse, x->request.viewer, loop_now_us(x->worker->loop));
}

static void near_reset(struct exchange *x, const struct leg_fault *why)
{
    const struct exchange_owner *ops = x->ops;
    void *owner = x->owner;
    note_abort(x);
    exchange_cancel(x, why_near_ended(why->err));
    ops->on_gone(owner);
}

static enum failure failure_of(const struct leg_fault *why)
{
    if (why->unprocessed)
        return why->err == ERR_LINK_LOST ? FAIL_AWAY : FAIL_BUSY;
    bool broke_off =
        why->err == ERR_LINK_LOST || why->h2_code == H2_INTERNAL_ERROR || why->h2_code == H2_CANCEL;
    return broke_off ? FAIL_TERMINATED : FAIL_PROTOCOL;
}

/* Returns whether a request that the client refused may be sent again. REFUSED_STREAM is not
 * believed unless it comes from oneport: HAProxy also sends it for a request whose origin died
 * while serving that request. So with other clients only idempotent requests and WebSockets are
 * sent again. */
static bool may_ask_again(const struct exchange *x, const struct leg_fault *why)
{
    bool their_word = why->err == ERR_RESET && x->stream.backend && !x->stream.backend->ours;
    return !their_word || exchange_is_websocket(x) ||
           (x->request.head && method_is_idempotent(x->request.head->method));
}

static void far_reset(struct exchange *x, const struct leg_fault *why)
{
    uint64_t suppressed;
    bool again = may_ask_again(x, why);
    x->response.stalled = why->err == ERR_STALLED;
    exchange_leave_far(x, ERR_OK);
    if (again && exchange_retry(x, why))
        return;
    /* The client takes no more of a WebSocket whose other direction has ended in order. */
    if (why->err == ERR_CLOSED && x->relay.far.ended) {
        response_ended(x);
        return;
    }
    if (why->err == ERR_LINK_LOST && x->state == EXCHANGE_UPGRADED) {
        x->response.error = "link_lost";
        exchange_restart(x);
        return;
    }
    if (why->h2_code != 0 && exchange_log_pass(x, EVENT_RESET, &suppressed))
        LOG(INFO, "stream_reset", LOG_STR("name", x->name), LOG_U("code", why->h2_code),
            LOG_STR("reason", why->reason), LOG_STR("state", exchange_state_name(x->state)),
            LOG_U("suppressed", suppressed));
    exchange_fail(x, failure_of(why));
}

static void on_reset(struct relay *r, enum relay_side side, const struct leg_fault *why)
{
    if (side == RELAY_NEAR)
        near_reset(exchange_of(r), why);
    else
        far_reset(exchange_of(r), why);
}

const struct relay_ops exchange_relay_ops = {
    .on_head = on_head,
    .on_body = on_body,
    .on_trailers = on_trailers,
    .on_end = on_end,
    .on_reset = on_reset,
};
