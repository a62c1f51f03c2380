/* SPDX-License-Identifier: MIT */
/* edge_h1.c - reads heads in order, hands each to a request, and keeps or closes the connection as
 * the end of the request asks; see edge_h1.h for the states. h1_conn reads and writes the bytes. */
#include "src/edge/edge_h1.h"

#include <stdlib.h>

#include "h2mux/base/check.h"
#include "h2mux/http/h1_conn.h"
#include "h2mux/io/wheel.h"
#include "src/edge/badge.h"
#include "src/edge/entry.h"
#include "src/edge/footprint.h"
#include "src/edge/leap.h"
#include "src/edge/request.h"
#include "src/worker/handoff.h"

enum {
    ANSWERS_HIGH = 64 * 1024,           /* with more answer bytes queued, no request is read */
    CLOSE_HANDSHAKE_MS = 2000,          /* rule W8 */
    HALF_CLOSED_MS = 1000,              /* rule Q46: how long an answer to a viewer may rest */
    LINGER_MS = 1000,                   /* rule R18: how long a closing connection reads on */
    LINGER_BYTES_MAX = 64 * 1024 * 1024 /* rule R18: bytes that it reads in that time */
};

enum edge_state { EDGE_IDLE, EDGE_HEAD, EDGE_BUSY, EDGE_RAW, EDGE_DEAD };

struct edge_h1 {
    struct list_node node; /* in worker->edges until DEAD */
    struct worker *worker; /* borrowed: outlives its connections */
    struct h1_conn *conn;  /* owned until DEAD */
    enum edge_state state;
    bool used;           /* a head was complete */
    bool head_looked_at; /* HEAD: is_viewers_head has judged it, or need not */
    bool half_closed;    /* BUSY: the viewer has sent FIN, and the timer says when it has left */
    struct peer peer;
    struct entry entry;         /* counts its descriptor */
    struct footprint footprint; /* counts its memory */
    struct request request;     /* the one under way, or the last one */
    struct wheel_timer timer;
    struct reap reap;
};

static const struct config *config_of(const struct edge_h1 *e)
{
    return e->worker->server->config;
}

static void arm(struct edge_h1 *e, uint64_t ms)
{
    loop_arm_on_wheel(e->worker->loop, &e->timer, ms);
}

static bool is_alive(const struct edge_h1 *e)
{
    return e->state != EDGE_DEAD;
}

/* Checks the invariants that hold when a state was just entered. */
static void edge_h1_check(const struct edge_h1 *e)
{
    bool waits = e->state == EDGE_IDLE || e->state == EDGE_HEAD;
    worker_check(e->worker);
    CHECK_THAT(is_alive(e) == list_linked(&e->node));
    CHECK_THAT(e->request.conn == e);
    CHECK_THAT(waits == wheel_timer_armed(&e->timer) || (!waits && e->half_closed));
    CHECK_THAT(!e->half_closed || e->state == EDGE_BUSY);
    CHECK_THAT(!e->request.exchange || e->state == EDGE_BUSY || e->state == EDGE_RAW);
    CHECK_THAT(e->state != EDGE_RAW || e->request.kept);
    request_check(&e->request);
}

/* ---- the end */

static void edge_free(void *object)
{
    struct edge_h1 *e = object;
    request_deinit(&e->request);
    free(e);
}

/* Enters DEAD: cancels the request, and lets the loop free @e later. The caller has closed,
 * finished, aborted or released the h1_conn. */
static void forget(struct edge_h1 *e)
{
    request_cancel(&e->request);
    entry_give(&e->entry);
    footprint_set(&e->footprint, 0);
    e->state = EDGE_DEAD;
    e->half_closed = false;
    wheel_timer_stop(&e->timer);
    list_remove(&e->node);
    stat_add(&e->worker->stats.edges_open, -1);
    if (CHECKING)
        edge_h1_check(e);
    loop_reap(e->worker->loop, &e->reap, edge_free, e);
}

static void close_now(struct edge_h1 *e)
{
    h1_conn_close(e->conn);
    forget(e);
}

static void cut(struct edge_h1 *e)
{
    h1_conn_abort(e->conn);
    forget(e);
}

/* Enters DEAD. The connection closes when all queued bytes have been sent. Until then it reads and
 * drops up to @bytes, for up to @ms milliseconds, since a close with unread bytes would reset the
 * connection. */
static void finish(struct edge_h1 *e, uint64_t ms, size_t bytes)
{
    struct sock *sock = h1_conn_sock(e->conn);
    sock_count_tail(sock, &e->worker->evictor.tails);
    h1_conn_finish(e->conn, ms, bytes);
    forget(e);
    entry_finish(e->worker, sock);
}

static void linger(struct edge_h1 *e)
{
    finish(e, LINGER_MS, LINGER_BYTES_MAX);
}

