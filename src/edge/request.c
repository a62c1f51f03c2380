/* SPDX-License-Identifier: MIT */
/* request.c - decides whether an exchange, a built-in or an error page answers a request; see
 * request.h. The connection frames answers, an exchange carries requests, answer.c has texts. */
#include "src/edge/request.h"

#include <assert.h>
#include <stdlib.h>

#include "h2mux/base/check.h"
#include "h2mux/http/grpc.h"
#include "src/edge/builtin.h"
#include "src/edge/door.h"
#include "src/http/pages.h"
#include "src/tunnels/link.h"
#include "src/tunnels/registry.h"
#include "src/tunnels/sign_in.h"

static const struct exchange_owner owner_ops;

static const struct server *server_of(const struct request *r)
{
    return r->worker->server;
}

static uint64_t now_of(const struct request *r)
{
    return loop_now_us(r->worker->loop);
}

void request_check(const struct request *r)
{
    const struct exchange *x = r->exchange;
    worker_check(r->worker);
    CHECK_THAT(r->host && r->conn && r->near && r->peer);
    CHECK_THAT(!x || x->owner == r);
    CHECK_THAT(!x || x->state != EXCHANGE_DEAD);
    CHECK_THAT(!r->kept || r->accept.len == 0); /* the head that it borrowed from is gone */
}

/* ---- life */

void request_init(struct request *r, struct worker *w, struct leg *near, struct peer *peer,
                  const struct request_host *host, void *conn)
{
    *r = (struct request){.host = host, .conn = conn, .worker = w, .near = near, .peer = peer};
    if (CHECKING)
        request_check(r);
}

void request_deinit(struct request *r)
{
    CHECK_THAT(!r->exchange);
    free(r->kept);
    r->kept = NULL;
}

/* Tells the leg how to frame the next head towards the viewer. */
static void set_reply(struct request *r, bool close, bool trailers, bool upgrade)
{
    struct leg_reply how = {
        .to_head = r->to_head,
        .peer_1_0 = r->asked.minor_version == 0,
        .close = close,
        .trailers = trailers,
        .upgrade = upgrade,
    };
    leg_reply(r->near, &how);
}

/* Tells the leg how to frame the final head. */
static void set_final_reply(struct request *r, bool close, bool trailers, bool upgrade)
{
    r->responding = true;
    set_reply(r, close, trailers, upgrade);
}

void request_begin(struct request *r, const struct message *m, bool keep_alive)
{
    assert(!r->exchange); /* or the head that it borrows from is replaced */
    r->begun_us = now_of(r);
    r->keep_alive = keep_alive;
    r->to_head = slice_eq(m->method, SLICE("HEAD"));
    r->responding = false;
    r->accept = fields_value(&m->fields, SLICE("accept"));
    r->grpc = grpc_is(&m->fields);
    r->asked = (struct access_request){
        .host = m->authority,
        .method = m->method,
        .path = m->path,
        .user_agent = fields_value(&m->fields, SLICE("user-agent")),
        .referer = fields_value(&m->fields, SLICE("referer")),
        .minor_version = m->minor_version,
        .http2 = m->http2,
    };
    trust_viewer(server_of(r)->trust, r->peer, &m->fields, &r->viewer);
    struct slice connection = trust_connection(r->peer, &m->fields);
    if (m->http2) /* whose requests run side by side, so none has the connection for itself */
        r->viewer.nameless = connection.len > 0;
    else
        r->viewer.connection = connection;
    set_reply(r, false, false, false);
}

void request_forget(struct request *r)
{
    static const struct fields none;
    trust_viewer(server_of(r)->trust, r->peer, &none, &r->viewer);
    r->accept = SLICE("");
    r->asked = (struct access_request){.minor_version = 1};
    r->grpc = r->keep_alive = r->to_head = r->responding = false;
    r->begun_us = now_of(r);
}

/* ---- answers of ours */

/* Returns whether the connection closes after any answer, because the viewer does not keep it alive
 * or because the server is draining. */
static bool must_close(const struct request *r)
{
    return !r->keep_alive || server_of(r)->draining;
}

