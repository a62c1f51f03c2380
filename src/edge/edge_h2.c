/* SPDX-License-Identifier: MIT */
/* edge_h2.c - makes an HTTP/2 connection of a viewer, and ends it; see edge_h2.h. edge_h2_request.c
 * serves what comes on its streams. */
#include "src/edge/edge_h2_int.h"

#include <stdlib.h>

#include "h2mux/base/check.h"
#include "src/http/route.h"

enum {
    PING_TIMEOUT_MS = 30000,
    BUFFER_LIMIT = 4 * 1024 * 1024, /* what its uploads may hold */
    EDGE_MEMORY = 32 * 1024,        /* of a session and its TLS, without heads and bodies */
    SHORT_ANSWER = 4096,            /* bytes that leave with the end of the turn */
    LOOK_AGAIN_MS = 1000            /* while the end of an answer waits in the sock */
};

static const struct config *config_of(const struct edge_h2 *e)
{
    return e->worker->server->config;
}

static bool is_over(const struct edge_h2 *e)
{
    return !e->session;
}

/* Checks the invariants that hold while no function of this file runs. */
static void edge_h2_check(const struct edge_h2 *e)
{
    worker_check(e->worker);
    CHECK_THAT(!is_over(e) == list_linked(&e->node));
    CHECK_THAT(!is_over(e) || list_empty(&e->requests));
    CHECK_THAT(!is_over(e) || list_empty(&e->exchanges));
    CHECK_THAT(timer_armed(&e->timer) == (!is_over(e) && list_empty(&e->requests)));
}

/* ---- the end */

static void edge_free(void *object)
{
    free(object);
}

/* Takes the connection off its worker. Its session has ended or was closed, and has told every
 * request. */
static void forget(struct edge_h2 *e)
{
    if (is_over(e))
        return;
    e->session = NULL;
    entry_give(&e->entry);
    timer_stop(&e->timer);
    list_remove(&e->node);
    stat_add(&e->worker->stats.edges_open, -1);
    budget_add_fixed(&e->worker->evictor.share, -(int64_t)EDGE_MEMORY);
    evictor_changed(&e->worker->evictor);
    if (CHECKING)
        edge_h2_check(e);
    loop_reap(e->worker->loop, &e->reap, edge_free, e);
}

static void close_now(struct edge_h2 *e)
{
    h2_session_close(e->session, H2_NO_ERROR);
    forget(e);
}

void edge_h2_leave(struct edge_h2 *e, struct slice why)
{
    h2_session_goaway(e->session, why);
}

/* ---- idle */

/* Returns whether all that was answered has left, or leaves with the end of the turn. */
static bool is_quiet(const struct edge_h2 *e)
{
    return h2_session_open_streams(e->session) == 0 &&
           sock_queued(h2_session_sock(e->session)) <= SHORT_ANSWER;
}

void edge_h2_rest(struct edge_h2 *e)
{
    if (is_over(e) || !list_empty(&e->requests))
        return;
    timer_arm(&e->timer, e->used ? config_of(e)->timeouts.viewer_keepalive_ms
                                 : config_of(e)->timeouts.head_ms);
}

/* Lets the connection be ended for another one, since its last stream has closed. */
static void on_idle(void *user)
{
    struct edge_h2 *e = user;
    if (!list_empty(&e->requests))
        return;
    if (e->entry.at_door)
        edge_h2_leave(e, SLICE("busy"));
    entry_set_idle(&e->entry, is_quiet(e));
}

/* Ends a connection that nobody uses. A viewer that still reads its answers, however slowly, keeps
 * it: the tail of each answer has a time of its own (h2_options.tail_ms), and what waits in the
 * sock has that of TCP. */
static void on_timer(void *user)
{
    struct edge_h2 *e = user;
    uint64_t quiet_us = loop_now_us(e->worker->loop) - h2_session_last_rx_us(e->session);
    if (is_quiet(e) || quiet_us >= config_of(e)->timeouts.idle_ms * 1000)
        close_now(e);
    else
        timer_arm(&e->timer, LOOK_AGAIN_MS);
}

/* Closes a connection that waits for a request, since another one needs its descriptor. */
static void evict(struct entry *entry)
{
    struct edge_h2 *e = CONTAINER_OF(entry, struct edge_h2, entry);
    if (list_empty(&e->requests))
        close_now(e);
    else
        entry_keep(entry, e->worker, sock_peer(h2_session_sock(e->session)), evict);
}

