/* SPDX-License-Identifier: MIT */
/* edge.c - one public HTTP/1.1 connection; see edge.h for its states. Policy only: the wire is
 * h1_conn's, the way to an origin the exchange's, the words of an answer answer.c's. */
#include "src/edge/edge_int.h"

#include <stdlib.h>

#include "src/edge/handoff.h"
#include "src/http/access.h"
#include "src/limits/abuse.h"
#include "src/limits/address_buckets.h"
#include "src/tunnels/registry.h"

enum {
    EDGE_WINDOW = 256 * 1024,
    ANSWERS_HIGH = 64 * 1024, /* while so much is not taken, the next request is not looked at */
    CLOSE_HANDSHAKE_MS = 2000 /* rule W8 */
};

static const struct h1_conn_ops conn_ops;
static const struct exchange_owner owner_ops;

static void edge_free(void *object)
{
    struct edge *e = object;
    free(e->kept);
    free(e);
}

/* The caller has closed, finished, aborted or released the connection. */
void edge_forget(struct edge *e)
{
    if (e->exchange)
        exchange_cancel(e->exchange, "closed");
    e->exchange = NULL;
    e->state = EDGE_DEAD;
    timer_stop(&e->timer);
    list_remove(&e->node);
    stat_add(&e->worker->stats.edges_open, -1);
    loop_reap(e->worker->loop, &e->reap, edge_free, e);
}

static void edge_close(struct edge *e)
{
    h1_conn_close(e->conn);
    edge_forget(e);
}

static void edge_abort(struct edge *e)
{
    h1_conn_abort(e->conn);
    edge_forget(e);
}

void edge_finish(struct edge *e, uint64_t ms, size_t bytes)
{
    sock_count_tail(h1_conn_sock(e->conn), &e->worker->evictor.tails);
    h1_conn_finish(e->conn, ms, bytes);
    edge_forget(e);
}

static bool alive(const struct edge *e)
{
    return e->state != EDGE_DEAD;
}

/* ---- requests for a tunnel */

static void local_options(struct edge *e)
{
    struct answer a;
    answer_init(&a, 204);
    fields_add(&a.head.fields, SLICE("allow"),
               SLICE("GET, HEAD, POST, PUT, DELETE, PATCH, OPTIONS"));
    edge_log_answer(e, 204, NULL, 0);
    edge_send_answer(e, &a, false);
}

static void no_tunnel(struct edge *e, struct slice name)
{
    uint64_t suppressed;
    if (log_limit_pass(&e->worker->no_tunnel_log, loop_now_us(e->worker->loop), &suppressed))
        LOG(INFO, "no_tunnel", "host=%s suppressed=%llu", log_value(e->asked.host),
            (unsigned long long)suppressed);
    edge_refuse(e, FAIL_NO_TUNNEL, name, false);
}

/* --viewer-rate: of the requests that come to this worker, which are all those of a tunnel. */
static bool asks_too_often(struct edge *e)
{
    struct address of;
    struct address_buckets *requests = e->worker->requests;
    return requests && address_of_viewer(&e->viewer, &of) &&
           !address_buckets_take(requests, &of, 1, e->head_us);
}

static void to_tunnel(struct edge *e, struct message *m, struct slice name)
{
    struct exchange_request r = {.head = m, .viewer = &e->viewer, .asked = &e->asked};
    enum failure why = FAIL_BAD_REQUEST;
    const char *reason = "";
    switch (translate_request(m, &e->viewer, &e->peer, edge_server(e)->node, &r.translated, &why,
                              &reason)) {
    case TRANSLATE_FAIL:
        edge_bad_request(e, why, reason);
        return;
    case TRANSLATE_OPTIONS:
        local_options(e);
        return;
    case TRANSLATE_OK:
        break;
    }
    struct tunnel *t = registry_find(e->worker->registry, name);
    uint64_t max = edge_server(e)->config->max_body;
    if (!t) {
        no_tunnel(e, name);
        return;
    }
    if (max != 0 && m->length != MESSAGE_LENGTH_UNKNOWN && (uint64_t)m->length > max) {
        edge_refuse(e, FAIL_BODY_TOO_LARGE, name, true);
        return;
    }
    if (abuse_blocks(e->worker->abuse, &e->viewer, e->head_us)) {
        edge_refuse(e, FAIL_TOO_MANY_ABORTS, name, false);
        return;
    }
    if (asks_too_often(e)) {
        edge_refuse(e, FAIL_TOO_MANY_REQUESTS, name, false);
        return;
    }
    r.end = h1_conn_rx_done(e->conn) && !r.translated.websocket;
    e->exchange = exchange_new(e->worker, h1_conn_leg(e->conn), &r, &owner_ops, e);
    exchange_start(e->exchange, t);
}