/* ---- what a request asks of its connection */

static bool is_whole(const void *conn)
{
    const struct edge_h1 *e = conn;
    CHECK_THAT(is_alive(e));
    return h1_conn_rx_done(e->conn);
}

static void upgraded(void *conn)
{
    struct edge_h1 *e = conn;
    CHECK_THAT(e->state == EDGE_BUSY);
    e->state = EDGE_RAW;
    e->half_closed = false;
    wheel_timer_stop(&e->timer);
    h1_conn_lend_least(e->conn, &e->worker->windows);
    if (CHECKING)
        edge_h1_check(e);
}

/* Ends the connection so that the viewer can tell that the answer is incomplete. A FIN shows it for
 * a body with a length or with chunks (RFC 9112 8). A body that ends with the connection needs a
 * RST (rule R12). */
static void break_off(struct edge_h1 *e)
{
    if (e->state == EDGE_RAW || h1_conn_tx_until_close(e->conn))
        cut(e);
    else
        linger(e);
}

/* Sends a Close frame, 1012 (rule W8) or 1008 (P4), and closes the connection. An incomplete frame
 * is taken out of the queue first. If a part of it was sent already, no other frame can follow. */
static void end_websocket(struct edge_h1 *e, bool lost, const struct ws_frames *frames)
{
    char frame[WS_CLOSE_MAX];
    if (!frames->broken && !frames->close_seen &&
        sock_unsend(h1_conn_sock(e->conn), frames->tail)) {
        size_t len = lost ? ws_close_frame(WS_SERVICE_RESTART, SLICE("tunnel restarting"), frame)
                          : ws_close_frame(WS_POLICY_VIOLATION, SLICE("not permitted"), frame);
        h1_conn_write_raw(e->conn, slice_make(frame, len));
    }
    finish(e, CLOSE_HANDSHAKE_MS, SIZE_MAX);
}

/* Keeps, closes or cuts the connection as the end @how of its request asks. After REQUEST_ANSWERED
 * h1_conn calls on_done, and after REQUEST_GONE it calls on_error. */
static void over(void *conn, enum request_end how, const struct ws_frames *frames)
{
    struct edge_h1 *e = conn;
    CHECK_THAT(is_alive(e));
    switch (how) {
    case REQUEST_ANSWERED:
        sock_count_tail(h1_conn_sock(e->conn), &e->worker->evictor.tails);
        break;
    case REQUEST_CLOSE:
        linger(e);
        break;
    case REQUEST_BROKEN:
        break_off(e);
        break;
    case REQUEST_STALLED:
        cut(e);
        break;
    case REQUEST_RESTART:
    case REQUEST_REFUSED:
        end_websocket(e, how == REQUEST_RESTART, frames);
        break;
    case REQUEST_BY_HTTP1:
    case REQUEST_GONE:
        break;
    }
}

static struct sock *release(void *conn)
{
    struct edge_h1 *e = conn;
    struct sock *sock = h1_conn_release(e->conn);
    forget(e);
    return sock;
}

static const struct request_host request_host = {
    .is_whole = is_whole,
    .upgraded = upgraded,
    .over = over,
    .release = release,
};

/* ---- what the connection and the clock tell */

/* Enters HEAD and arms the timer. The head of an attach request has less time than the head of a
 * viewer's request (protocol.md#attach). When the shorter time is over, is_viewers_head tells the
 * two apart by the request line. */
static void on_head_begin(void *user)
{
    struct edge_h1 *e = user;
    const struct config *c = config_of(e);
    bool viewers_have_more = c->timeouts.attach_ms < c->timeouts.head_ms;
    CHECK_THAT(e->state == EDGE_IDLE);
    e->state = EDGE_HEAD;
    e->head_looked_at = !viewers_have_more;
    arm(e, viewers_have_more ? c->timeouts.attach_ms : c->timeouts.head_ms);
    if (CHECKING)
        edge_h1_check(e);
}

/* Judges an incomplete head when the time of an attach request is over. Returns true, and arms the
 * timer for the rest of a viewer's time, if it is a viewer's and was not judged before. */
static bool is_viewers_head(struct edge_h1 *e)
{
    const struct config *c = config_of(e);
    if (e->head_looked_at || slice_starts(h1_conn_head_so_far(e->conn), SLICE("GET /tunnel/")))
        return false;
    e->head_looked_at = true;
    arm(e, c->timeouts.head_ms - c->timeouts.attach_ms);
    return true;
}

/* Hands the connection to the worker that has the name of the call, which parses the request again.
 * Returns false, and does nothing, when this worker may serve the call. */
