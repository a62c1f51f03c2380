/* exchange.c - one request and its response between two legs; see exchange.h for the states. */
#include "src/exchange.h"

#include <assert.h>
#include <stdlib.h>

#include "h2mux/base/clock.h"
#include "src/access.h"

enum { QUEUE_MS = 1000, PROBE_AFTER_MS = 5000, PROBE_MS = 5000, LOOK_AGAIN_MS = 1000 };

static const struct leg_events near_events, far_events;
static uint64_t next_look_ms(const struct exchange *x, uint64_t quiet);
static void on_timer(void *user);
static void on_link(struct waiter *w, struct link *l);
static void on_gone(struct waiter *w);

const char *exchange_state_name(enum exchange_state s)
{
    static const char *const names[] = {"held", "open", "streaming", "upgraded", "dead"};
    return names[s];
}

static bool is_websocket(const struct exchange *x)
{
    return x->request.translated.websocket;
}

static uint64_t *gauge(struct exchange *x)
{
    struct worker_stats *stats = &x->worker->stats;
    return is_websocket(x) ? &stats->websockets_open : &stats->exchanges_open;
}

struct exchange *exchange_new(struct worker *w, struct leg *near, const struct exchange_request *r,
                              const struct exchange_owner *ops, void *owner)
{
    struct exchange *x = xcalloc(1, sizeof(*x));
    x->worker = w;
    x->near = near;
    x->request = *r;
    x->ops = ops;
    x->owner = owner;
    x->request_ended = r->end;
    x->started_us = x->moved_us = loop_now_us(w->loop);
    x->waiter.on_link = on_link;
    x->waiter.on_gone = on_gone;
    timer_init(&x->timer, w->loop, on_timer, x);
    list_push(&w->exchanges, &x->node);
    *gauge(x) += 1;
    w->stats.requests++;
    if (is_websocket(x))
        w->stats.websockets++;
    leg_tie(near, &near_events, x);
    return x;
}

static void moved(struct exchange *x)
{
    x->moved_us = loop_now_us(x->worker->loop);
}

/* ---- the end ------------------------------------------------------------------------------------------------------------ */

static uint64_t wait_so_far(const struct exchange *x)
{
    return x->state == EXCHANGE_HELD ? loop_now_us(x->worker->loop) - x->started_us : x->wait_us;
}

static void write_access(const struct exchange *x, bool aborted)
{
    const struct server *server = x->worker->server;
    const struct fields *f = &x->request.head->fields;
    uint64_t now = loop_now_us(x->worker->loop);
    struct access_entry e = {
        .viewer = x->request.viewer->address,
        .host = x->request.host,
        .method = x->request.method,
        .path = x->request.path,
        .user_agent = fields_value(f, SLICE("user-agent")),
        .referer = fields_value(f, SLICE("referer")),
        .tunnel = x->name[0] ? x->name : "-",
        .status = x->status,
        .minor_version = x->request.head->minor_version,
        .websocket = is_websocket(x),
        .rx_octets = x->rx_octets,
        .tx_octets = x->tx_octets,
        .duration_us = now - x->started_us,
        .wait_us = wait_so_far(x),
        .error = x->error,
        .aborted = aborted,
    };
    if (server->access_log != NULL)
        access_write(server->access_log, slice_eq(slice_str(server->config->log_format), SLICE("json")), &e);
}

static void exchange_free(void *object)
{
    free(object);
}

static void leave_far(struct exchange *x, int err)
{
    struct leg *far = x->far;
    x->far = NULL;
    if (far != NULL) {
        struct leg_fault why = {.err = err, .reason = "exchange over"};
        far->ops->reset(far, &why);
    }
    if (x->counted_link) {
        x->counted_link = false;
        link_stream_done(x->link, is_websocket(x));
    }
    x->link = NULL;
}

static void leave_tunnel(struct exchange *x)
{
    if (x->tunnel == NULL)
        return;
    tunnel_unwait(x->tunnel, &x->waiter);
    x->tunnel = NULL;
}