static void remember(struct edge *e, const struct message *m, const struct h1_result *r)
{
    e->state = EDGE_BUSY;
    e->head_us = loop_now_us(e->worker->loop);
    e->keep_alive = r->keep_alive;
    e->to_head = slice_eq(m->method, SLICE("HEAD"));
    e->responding = false;
    e->accept = fields_value(&m->fields, SLICE("accept"));
    e->asked = (struct access_request){
        .host = m->authority,
        .method = m->method,
        .path = m->path,
        .user_agent = fields_value(&m->fields, SLICE("user-agent")),
        .referer = fields_value(&m->fields, SLICE("referer")),
        .minor_version = m->minor_version,
    };
    trust_viewer(edge_server(e)->trust, &e->peer, &m->fields, &e->viewer);
    edge_prepare_reply(e, false, false, false);
    timer_rest(&e->timer);
}

/* To the worker that has the name; the request is parsed again there. */
static void move(struct edge *e, unsigned home)
{
    handoff_send(e->worker, home, h1_conn_rewind(e->conn));
    edge_forget(e);
}

static void on_head(void *user, struct message *m, const struct h1_result *r)
{
    struct edge *e = user;
    char name[NAME_MAX_LEN + 1] = "";
    enum route_kind kind =
        router_host(slice_str(edge_server(e)->config->domain), m->authority, name);
    int home = handoff_home(e->worker, m, kind, slice_str(name));
    if (home != DIRECTORY_NOBODY && home != (int)e->worker->index) {
        move(e, (unsigned)home);
        return;
    }
    remember(e, m, r);
    switch (kind) {
    case ROUTE_BASE:
        edge_builtin(e, m);
        break;
    case ROUTE_TUNNEL:
        to_tunnel(e, m, slice_str(name));
        break;
    case ROUTE_UNKNOWN:
        no_tunnel(e, SLICE(""));
        break;
    }
}

/* ---- what the exchange tells */

/* Answered before the request was read to its end, the connection cannot go on, and says so (RFC
 * 9112 9.6). */
static void on_response(void *owner, const struct message *m, bool end)
{
    struct edge *e = owner;
    bool early = end && !h1_conn_rx_done(e->conn);
    edge_set_reply(e, edge_must_close(e) || early, e->exchange->request.translated.takes_trailers,
                   m->status == 101);
}

static void on_upgraded(void *owner)
{
    struct edge *e = owner;
    e->state = EDGE_RAW;
    e->kept = access_request_keep(&e->asked);
    e->accept = e->viewer.accepted_for = SLICE("");
    h1_conn_upgrade(e->conn);
}

static size_t on_failure(void *owner, enum failure why)
{
    struct edge *e = owner;
    struct answer a;
    answer_failure(&a, why, e->accept, slice_str(e->exchange->name));
    e->exchange = NULL;
    size_t bytes = buf_len(&a.body);
    edge_send_answer(e, &a, false);
    return bytes;
}

/* RFC 9112 8: an unterminated body and a close say it; where the close itself ends the body only a
 * RST does (rule R12). What is queued for a viewer who was given up for taking nothing goes at
 * once: it is the memory that was short. */