static bool moved(struct edge_h1 *e, struct call *c)
{
    struct server *s = e->worker->server;
    struct call_judge judge = server_judge(s);
    int home = s->n_workers > 1 ? call_home(c, &judge, s->directory) : DIRECTORY_NOBODY;
    if (home == DIRECTORY_NOBODY || home == (int)e->worker->index || e->peer.redirects)
        return false;
    handoff_send(e->worker, (unsigned)home, h1_conn_rewind(e->conn), &e->peer, edge_h1_new);
    forget(e);
    return true;
}

static void on_head(void *user, struct message *m, bool end)
{
    struct edge_h1 *e = user;
    struct sock *sock = h1_conn_sock(e->conn);
    struct call call;
    CHECK_THAT(e->state == EDGE_HEAD);
    e->used = true;
    call_init(&call, slice_str(config_of(e)->domain), e->worker->server->directory, m);
    if (moved(e, &call))
        return;
    e->state = EDGE_BUSY;
    if (!end)
        h1_conn_lend_window(e->conn, &e->worker->windows);
    entry_set_idle(&e->entry, false);
    bool enters = call.route.kind == ROUTE_BASE ||
                  (entry_pass_door(&e->entry, sock_peer(sock)) && footprint_lets_in(&e->footprint));
    request_begin(&e->request, m, h1_conn_keeps_alive(e->conn) && !e->entry.at_door);
    wheel_timer_stop(&e->timer);
    if (CHECKING)
        edge_h1_check(e);
    if (!enters) {
        request_refuse_busy(&e->request);
        return;
    }
    badge_find(&call, e->worker, &e->request.viewer, sock);
    request_serve(&e->request, &call, m, h1_conn_head_bytes(e->conn));
}

/* Lets the connection be ended for another one while it waits for a request and has nothing left to
 * send. */
static void note_idle(struct edge_h1 *e)
{
    bool waits = e->state == EDGE_IDLE || e->state == EDGE_HEAD;
    entry_set_idle(&e->entry, waits && sock_queued(h1_conn_sock(e->conn)) == 0);
}

/* Reads the next request, unless ANSWERS_HIGH bytes of earlier answers or more still wait to be
 * sent. */
static void next_request(struct edge_h1 *e)
{
    if (sock_queued(h1_conn_sock(e->conn)) < ANSWERS_HIGH)
        h1_conn_next(e->conn);
}

static void on_done(void *user)
{
    struct edge_h1 *e = user;
    CHECK_THAT(!e->request.exchange);
    if (e->state == EDGE_RAW || h1_conn_tx_close(e->conn) || e->worker->server->draining) {
        linger(e);
        return;
    }
    e->state = EDGE_IDLE;
    e->half_closed = false;
    arm(e, config_of(e)->timeouts.viewer_keepalive_ms);
    if (CHECKING)
        edge_h1_check(e);
    note_idle(e);
    next_request(e);
}

static void on_sent(void *user)
{
    struct edge_h1 *e = user;
    if (e->state == EDGE_IDLE)
        note_idle(e);
    if (e->state == EDGE_IDLE && h1_conn_tx_done(e->conn))
        next_request(e);
}

/* Returns whether the viewer ended its direction between two requests or after a complete answer.
 * Such a viewer may still be reading. */
static bool ended_in_order(const struct edge_h1 *e, int err)
{
    return e->state == EDGE_IDLE || e->state == EDGE_HEAD ||
           (err == ERR_EOF && e->request.responding && h1_conn_tx_done(e->conn));
}

/* Gives the connection away if what was malformed is a leap line. Returns false otherwise. */
static bool leaps(struct edge_h1 *e)
{
    if (e->used || e->state != EDGE_HEAD || !leap_is(h1_conn_head_so_far(e->conn)))
        return false;
    leap_take(e->worker, h1_conn_rewind(e->conn), &e->peer, edge_h1_new);
    forget(e);
    return true;
}

static void on_error(void *user, int err, const char *reason)
{
    struct edge_h1 *e = user;
    enum failure why;
    if (failure_of_head(err, &why) && leaps(e))
        return;
    if (e->state != EDGE_BUSY)
        request_forget(&e->request);
    if (err == ERR_CLOSED || err == ERR_STALLED || err == ERR_GONE)
        cut(e);
    else if (!e->request.responding && failure_of_head(err, &why))
        request_refuse_malformed(&e->request, why, reason);
    else if (ended_in_order(e, err))
        linger(e);
    else
        close_now(e);
}

/* Returns whether the viewer is still reading an answer, however slowly. */
static bool still_reads(const struct edge_h1 *e)
{
    uint64_t quiet_us = loop_now_us(e->worker->loop) - h1_conn_last_io_us(e->conn);
    return sock_queued(h1_conn_sock(e->conn)) > 0 &&
           quiet_us < config_of(e)->timeouts.idle_ms * 1000;
}