/* ---- what the session tells */

static void on_up(void *user)
{
    (void)user; /* requests may have come before */
}

static void on_stream(void *user, struct leg *leg, struct message *m, bool end)
{
    struct edge_h2 *e = user;
    e->used = true;
    timer_rest(&e->timer);
    entry_set_idle(&e->entry, false);
    edge_h2_serve(e, leg, m);
    edge_h2_rest(e);
}

void edge_h2_note_malformed(struct edge_h2 *e, const char *reason)
{
    request_note_malformed(e->worker, reason, 0, e->peer.local ? "unix" : e->peer.address);
}

static void on_malformed(void *user, const struct message *m, const char *reason)
{
    edge_h2_note_malformed(user, reason);
}

static void on_goaway(void *user, struct slice debug)
{
    (void)user, (void)debug; /* the viewer opens no more streams: its connection becomes idle */
}

static void on_evicted(void *user, uint64_t stalled_ms, uint64_t bytes)
{
    struct edge_h2 *e = user;
    worker_note_evicted(e->worker, "-", stalled_ms, bytes);
}

static void on_closed(void *user, int err, const char *reason)
{
    struct edge_h2 *e = user;
    if (err == ERR_ABUSE || err == ERR_PROTOCOL)
        edge_h2_note_malformed(e, reason);
    forget(e);
}

static const struct h2_session_ops session_ops = {
    .on_up = on_up,
    .on_stream = on_stream,
    .on_malformed = on_malformed,
    .on_goaway = on_goaway,
    .on_idle = on_idle,
    .on_evicted = on_evicted,
    .on_closed = on_closed,
};

/* ---- from outside */

/* Writes the name of the tunnel that the viewer has asked for by SNI into @name, or an empty text.
 */
static void name_of(const struct worker *w, const struct sock *sock,
                    char name[static NAME_MAX_LEN + 1])
{
    call_route_host(slice_str(w->server->config->domain), w->server->directory, sock_tls_name(sock),
                    name);
}

void edge_h2_new(struct worker *w, struct sock *sock, const struct peer *peer)
{
    const struct config *c = w->server->config;
    struct h2_options o = {
        .max_streams = (uint32_t)c->limits.viewer_streams,
        .stranger = true,
        .ping_timeout_ms = PING_TIMEOUT_MS,
        .settings_timeout_ms = c->timeouts.head_ms,
        .buffer_limit = BUFFER_LIMIT,
        .evictor = &w->evictor,
        .stall_ms = c->timeouts.stall_ms,
        .tail_ms = c->timeouts.idle_ms,
    };
    struct edge_h2 *e = xcalloc(1, sizeof *e);
    e->worker = w;
    e->peer = *peer;
    list_init(&e->requests);
    list_init(&e->exchanges);
    timer_init(&e->timer, w->loop, on_timer, e);
    name_of(w, sock, e->name);
    list_push(&w->h2_edges, &e->node);
    entry_keep(&e->entry, w, sock_peer(sock), evict);
    entry_set_idle(&e->entry, true);
    stat_add(&w->stats.edges_open, 1);
    budget_add_fixed(&w->evictor.share, EDGE_MEMORY);
    e->session = h2_session_new(w->loop, sock, H2_SERVER, &o, &session_ops, e);
    if (w->server->n_workers > 1)
        h2_session_confine(e->session);
    edge_h2_rest(e);
    if (w->server->draining)
        edge_h2_leave(e, SLICE("draining"));
    if (CHECKING)
        edge_h2_check(e);
}

bool edge_h2_is_busy(const struct list_node *node)
{
    const struct edge_h2 *e = CONST_CONTAINER_OF(node, struct edge_h2, node);
    return !list_empty(&e->requests) || h2_session_open_streams(e->session) > 0;
}

void edge_h2_drain(struct list_node *node)
{
    edge_h2_leave(CONTAINER_OF(node, struct edge_h2, node), SLICE("draining"));
}

void edge_h2_stop(struct list_node *node)
{
    struct edge_h2 *e = CONTAINER_OF(node, struct edge_h2, node);
    LIST_FOREACH (it, &e->requests)
        edge_h2_stop_request(it);
    if (!is_over(e))
        close_now(e);
}