static void on_broken(void *owner, bool stalled)
{
    struct edge *e = owner;
    e->exchange = NULL;
    if (stalled || e->state == EDGE_RAW || h1_conn_tx_until_close(e->conn))
        edge_abort(e);
    else
        edge_finish(e, EDGE_LINGER_MS, EDGE_LINGER_BYTES);
}

/* Rule W8: what of a frame has not left is cut; a frame that has left in part cannot be followed by
 * another. */
static void on_restart(void *owner, const struct ws_frames *frames)
{
    struct edge *e = owner;
    char close_frame[WS_CLOSE_MAX];
    e->exchange = NULL;
    if (!frames->broken && !frames->close_seen &&
        sock_unsend(h1_conn_sock(e->conn), frames->tail)) {
        size_t len = ws_close_frame(WS_SERVICE_RESTART, SLICE("tunnel restarting"), close_frame);
        h1_conn_write_raw(e->conn, slice_make(close_frame, len));
    }
    edge_finish(e, CLOSE_HANDSHAKE_MS, SIZE_MAX);
}

static void on_end(void *owner)
{
    struct edge *e = owner;
    e->exchange = NULL;
    if (!h1_conn_rx_done(e->conn))
        edge_finish(e, EDGE_LINGER_MS, EDGE_LINGER_BYTES);
    else
        sock_count_tail(h1_conn_sock(e->conn), &e->worker->evictor.tails);
}

static const struct exchange_owner owner_ops = {
    .on_response = on_response,
    .on_upgraded = on_upgraded,
    .on_failure = on_failure,
    .on_broken = on_broken,
    .on_restart = on_restart,
    .on_end = on_end,
};

/* ---- what the connection and the clock tell */

/* A link's head has less time than a viewer's (http-rules.md#viewers): a look at what there is of
 * it when that is over tells which it is, by the request line alone. */
static void on_head_begin(void *user)
{
    struct edge *e = user;
    const struct config *c = edge_server(e)->config;
    bool viewers_have_more = c->attach_timeout_ms < c->head_timeout_ms;
    e->state = EDGE_HEAD;
    e->head_looked_at = !viewers_have_more;
    timer_arm(&e->timer, viewers_have_more ? c->attach_timeout_ms : c->head_timeout_ms);
}

/* true: it has some time left. */
static bool is_viewers_head(struct edge *e)
{
    const struct config *c = edge_server(e)->config;
    if (e->head_looked_at || slice_starts(h1_conn_head_so_far(e->conn), SLICE("GET /tunnel/")))
        return false;
    e->head_looked_at = true;
    timer_arm(&e->timer, c->head_timeout_ms - c->attach_timeout_ms);
    return true;
}

/* A viewer that asks and asks and takes no answer is not read from. */
static void next_request(struct edge *e)
{
    if (sock_queued(h1_conn_sock(e->conn)) < ANSWERS_HIGH)
        h1_conn_next(e->conn);
}

static void on_done(void *user)
{
    struct edge *e = user;
    if (e->state == EDGE_RAW || e->close_after || h1_conn_tx_close(e->conn) ||
        edge_server(e)->draining) {
        edge_finish(e, EDGE_LINGER_MS, EDGE_LINGER_BYTES);
        return;
    }
    e->state = EDGE_IDLE;
    timer_arm(&e->timer, edge_server(e)->config->viewer_keepalive_ms);
    next_request(e);
}

static void on_sent(void *user)
{
    struct edge *e = user;
    if (e->state == EDGE_IDLE && h1_conn_tx_done(e->conn))
        next_request(e);
}

static bool failure_of(int err, enum failure *why)
{
    static const struct {
        int err;
        enum failure why;
    } table[] = {
        {ERR_SYNTAX, FAIL_BAD_REQUEST},
        {ERR_LIMIT, FAIL_HEAD_TOO_LARGE},
        {ERR_URI_TOO_LONG, FAIL_URI_TOO_LONG},
        {ERR_VERSION, FAIL_VERSION},
        {ERR_CODING, FAIL_CODING},
        {ERR_UNSUPPORTED, FAIL_METHOD},
    };
    for (size_t i = 0; i < sizeof table / sizeof *table; i++)
        if (table[i].err == err) {
            *why = table[i].why;
            return true;
        }
    return false;
}

