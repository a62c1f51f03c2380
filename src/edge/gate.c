/* SPDX-License-Identifier: MIT */
/* gate.c - tells TLS from plain HTTP by the first byte, which stays unread; see gate.h. */
#include "src/edge/gate.h"

#include <stdlib.h>

#include "h2mux/base/check.h"
#include "h2mux/base/log.h"
#include "src/edge/edge_h1.h"
#include "src/edge/entry.h"
#include "src/edge/footprint.h"

enum {
    TLS_HANDSHAKE_RECORD = 0x16,
    LINGER_MS = 1000, /* for a peer to read the alert before the connection is gone */
    LINGER_BYTES_MAX = 65536
};

struct gate {
    struct list_node node; /* in worker->gates */
    struct worker *worker; /* borrowed: outlives its gates */
    struct sock *sock;     /* owned until passed on */
    struct entry entry;    /* counts its descriptor */
    struct seat handshake; /* in server->handshakes, once the handshake has begun */
    bool counted;          /* the memory of the handshake counts in the budget */
    struct timer timer;
    struct reap reap;
};

/* Checks that the gate still has its sock and is on its worker's list. */
static void gate_check(const struct gate *g)
{
    worker_check(g->worker);
    CHECK_THAT(g->sock && list_linked(&g->node));
}

static void gate_free(void *object)
{
    free(object);
}

/* Counts the memory of a handshake in the budget, or counts it no more. */
static void count(struct gate *g, bool begins)
{
    g->counted = begins;
    budget_add_fixed(&g->worker->evictor.share,
                     begins ? FOOTPRINT_HANDSHAKE : -(int64_t)FOOTPRINT_HANDSHAKE);
    evictor_changed(&g->worker->evictor);
}

/* Ends the gate and returns its sock. */
static struct sock *gate_leave(struct gate *g)
{
    struct sock *sock = g->sock;
    if (CHECKING)
        gate_check(g);
    g->sock = NULL;
    if (g->counted)
        count(g, false);
    commons_give(g->worker->server->handshakes, &g->handshake);
    entry_give(&g->entry);
    timer_stop(&g->timer);
    list_remove(&g->node);
    loop_reap(g->worker->loop, &g->reap, gate_free, g);
    return sock;
}

static void drop(struct gate *g, const char *reason)
{
    char peer[INET6_ADDRSTRLEN];
    sock_address_text(sock_peer(g->sock), false, peer, sizeof peer);
    LOG(DEBUG, "connection_dropped", LOG_STR("viewer", peer), LOG_STR("reason", reason));
    sock_close(gate_leave(g));
}

static void pass(void *user)
{
    struct gate *g = user;
    struct worker *w = g->worker;
    struct sock *sock = gate_leave(g);
    struct peer peer;
    trust_peer(w->server->trust, sock_peer(sock), sock_is_tls(sock), &peer);
    edge_h1_new(w, sock, &peer);
}

void gate_evict(struct seat *handshake)
{
    struct gate *g = CONTAINER_OF(handshake, struct gate, handshake);
    uint64_t suppressed;
    if (log_limit_pass(&g->worker->handshake_log, loop_now_us(g->worker->loop), &suppressed)) {
        char peer[INET6_ADDRSTRLEN];
        sock_address_text(sock_peer(g->sock), false, peer, sizeof peer);
        LOG(WARN, "handshake_evicted", LOG_STR("viewer", peer), LOG_U("suppressed", suppressed));
    }
    drop(g, "too many handshakes");
}

/* Takes a place for the handshake, which may be given up from then on. A peer that is nobody needs
 * none, since a proxy makes the handshakes of many viewers. Any other peer gets one, since the
 * greediest always has a place to give up. */
static bool may_begin(struct gate *g)
{
    struct server *s = g->worker->server;
    struct who who = who_of_peer(s->trust, sock_peer(g->sock));
    return who.depth == 0 || commons_take(s->handshakes, g->worker, &who, &g->handshake, true);
}

/* Tells a peer that begins TLS with a server that has no certificate by the alert handshake_failure
 * (RFC 8446 6.2), and the operator by a line of the log. */
static void refuse_tls(struct gate *g)
{
    static const char alert[] = "\x15\x03\x01\x00\x02\x02\x28"; /* fatal, 40 */
    uint64_t suppressed;
    if (log_limit_pass(&g->worker->no_tls_log, loop_now_us(g->worker->loop), &suppressed)) {
        char peer[INET6_ADDRSTRLEN];
        sock_address_text(sock_peer(g->sock), false, peer, sizeof peer);
        LOG(WARN, "tls_refused", LOG_STR("viewer", peer),
            LOG_STR("reason", "this server has no certificate"), LOG_U("suppressed", suppressed));
    }
    sock_write(g->sock, slice_make(alert, sizeof alert - 1));
    sock_finish(gate_leave(g), LINGER_MS, LINGER_BYTES_MAX);
}

static void start_tls(struct gate *g)
{
    struct server *s = g->worker->server;
    if (!s->tls) {
        refuse_tls(g);
        return;
    }
    if (!may_begin(g)) {
        drop(g, "too many handshakes");
        return;
    }
    timer_arm(&g->timer, s->config->timeouts.attach_ms);
    count(g, true);
    if (sock_start_tls(g->sock, s->tls, NULL) < 0)
        drop(g, "TLS cannot start");
}

static void on_readable(void *user)
{
    struct gate *g = user;
    struct slice first;
    if (sock_is_tls(g->sock))
        return; /* on_open follows */
    int err = sock_peek(g->sock, &first);
    if (err == ERR_AGAIN)
        return;
    if (err < 0)
        drop(g, err_text(err));
    else if ((unsigned char)first.ptr[0] == TLS_HANDSHAKE_RECORD)
        start_tls(g);
    else
        pass(g);
}

static void on_error(void *user, int err, const char *reason)
{
    drop(user, reason);
}

static void on_timer(void *user)
{
    drop(user, "nothing came");
}

static const struct sock_ops gate_ops = {
    .on_open = pass, .on_readable = on_readable, .on_error = on_error};

/* Closes a connection that has not sent a request yet, since another one needs its descriptor. */
static void evict(struct entry *e)
{
    drop(CONTAINER_OF(e, struct gate, entry), "too many connections");
}

bool gate_new(struct worker *w, int fd, const struct sockaddr_storage *peer)
{
    struct gate *g = xcalloc(1, sizeof *g);
    if (!entry_take(&g->entry, w, peer, evict)) {
        free(g);
        return false;
    }
    g->worker = w;
    g->sock = sock_accepted(w->loop, fd, peer);
    sock_watch_peer(g->sock, w->server->config->timeouts.peer_ms);
    timer_init(&g->timer, w->loop, on_timer, g);
    timer_arm(&g->timer, w->server->config->timeouts.head_ms);
    list_push(&w->gates, &g->node);
    sock_set_ops(g->sock, &gate_ops, g);
    if (CHECKING)
        gate_check(g);
    return true;
}

void gate_stop(struct list_node *node)
{
    drop(CONTAINER_OF(node, struct gate, node), "server stops");
}