static void log_answer(struct request *r, int status, const char *error, size_t bytes)
{
    const struct server *s = server_of(r);
    struct access_entry entry = {
        .viewer = r->viewer.address,
        .request = r->asked,
        .tunnel = "-",
        .status = status,
        .tx_bytes = bytes,
        .duration_us = now_of(r) - r->begun_us,
        .error = error,
    };
    if (s->access_log)
        access_write(s->access_log, slice_eq(slice_str(s->config->log.format), SLICE("json")),
                     &entry);
}

/* Adds a Date (rule R20) to the answer @a, sends it and frees it. Closes the connection after the
 * answer if @close is set, or if the request was not read to its end (rules Q38, R18: the start of
 * the next request is not known then). A 426 lists its Upgrade field in Connection (RFC 9110
 * 7.8). */
static void send_answer(struct request *r, struct answer *a, bool close)
{
    struct leg *near = r->near;
    close |= must_close(r) || !r->host->is_whole(r->conn);
    set_final_reply(r, close, false, a->head.status == 426);
    fields_add(&a->head.fields, SLICE("Date"), worker_date(r->worker));
    translate_hsts(&a->head.fields, &r->viewer, server_of(r)->config->urls.hsts_ms);
    near->ops->head(near, &a->head, buf_len(&a->body) == 0);
    if (buf_len(&a->body) > 0)
        near->ops->body(near, buf_slice(&a->body), true);
    answer_deinit(a);
    r->host->over(r->conn, close ? REQUEST_CLOSE : REQUEST_ANSWERED, NULL);
}

/* Returns after how many seconds an error page of the tunnel @name reloads. */
static unsigned reload_s(const struct request *r, struct slice name)
{
    const struct tunnel *t = registry_find(r->worker->registry, name);
    uint64_t since_us = t ? t->hold.away_since_us : 0, now_us = now_of(r);
    return answer_reload_s(since_us > 0 && now_us > since_us ? now_us - since_us : 0, arc4random());
}

/* Makes @a a page or JSON for @why, or what a client of gRPC understands. */
static void make_failure(struct request *r, struct answer *a, enum failure why, struct slice name)
{
    if (r->grpc) {
        answer_grpc(a, why);
        return;
    }
    if (why == FAIL_SOCKETS) /* which an exchange alone meets */
        answer_no_socket(a, r->accept, name, reload_s(r, name),
                         (unsigned)r->exchange->wait.sockets);
    else
        answer_failure(a, why, r->accept, name, reload_s(r, name));
    pages_replace(r->worker->server->pages, a);
    if (why == FAIL_LOGIN)
        fields_add_printf(&a->head.fields, SLICE("WWW-Authenticate"),
                          "Basic realm=\"%.*s\", charset=\"UTF-8\"", SLICE_FMT(name));
}

/* Sends the error page of @why and writes the line of the access log. @name is the name of the
 * tunnel, or empty. Closes the connection after the answer if @close is set. */
static void refuse(struct request *r, enum failure why, struct slice name, bool close)
{
    struct answer a;
    make_failure(r, &a, why, name);
    log_answer(r, failure_status(why), failure_type(why), buf_len(&a.body));
    send_answer(r, &a, close);
}

void request_note_malformed(struct worker *w, const char *reason, int status, const char *viewer)
{
    uint64_t suppressed;
    stat_add(&w->stats.bad_requests, 1);
    if (log_limit_pass(&w->bad_request_log, loop_now_us(w->loop), &suppressed))
        LOG(INFO, "bad_request", LOG_STR("reason", reason), LOG_I("status", status),
            LOG_STR("viewer", viewer), LOG_U("suppressed", suppressed));
}

void request_refuse_malformed(struct request *r, enum failure why, const char *reason)
{
    request_note_malformed(r->worker, reason, failure_status(why), r->viewer.address);
    refuse(r, why, SLICE(""), true);
}

void request_refuse_busy(struct request *r)
{
    refuse(r, FAIL_BUSY, SLICE(""), true);
}

void request_refuse_method(struct request *r)
{
    refuse(r, FAIL_METHOD, SLICE(""), false);
}

void request_refuse_misdirected(struct request *r)
{
    stat_add(&r->worker->stats.misdirected, 1);
    refuse(r, FAIL_MISDIRECTED, SLICE(""), false);
}

/* Refuses a request for a name that nobody holds. One that is reserved for an owner who is away
 * for long is not waited for (rule F70). */
