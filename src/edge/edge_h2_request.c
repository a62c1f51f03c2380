/* SPDX-License-Identifier: MIT */
/* edge_h2_request.c - makes a request of a stream's head, and ends the stream as the end of the
 * request asks; see edge_h2.h. */
#include "src/edge/edge_h2_int.h"

#include "h2mux/base/check.h"
#include "h2mux/base/pool.h"
#include "h2mux/http/h1.h"
#include "h2mux/http/request_head.h"
#include "src/edge/badge.h"
#include "src/edge/footprint.h"

static struct edge_h2_request *of_node(struct list_node *node)
{
    return CONTAINER_OF(node, struct edge_h2_request, node);
}

/* ---- the end */

static void request_free(void *object)
{
    struct edge_h2_request *q = object;
    request_deinit(&q->request);
    message_deinit(&q->head);
    pool_give(q, sizeof *q);
}

/* Counts what the request holds in the memory budget. */
static void count(struct edge_h2_request *q, int64_t bytes)
{
    struct evictor *evictor = &q->edge->worker->evictor;
    budget_add_fixed(&evictor->share, bytes - q->held);
    q->held = bytes;
    evictor_changed(evictor);
}

static void forget(struct edge_h2_request *q)
{
    struct edge_h2 *e = q->edge;
    if (!list_linked(&q->node))
        return;
    list_remove(&q->node);
    count(q, 0);
    loop_reap(e->worker->loop, &q->reap, request_free, q);
    edge_h2_rest(e);
}

static void reset(struct leg *leg, int err, uint32_t code)
{
    struct leg_fault why = {.err = err, .h2_code = code};
    leg->ops->reset(leg, &why);
}

/* ---- what a request asks of its stream */

static bool is_whole(const void *conn)
{
    return h2_leg_is_whole(((const struct edge_h2_request *)conn)->leg);
}

/* A WebSocket has a connection of its own, by HTTP/1.1 (rule E7). */
static void upgraded(void *conn)
{
    (void)conn;
    CHECK_THAT(false);
}

/* Ends the stream as the end @how of its request asks. A complete answer to a request that was not
 * read to its end is followed by RST_STREAM(NO_ERROR), which the stream itself sends (rule E5). */
static void over(void *conn, enum request_end how, const struct ws_frames *frames)
{
    struct edge_h2_request *q = conn;
    switch (how) {
    case REQUEST_ANSWERED:
    case REQUEST_CLOSE:
        h2_leg_count_tail(q->leg);
        break;
    case REQUEST_BROKEN:
    case REQUEST_RESTART:
    case REQUEST_REFUSED:
        reset(q->leg, ERR_CLOSED, H2_INTERNAL_ERROR);
        break;
    case REQUEST_STALLED:
        reset(q->leg, ERR_STALLED, H2_CANCEL);
        break;
    case REQUEST_BY_HTTP1:
        reset(q->leg, ERR_CLOSED, H2_HTTP_1_1_REQUIRED);
        break;
    case REQUEST_GONE:
        break;
    }
    forget(q);
}

static const struct request_host request_host = {
    .is_whole = is_whole,
    .upgraded = upgraded,
    .over = over,
    .release = NULL,
};

/* ---- a new request */

/* Refuses a request for a name of another worker (rule E9). A viewer who asked for this very name
 * when it connected has to connect again, since the name has moved; any other is sent to a
 * connection for that name. */
static void misdirect(struct edge_h2_request *q, const struct call *c)
{
    struct edge_h2 *e = q->edge;
    if (slice_eq(slice_str(c->route.name), slice_str(e->name))) {
        stat_add(&e->worker->stats.misdirected, 1);
        edge_h2_leave(e, SLICE("moved"));
        reset(q->leg, ERR_CLOSED, H2_REFUSED_STREAM);
        forget(q);
        return;
    }
    request_refuse_misdirected(&q->request);
}

/* Returns whether another worker has the name of the call. */
static bool is_elsewhere(const struct edge_h2 *e, struct call *c)
{
    struct server *s = e->worker->server;
    struct call_judge judge = server_judge(s);
    int home = s->n_workers > 1 ? call_home(c, &judge, s->directory) : DIRECTORY_NOBODY;
    return home != DIRECTORY_NOBODY && home != (int)e->worker->index;
}

/* Returns whether there is a place for a request of a tunnel: a descriptor, and memory. */
static bool enters(struct edge_h2 *e, size_t head_bytes)
{
    return entry_pass_door(&e->entry, sock_peer(h2_session_sock(e->session))) &&
           footprint_admits(e->worker, head_bytes);
}

static size_t bytes_of(const struct message *m)
{
    return m->fields.bytes + m->authority.len + m->path.len;
}

static void serve(struct edge_h2_request *q)
{
    struct edge_h2 *e = q->edge;
    struct sock *sock = h2_session_sock(e->session);
    struct message *m = &q->head;
    struct call call;
    call_init(&call, slice_str(e->worker->server->config->domain), e->worker->server->directory, m);
    request_begin(&q->request, m, true);
    if (is_elsewhere(e, &call)) {
        misdirect(q, &call);
        return;
    }
    if (m->path.len > h1_default_limits.target) {
        request_refuse_malformed(&q->request, FAIL_URI_TOO_LONG, "path too long");
        return;
    }
    if (call.route.kind != ROUTE_BASE && !enters(e, bytes_of(m))) {
        request_refuse_busy(&q->request);
        return;
    }
    badge_find(&call, e->worker, &q->request.viewer, sock);
    request_serve(&q->request, &call, m, bytes_of(m));
}

void edge_h2_serve(struct edge_h2 *e, struct leg *leg, struct message *m)
{
    const char *reason = "";
    if (e->worker->server->draining) { /* it has crossed the notice: the viewer asks again */
        reset(leg, ERR_CLOSED, H2_REFUSED_STREAM);
        return;
    }
    bool connect = slice_eq(m->method, SLICE("CONNECT")), cut = h2_leg_is_cut(leg);
    if (!connect && !cut && request_head_judge(m, &reason) < 0) {
        edge_h2_note_malformed(e, reason);
        reset(leg, ERR_PROTOCOL, H2_PROTOCOL_ERROR);
        return;
    }
    struct edge_h2_request *q = pool_take_zeroed(sizeof *q);
    q->edge = e;
    q->leg = leg;
    q->head = *m;
    message_init(m);
    list_push(&e->requests, &q->node);
    count(q, (int64_t)(sizeof *q + bytes_of(&q->head)));
    request_init(&q->request, e->worker, leg, &e->peer, &request_host, q);
    q->request.beside = &e->exchanges;
    if (!connect && !cut) {
        serve(q);
        return;
    }
    request_begin(&q->request, &q->head, true);
    if (cut)
        request_refuse_malformed(&q->request, FAIL_HEAD_TOO_LARGE, "header list too large");
    else
        request_refuse_method(&q->request);
}

void edge_h2_stop_request(struct list_node *node)
{
    request_stop(&of_node(node)->request);
}