/* Waits for a viewer that may still read (rule Q46). A proxy's FIN says that its viewer left. */
static bool on_half_closed(void *user)
{
    struct edge_h1 *e = user;
    if (e->state != EDGE_BUSY || e->request.viewer.proxied)
        return false;
    if (!e->half_closed)
        arm(e, HALF_CLOSED_MS);
    e->half_closed = true;
    return true;
}

/* Ends a viewer that has ended its direction, when none of the answer waits for it, and nothing has
 * left for HALF_CLOSED_MS. One that is gone resets the connection as soon as bytes reach it. */
static void judge_half_closed(struct edge_h1 *e)
{
    uint64_t quiet_ms = (loop_now_us(e->worker->loop) - h1_conn_last_io_us(e->conn)) / 1000;
    if (sock_queued(h1_conn_sock(e->conn)) > 0 || quiet_ms < HALF_CLOSED_MS)
        arm(e, HALF_CLOSED_MS - quiet_ms % HALF_CLOSED_MS);
    else
        h1_conn_peer_left(e->conn);
}

static void on_timer(void *user)
{
    struct edge_h1 *e = user;
    if (e->half_closed)
        judge_half_closed(e);
    else if (e->state == EDGE_HEAD && !is_viewers_head(e)) {
        request_forget(&e->request);
        request_refuse_malformed(&e->request, FAIL_REQUEST_TIMEOUT, "head incomplete");
    } else if (e->state == EDGE_IDLE && still_reads(e)) {
        arm(e, config_of(e)->timeouts.viewer_keepalive_ms);
    } else if (e->state == EDGE_IDLE) {
        close_now(e);
    }
}

/* Refuses a head that grows while memory is spent. */
static void on_memory(void *user, size_t bytes)
{
    struct edge_h1 *e = user;
    footprint_set(&e->footprint, bytes);
    if (e->state == EDGE_HEAD && footprint_refuses(&e->footprint)) {
        request_forget(&e->request);
        request_refuse_busy(&e->request);
    }
}

static const struct h1_conn_ops conn_ops = {
    .on_head_begin = on_head_begin,
    .on_head = on_head,
    .on_half_closed = on_half_closed,
    .on_done = on_done,
    .on_sent = on_sent,
    .on_memory = on_memory,
    .on_error = on_error,
};

/* ---- from outside */

/* Ends a connection whose request takes memory and does not move, because memory is short. */
static void give_up(struct footprint *f, uint64_t stalled_ms)
{
    struct edge_h1 *e = CONTAINER_OF(f, struct edge_h1, footprint);
    worker_note_evicted(e->worker, "-", stalled_ms, f->reader.held);
    request_give_up(&e->request);
    if (is_alive(e))
        cut(e);
}

/* Closes a connection that waits for a request, since another one needs its descriptor. One that
 * has become busy meanwhile stays. */
static void evict(struct entry *entry)
{
    struct edge_h1 *e = CONTAINER_OF(entry, struct edge_h1, entry);
    if (e->state == EDGE_IDLE || e->state == EDGE_HEAD)
        close_now(e);
    else if (is_alive(e))
        entry_keep(entry, e->worker, sock_peer(h1_conn_sock(e->conn)), evict);
}

void edge_h1_new(struct worker *w, struct sock *sock, const struct peer *peer)
{
    struct edge_h1 *e = xcalloc(1, sizeof *e);
    e->worker = w;
    e->peer = *peer;
    e->conn =
        h1_conn_new(w->loop, sock, H1_SERVER, &h1_default_limits, w->windows.least, &conn_ops, e);
    footprint_init(&e->footprint, w, e->conn, give_up);
    request_init(&e->request, w, h1_conn_leg(e->conn), &e->peer, &request_host, e);
    wheel_timer_init(&e->timer, on_timer, e);
    arm(e, config_of(e)->timeouts.head_ms);
    list_push(&w->edges, &e->node);
    entry_keep(&e->entry, w, sock_peer(sock), evict);
    footprint_set(&e->footprint, sock_unread_bytes(sock));
    note_idle(e);
    /* When the connection comes from another worker, an answer may still be in its queue. */
    sock_count_tail(sock, &w->evictor.tails);
    stat_add(&w->stats.edges_open, 1);
    if (CHECKING)
        edge_h1_check(e);
}

bool edge_h1_is_busy(const struct list_node *node)
{
    return CONST_CONTAINER_OF(node, struct edge_h1, node)->state == EDGE_BUSY;
}

void edge_h1_drain(struct list_node *node)
{
    struct edge_h1 *e = CONTAINER_OF(node, struct edge_h1, node);
    if (e->state == EDGE_IDLE)
        linger(e);
}

void edge_h1_stop(struct list_node *node)
{
    struct edge_h1 *e = CONTAINER_OF(node, struct edge_h1, node);
    if (!is_alive(e))
        return;
    request_stop(&e->request);
    if (is_alive(e))
        close_now(e);
}