/* Both legs may live on. */
static void cut_ties(struct exchange *x)
{
    x->wait_us = wait_so_far(x);
    x->worker->stats.rx_octets += x->rx_octets;
    x->worker->stats.tx_octets += x->tx_octets;
    *gauge(x) -= 1;
    leave_tunnel(x);
    x->state = EXCHANGE_DEAD;
    leave_far(x, ERR_CLOSED);
    if (x->near->exchange == x)
        leg_untie(x->near);
    x->near = NULL;
    timer_stop(&x->timer);
    list_remove(&x->node);
    loop_reap(x->worker->loop, &x->reap, exchange_free, x);
}

static bool head_was_sent(const struct exchange *x)
{
    return x->state == EXCHANGE_STREAMING || x->state == EXCHANGE_UPGRADED;
}

static void die(struct exchange *x, bool aborted)
{
    if (x->state == EXCHANGE_DEAD)
        return;
    write_access(x, aborted);
    cut_ties(x);
}

/* A definite answer, whatever happened: an error page before the head, a visible cut after it. */
static void fail(struct exchange *x, enum failure why)
{
    const struct exchange_owner *ops = x->ops;
    void *owner = x->owner;
    bool sent = head_was_sent(x);
    if (x->error == NULL)
        x->error = failure_type(why);
    if (!sent)
        x->status = failure_status(why);
    cut_ties(x);
    if (sent)
        ops->on_broken(owner);
    else
        x->tx_octets = ops->on_failure(owner, why);
    write_access(x, sent);
}

static void restart(struct exchange *x)
{
    struct ws_frames frames = x->frames;
    const struct exchange_owner *ops = x->ops;
    void *owner = x->owner;
    die(x, false);
    ops->on_restart(owner, &frames);
}

void exchange_cancel(struct exchange *x, const char *error)
{
    if (x->state == EXCHANGE_DEAD)
        return;
    x->error = error;
    die(x, head_was_sent(x));
}

void exchange_stop(struct exchange *x)
{
    if (x->state == EXCHANGE_UPGRADED)
        restart(x);
    else if (x->state != EXCHANGE_DEAD)
        fail(x, FAIL_DRAINING);
}

/* ---- finding a link ------------------------------------------------------------------------------------------------------------ */