static void refuse_unknown(struct request *r, struct slice name)
{
    uint64_t suppressed;
    uint8_t ignored[OWNER_LEN];
    if (reserve_until(directory_reserve(r->worker->server->directory), name, ignored) > 0) {
        refuse(r, FAIL_AWAY, name, false);
        return;
    }
    if (log_limit_pass(&r->worker->no_tunnel_log, now_of(r), &suppressed))
        LOG(INFO, "no_tunnel", LOG_S("host", r->asked.host), LOG_U("suppressed", suppressed));
    refuse(r, FAIL_NO_TUNNEL, name, false);
}

/* Answers an OPTIONS request with Max-Forwards: 0 by a 204 (rule Q7). */
static void serve_options(struct request *r)
{
    struct answer a;
    answer_options(&a, NULL);
    log_answer(r, 204, NULL, 0);
    send_answer(r, &a, false);
}

/* ---- for a tunnel */

/* Starts an exchange with the tunnel @name. Sends an error page instead when the tunnel does not
 * exist or the request is not let in (door.h). */
static void start_exchange(struct request *r, struct exchange_request *x, struct slice name)
{
    struct tunnel *t = registry_find(r->worker->registry, name);
    struct door_reply reply;
    if (!t) {
        refuse_unknown(r, name);
        return;
    }
    enum door_verdict verdict = door_judge(r->worker, t, x, r->begun_us, &reply);
    if (verdict == DOOR_REFUSES) {
        refuse(r, reply.why, name, reply.why == FAIL_BODY_TOO_LARGE);
        return;
    }
    if (verdict == DOOR_ANSWERS) {
        log_answer(r, reply.answer.head.status, NULL, 0);
        send_answer(r, &reply.answer, false);
        return;
    }
    x->end = r->host->is_whole(r->conn) && !x->translated.websocket;
    r->exchange = exchange_new(r->worker, r->near, x, &owner_ops, r);
    if (CHECKING)
        request_check(r);
    if (verdict == DOOR_CHECKS)
        sign_in_start(r->exchange, t, &reply.look);
    else
        exchange_start(r->exchange, t);
}

static void serve_tunnel(struct request *r, struct message *m, struct slice name)
{
    struct exchange_request x = {
        .head = m, .viewer = &r->viewer, .asked = &r->asked, .connection = r->beside};
    enum failure why = FAIL_BAD_REQUEST;
    const char *reason = "";
    switch (translate_request(m, &r->viewer, r->peer, server_of(r)->node, &x.translated, &why,
                              &reason)) {
    case TRANSLATE_FAIL:
        request_refuse_malformed(r, why, reason);
        break;
    case TRANSLATE_OPTIONS:
        serve_options(r);
        break;
    case TRANSLATE_OK:
        start_exchange(r, &x, name);
        break;
    }
}

/* ---- for the base domain */

/* Answers 405 with the methods that the built-in takes (RFC 9110 15.5.6). */
static void refuse_method(struct request *r, const char *allow)
{
    struct answer a;
    answer_failure(&a, FAIL_METHOD, r->accept, SLICE(""), 0);
    pages_replace(r->worker->server->pages, &a);
    answer_allow(&a, allow);
    log_answer(r, a.head.status, failure_type(FAIL_METHOD), buf_len(&a.body));
    send_answer(r, &a, false);
}

/* Answers 101 and makes a link of the connection, which uses HTTP/2 from then on. */
static void become_link(struct request *r, const struct attach *at)
{
    struct message m;
    struct worker *w = r->worker;
    struct place place = attach_place(at);
    attach_response(&m);
    set_final_reply(r, false, false, true);
    r->near->ops->head(r->near, &m, false);
    message_deinit(&m);
    log_answer(r, 101, NULL, 0);
    struct link *l = link_new(w, r->host->release(r->conn), &at->ticket, &place);
    LOG(DEBUG, "attach_accepted", LOG_STR("name", l->name), LOG_U("slot", l->backend.slot));
}