/* The head was malformed: nothing of it is to be believed but the peer's address. */
static void forget_request(struct edge *e)
{
    static const struct fields none;
    if (e->state == EDGE_BUSY)
        return;
    trust_viewer(edge_server(e)->trust, &e->peer, &none, &e->viewer);
    e->accept = SLICE("");
    e->asked = (struct access_request){.minor_version = 1};
    e->to_head = e->keep_alive = e->responding = false;
    e->head_us = loop_now_us(e->worker->loop);
}

static void on_error(void *user, int err, const char *reason)
{
    struct edge *e = user;
    enum failure why;
    e->exchange = NULL; /* its leg's on_reset came first */
    forget_request(e);
    if (err == ERR_CLOSED || err == ERR_STALLED)
        edge_abort(e);
    else if (!e->responding && failure_of(err, &why))
        edge_bad_request(e, why, reason);
    else if (e->state == EDGE_IDLE || e->state == EDGE_HEAD ||
             (err == ERR_EOF && e->responding && h1_conn_tx_done(e->conn)))
        edge_finish(e, EDGE_LINGER_MS,
                    EDGE_LINGER_BYTES); /* it said all it had to say, and still listens */
    else
        edge_close(e);
}

/* A slow reader is not idle; one that takes nothing is. */
static bool still_reads(const struct edge *e)
{
    uint64_t quiet_us = loop_now_us(e->worker->loop) - h1_conn_last_io_us(e->conn);
    return sock_queued(h1_conn_sock(e->conn)) > 0 &&
           quiet_us < edge_server(e)->config->idle_timeout_ms * 1000;
}

static void on_timer(void *user)
{
    struct edge *e = user;
    if (e->state == EDGE_HEAD && !is_viewers_head(e)) {
        forget_request(e);
        edge_bad_request(e, FAIL_REQUEST_TIMEOUT, "head incomplete");
    } else if (e->state == EDGE_IDLE && still_reads(e)) {
        timer_arm(&e->timer, edge_server(e)->config->viewer_keepalive_ms);
    } else if (e->state == EDGE_IDLE) {
        edge_close(e);
    }
}

static const struct h1_conn_ops conn_ops = {
    .on_head_begin = on_head_begin,
    .on_head = on_head,
    .on_done = on_done,
    .on_sent = on_sent,
    .on_error = on_error,
};

/* ---- from outside */

void edge_new(struct worker *w, struct sock *sock)
{
    struct edge *e = xcalloc(1, sizeof *e);
    e->worker = w;
    trust_peer(w->server->trust, sock_peer(sock), sock_is_tls(sock), &e->peer);
    e->conn = h1_conn_new(w->loop, sock, H1_SERVER, &h1_default_limits, EDGE_WINDOW, &conn_ops, e);
    timer_init(&e->timer, w->loop, on_timer, e);
    timer_arm(&e->timer, w->server->config->head_timeout_ms);
    list_push(&w->edges, &e->node);
    sock_count_tail(sock, &w->evictor.tails); /* from another worker: of an answer before */
    stat_add(&w->stats.edges_open, 1);
}

bool edge_is_busy(struct list_node *node)
{
    const struct edge *e = CONTAINER_OF(node, struct edge, node);
    return e->state == EDGE_BUSY;
}

void edge_drain(struct list_node *node)
{
    struct edge *e = CONTAINER_OF(node, struct edge, node);
    if (alive(e) && e->state == EDGE_IDLE)
        edge_finish(e, EDGE_LINGER_MS, EDGE_LINGER_BYTES);
}

void edge_stop(struct list_node *node)
{
    struct edge *e = CONTAINER_OF(node, struct edge, node);
    if (!alive(e))
        return;
    if (e->exchange)
        exchange_stop(e->exchange);
    if (alive(e))
        edge_close(e);
}