static void arm(struct exchange *x)
{
    const struct config *c = x->worker->server->config;
    uint64_t ms = 0;
    switch (x->state) {
    case EXCHANGE_HELD:
        ms = x->queued ? QUEUE_MS : c->hold_ms;
        break;
    case EXCHANGE_OPEN:
        ms = next_look_ms(x, 0);
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

static void open_on(struct exchange *x, struct link *l)
{
    struct message *m = x->request.head;
    uint64_t now = loop_now_us(x->worker->loop);
    x->far = link_open(l, m, x->request.end, &far_events, x);
    if (x->far == NULL) {
        fail(x, FAIL_BUSY);
        return;
    }
    x->link = l;
    x->counted_link = true;
    x->tunnel = NULL;
    x->state = EXCHANGE_OPEN;
    x->wait_us += now - x->moved_us;
    x->opened_us = x->moved_us = now;
    x->probed = false;
    arm(x);
    if (!x->request.end && !is_websocket(x))
        x->near->ops->want_body(x->near);
}

static bool link_takes(const struct exchange *x, const struct link *l)
{
    return link_can_open(l, is_websocket(x));
}

static void on_link(struct waiter *w, struct link *l)
{
    struct exchange *x = CONTAINER_OF(w, struct exchange, waiter);
    if (is_websocket(x) && !h2_session_takes_websockets(l->session)) {
        x->tunnel = NULL;
        fail(x, FAIL_NO_WEBSOCKETS);
        return;
    }
    if (!link_takes(x, l)) {
        bool queued_before = x->queued;
        x->queued = true;
        if (!tunnel_wait(x->tunnel, w, loop_now_us(x->worker->loop)))
            fail(x, FAIL_BUSY);
        else if (!queued_before)
            arm(x); /* its time in the queue runs from the first time it was passed over */
        return;
    }
    open_on(x, l);
}

static void on_gone(struct waiter *w)
{
    struct exchange *x = CONTAINER_OF(w, struct exchange, waiter);
    x->tunnel = NULL;
    fail(x, FAIL_NO_TUNNEL);
}

static void wait_for_link(struct exchange *x, struct tunnel *t, bool queued)
{
    x->state = EXCHANGE_HELD;
    x->queued = queued;
    x->tunnel = t;
    if (!tunnel_wait(t, &x->waiter, loop_now_us(x->worker->loop))) {
        x->tunnel = NULL;
        fail(x, queued ? FAIL_BUSY : FAIL_AWAY);
        return;
    }
    arm(x);
}

void exchange_start(struct exchange *x, struct tunnel *t)
{
    memcpy(x->name, t->name, sizeof x->name);
    struct link *l = tunnel_pick(t);
    t->exchanges++;
    moved(x);
    if (x->worker->server->draining)
        fail(x, FAIL_DRAINING);
    else if (l == NULL)
        wait_for_link(x, t, false);
    else if (is_websocket(x) && !h2_session_takes_websockets(l->session))
        fail(x, FAIL_NO_WEBSOCKETS);
    else if (!link_takes(x, l))
        wait_for_link(x, t, true);
    else
        open_on(x, l);
}

/* The near leg hands up body octets: there must be a stream for them. */
static bool body_runs(const struct exchange *x)
{
    return !x->request.end && !is_websocket(x);
}

/* The client provably did nothing with it, and nothing of its body is gone: once more, on another link or, without a body, after a wait. */
static bool retry(struct exchange *x, const struct leg_fault *why)
{
    if (!why->unprocessed || x->retried || x->state != EXCHANGE_OPEN || x->rx_octets > 0 || (body_runs(x) && x->request_ended))
        return false;
    struct tunnel *t = registry_find(x->worker->server->registry, slice_str(x->name));
    struct link *l = t != NULL ? tunnel_pick(t) : NULL;
    if (t == NULL || (body_runs(x) && (l == NULL || !link_takes(x, l))))
        return false;
    x->retried = true;
    x->state = EXCHANGE_HELD;
    exchange_start(x, t);
    return true;
}

/* ---- time ------------------------------------------------------------------------------------------------------------------- */

/* Milliseconds since something moved, or since the stream was opened. */
static uint64_t quiet_ms(const struct exchange *x)
{
    return (loop_now_us(x->worker->loop) - x->moved_us) / 1000;
}

/* The upload is not through: more of it is to come, or to leave. */
static bool uploading(const struct exchange *x)
{
    return body_runs(x) && (!x->request_ended || x->rx_octets > x->forwarded);
}

/* It is the viewer's turn: all that came of its body has left, and more is owed. */
static bool viewer_owes_body(const struct exchange *x)
{
    return !x->request_ended && x->rx_octets == x->forwarded;
}

/* Until the first of what may be due: the probe, the origin's time, the viewer's. */
static uint64_t next_look_ms(const struct exchange *x, uint64_t quiet)
{
    const struct config *c = x->worker->server->config;
    uint64_t due = x->probed ? UINT64_MAX : PROBE_AFTER_MS;
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
        fail(x, viewer_owes_body(x) ? FAIL_REQUEST_TIMEOUT : FAIL_RESPONSE_TIMEOUT);
        return;
    }
    if (c->origin_timeout_ms != 0 && quiet >= c->origin_timeout_ms) {
        fail(x, FAIL_RESPONSE_TIMEOUT);
        return;
    }
    if (!x->probed && quiet >= PROBE_AFTER_MS) {
        x->probed = true;
        link_probe(x->link, PROBE_MS);
    }
    timer_arm(&x->timer, next_look_ms(x, quiet));
}

static void time_idle(struct exchange *x, uint64_t limit_ms)
{
    uint64_t quiet = quiet_ms(x);
    if (quiet >= limit_ms) {
        x->error = "body_idle";
        x->state == EXCHANGE_UPGRADED ? restart(x) : fail(x, FAIL_RESPONSE_TIMEOUT);
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
        fail(x, x->queued ? FAIL_BUSY : FAIL_AWAY);
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

/* ---- the request's way: near → far --------------------------------------------------------------------------------------------- */

static void end_if_over(struct exchange *x);

static void near_body(void *user, struct leg *leg, struct slice data, bool end)
{
    struct exchange *x = user;
    moved(x);
    x->rx_octets += data.len;
    x->request_ended |= end;
    uint64_t max = x->worker->server->config->max_body;
    if (max != 0 && x->rx_octets > max && x->state != EXCHANGE_UPGRADED) {
        fail(x, FAIL_BODY_TOO_LARGE);
        return;
    }
    assert(x->far != NULL); /* no body is asked for while there is no stream, and none is retried that cannot have one at once */
    x->far->ops->body(x->far, data, end);
    end_if_over(x);
}

static void near_trailers(void *user, struct leg *leg, struct fields *t)
{
    struct exchange *x = user;
    x->request_ended = true;
    translate_trailers(t);
    x->far->ops->trailers(x->far, t);
}

static void near_sent(void *user, struct leg *leg, size_t octets)
{
    struct exchange *x = user;
    moved(x);
    if (x->far != NULL)
        x->far->ops->credit(x->far, octets);
}

static const char *why_near_ended(int err)
{
    if (err == ERR_SYNTAX || err == ERR_LIMIT)
        return "bad_request";
    return err == ERR_CLOSED ? failure_type(FAIL_PROTOCOL) : "viewer_left"; /* the leg cannot write what it was given; or FIN, RST, I/O */
}

/* The owner hears of it by itself; it only needs the exchange gone. */
static void near_reset(void *user, struct leg *leg, const struct leg_fault *why)
{
    exchange_cancel(user, why_near_ended(why->err));
}

static const struct leg_events near_events = {
    .on_body = near_body,
    .on_trailers = near_trailers,
    .on_sent = near_sent,
    .on_reset = near_reset,
};

/* ---- the response's way: far → near --------------------------------------------------------------------------------------------- */

/* Nothing more is expected of the stream; what it still has queued may leave. */
static void far_is_over(struct exchange *x)
{
    if (x->far != NULL && x->far->exchange == x)
        leg_untie(x->far);
    x->far = NULL;
    leave_far(x, ERR_OK);
}

/* Complete for the viewer. */
static void response_ended(struct exchange *x)
{
    const struct exchange_owner *ops = x->ops;
    void *owner = x->owner;
    if (x->far != NULL && x->request_ended)
        far_is_over(x);
    die(x, false);
    ops->on_end(owner);
}

/* A WebSocket is over when both directions are. */
static void end_if_over(struct exchange *x)
{
    if (x->state == EXCHANGE_UPGRADED && x->request_ended && x->response_ended)
        response_ended(x);
}

static bool wants_interim(const struct exchange *x, int status)
{
    if (status == 100)
        return x->request.translated.expects;
    /* nginx takes any other for the final answer (N11), HTTP/1.0 knows none (RFC 9110 15.2) */
    return status == 103 && !x->request.viewer->proxied && x->request.head->minor_version == 1;
}

static void interim(struct exchange *x, struct message *m)
{
    bool cut = false;
    if (wants_interim(x, m->status) && x->state == EXCHANGE_OPEN && translate_response(m, slice_str(x->worker->server->config->domain), &cut))
        x->near->ops->head(x->near, m, false);
}

static bool client_failed(const struct message *m)
{
    return fields_find(&m->fields, SLICE("oneport-error")) != NULL;
}

static void client_failure(struct exchange *x, struct message *m, bool end)
{
    struct slice type = fields_value(&m->fields, SLICE("oneport-error"));
    LOG(INFO, "origin failed", "name=%s error=%s", x->name, log_value(type));
    if (end && x->request_ended)
        far_is_over(x);
    fail(x, failure_from_client(m->status, type));
}

static void warn_cookie(struct exchange *x)
{
    struct tunnel *t = registry_find(x->worker->server->registry, slice_str(x->name));
    if (t == NULL || t->cookie_warned)
        return;
    t->cookie_warned = true;
    LOG(WARN, "cookie for the base domain confined to its tunnel", "name=%s", x->name);
}

static void upgrade(struct exchange *x, struct message *m)
{
    translate_websocket_opened(m, x->request.translated.ws_key);
    x->status = 101;
    x->ops->on_response(x->owner, m, false);
    x->near->ops->head(x->near, m, false);
    x->state = EXCHANGE_UPGRADED;
    ws_frames_init(&x->frames);
    x->ops->on_upgraded(x->owner);
    arm(x);
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
        arm(x);
}

static void far_head(void *user, struct leg *leg, struct message *m, bool end)
{
    struct exchange *x = user;
    bool cookie_cut = false;
    if (x->state != EXCHANGE_OPEN)
        return;
    moved(x);
    if (m->status < 200 && m->status >= 100 && !end) {
        interim(x, m);
        return;
    }
    if (client_failed(m)) {
        client_failure(x, m, end);
        return;
    }
    if (m->status < 200 || !translate_response(m, slice_str(x->worker->server->config->domain), &cookie_cut)) {
        fail(x, FAIL_PROTOCOL);
        return;
    }
    if (cookie_cut)
        warn_cookie(x);
    if (is_websocket(x) && m->status < 300 && !end)
        upgrade(x, m);
    else if (is_websocket(x) && m->status < 300)
        fail(x, FAIL_UPGRADE);
    else
        respond(x, m, end);
}

static void far_body(void *user, struct leg *leg, struct slice data, bool end)
{
    struct exchange *x = user;
    moved(x);
    x->tx_octets += data.len;
    if (x->state == EXCHANGE_UPGRADED)
        ws_frames_feed(&x->frames, data);
    x->near->ops->body(x->near, data, end);
    x->response_ended |= end;
    if (end && x->state == EXCHANGE_STREAMING)
        response_ended(x);
    else
        end_if_over(x);
}

static void far_trailers(void *user, struct leg *leg, struct fields *t)
{
    struct exchange *x = user;
    translate_trailers(t);
    x->near->ops->trailers(x->near, t);
    response_ended(x);
}

static void far_sent(void *user, struct leg *leg, size_t octets)
{
    struct exchange *x = user;
    moved(x);
    x->forwarded += octets;
    x->near->ops->credit(x->near, octets);
}

static enum failure failure_of(const struct leg_fault *why)
{
    if (why->unprocessed)
        return why->err == ERR_LINK_LOST ? FAIL_AWAY : FAIL_BUSY;
    bool broke_off = why->err == ERR_LINK_LOST || why->h2_code == H2_INTERNAL_ERROR || why->h2_code == H2_CANCEL;
    return broke_off ? FAIL_TERMINATED : FAIL_PROTOCOL;
}

static void far_reset(void *user, struct leg *leg, const struct leg_fault *why)
{
    struct exchange *x = user;
    x->far = NULL;
    leave_far(x, ERR_OK);
    if (retry(x, why))
        return;
    if (why->err == ERR_CLOSED && x->response_ended) { /* a WebSocket: the client hears no more of what has been answered */
        response_ended(x);
        return;
    }
    if (why->err == ERR_LINK_LOST && x->state == EXCHANGE_UPGRADED) {
        x->error = "link_lost";
        restart(x);
        return;
    }
    if (why->h2_code != 0)
        LOG(INFO, "stream_reset", "name=%s code=%u reason=%s", x->name, why->h2_code, why->reason);
    fail(x, failure_of(why));
}

static const struct leg_events far_events = {
    .on_head = far_head,
    .on_body = far_body,
    .on_trailers = far_trailers,
    .on_sent = far_sent,
    .on_reset = far_reset,
};