static void serve_builtin(struct request *r, struct call *c, size_t head_bytes)
{
    struct builtin_result result;
    switch (builtin_serve(r->worker, c, head_bytes, &result)) {
    case BUILTIN_ANSWER:
        log_answer(r, result.answer.head.status, result.error, buf_len(&result.answer.body));
        send_answer(r, &result.answer, result.close);
        break;
    case BUILTIN_FAILURE:
        if (result.failure == FAIL_METHOD)
            refuse_method(r, result.allow);
        else
            refuse(r, result.failure, SLICE(""), false);
        break;
    case BUILTIN_ATTACHES:
        if (r->host->release)
            become_link(r, &result.attach);
        else
            refuse(r, FAIL_VERSION, SLICE(""), false);
        break;
    }
}

static void serve_redirect(struct request *r, const struct message *m)
{
    struct answer a;
    builtin_redirect(r->worker, m, &a);
    log_answer(r, 308, NULL, 0);
    send_answer(r, &a, false);
}

void request_serve(struct request *r, struct call *c, struct message *m, size_t head_bytes)
{
    if (r->peer->redirects && !route_proves(m->path)) {
        serve_redirect(r, m);
        return;
    }
    switch (c->route.kind) {
    case ROUTE_BASE:
        serve_builtin(r, c, head_bytes);
        break;
    case ROUTE_TUNNEL:
        serve_tunnel(r, m, slice_str(c->route.name));
        break;
    case ROUTE_UNKNOWN:
        refuse_unknown(r, SLICE(""));
        break;
    }
}

/* ---- what the exchange tells */

/* Tells the leg how to frame the head @m of the response. A response that is complete before the
 * request was read to its end closes the connection, and its head says so (RFC 9112 9.6). */
static void on_response(void *owner, const struct message *m, bool end)
{
    struct request *r = owner;
    if (CHECKING)
        request_check(r);
    bool early = end && !r->host->is_whole(r->conn);
    set_final_reply(r, must_close(r) || early, r->exchange->request.translated.takes_trailers,
                    m->status == 101 || m->status == 426);
}

static void on_upgraded(void *owner)
{
    struct request *r = owner;
    r->kept = access_request_keep(&r->asked);
    r->accept = r->viewer.accepted_for = SLICE("");
    leg_upgrade(r->near);
    if (CHECKING)
        request_check(r);
    r->host->upgraded(r->conn);
}

static void over(struct request *r, enum request_end how, const struct ws_frames *frames)
{
    r->exchange = NULL;
    r->host->over(r->conn, how, frames);
}

static size_t on_failure(void *owner, enum failure why)
{
    struct request *r = owner;
    struct answer a;
    if (why == FAIL_SIGN_IN) { /* the viewer of HTTP/2 comes again */
        over(r, REQUEST_BY_HTTP1, NULL);
        return 0;
    }
    make_failure(r, &a, why, slice_str(r->exchange->name));
    r->exchange = NULL;
    size_t bytes = buf_len(&a.body);
    send_answer(r, &a, false);
    return bytes;
}

static void on_broken(void *owner, bool stalled)
{
    over(owner, stalled ? REQUEST_STALLED : REQUEST_BROKEN, NULL);
}

static void on_restart(void *owner, const struct ws_frames *frames)
{
    over(owner, REQUEST_RESTART, frames);
}

static void on_refused(void *owner, const struct ws_frames *frames)
{
    over(owner, REQUEST_REFUSED, frames);
}

static void on_end(void *owner)
{
    struct request *r = owner;
    over(r, r->host->is_whole(r->conn) ? REQUEST_ANSWERED : REQUEST_CLOSE, NULL);
}

static void on_gone(void *owner)
{
    over(owner, REQUEST_GONE, NULL);
}

static const struct exchange_owner owner_ops = {
    .on_response = on_response,
    .on_upgraded = on_upgraded,
    .on_failure = on_failure,
    .on_broken = on_broken,
    .on_restart = on_restart,
    .on_refused = on_refused,
    .on_end = on_end,
    .on_gone = on_gone,
};

/* ---- from the connection */

void request_cancel(struct request *r)
{
    struct exchange *x = r->exchange;
    if (CHECKING)
        request_check(r);
    r->exchange = NULL;
    if (x)
        exchange_cancel(x, "closed");
}

void request_give_up(struct request *r)
{
    struct exchange *x = r->exchange;
    if (!x)
        return;
    r->keep_alive = false;
    exchange_give_up(x);
}

void request_stop(struct request *r)
{
    if (CHECKING)
        request_check(r);
    if (r->exchange)
        exchange_stop(r->exchange);
}
