/* SPDX-License-Identifier: MIT */
/* gate.c - tells TLS from plain HTTP by the first byte, and reads the hello of TLS; see gate.h. */
#include "src/edge/gate.h"

#include <stdlib.h>

#include "h2mux/base/check.h"
#include "h2mux/base/log.h"
#include "h2mux/io/client_hello.h"
#include "src/edge/edge_h1.h"
#include "src/edge/edge_h2.h"
#include "src/edge/entry.h"
#include "src/edge/footprint.h"
#include "src/http/proxy_header.h"
#include "src/names/call.h"
#include "src/worker/handoff.h"

enum {
    TLS_HANDSHAKE_RECORD = 0x16,
    ALERT_RECORD = 0x15,
    ALERT_FATAL = 2,
    HANDSHAKE_FAILURE = 40,
    DECODE_ERROR = 50,
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
    bool redirects;        /* of struct peer */
    bool awaits_header;    /* a header of the PROXY protocol comes first */
    bool relayed;          /* of struct peer: that header has come */
    bool moved;            /* it comes from another worker's gate, and stays here */
    size_t seen;           /* bytes of an incomplete hello, which stay unread */
    struct client_hello_reader reader;
    struct client_hello hello; /* zeroed until it is whole, and without TLS */
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

/* Makes of the connection what its protocol asks for: sock_protocol says what ALPN has agreed on,
 * and `hello` what was offered. */
static void pass(void *user)
{
    struct gate *g = user;
    struct worker *w = g->worker;
    bool redirects = g->redirects, relayed = g->relayed;
    struct sock *sock = gate_leave(g);
    struct peer peer;
    trust_peer(w->server->trust, sock_peer(sock), sock_is_tls(sock), &peer);
    peer.redirects = redirects;
    peer.relayed = relayed;
    if (slice_eq(sock_protocol(sock), SLICE("h2")))
        edge_h2_new(w, sock, &peer);
    else
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

/* Sends the fatal alert @number (RFC 8446 6.2) and closes the connection. */
static void alert(struct gate *g, char number)
{
    const char record[] = {ALERT_RECORD, 3, 1, 0, 2, ALERT_FATAL, number};
    sock_write(g->sock, slice_make(record, sizeof record));
    sock_finish(gate_leave(g), LINGER_MS, LINGER_BYTES_MAX);
}

/* Tells a peer that begins TLS with a server that has no certificate by an alert, and the operator
 * by a line of the log. */
static void refuse_tls(struct gate *g)
{
    uint64_t suppressed;
    if (log_limit_pass(&g->worker->no_tls_log, loop_now_us(g->worker->loop), &suppressed)) {
        char peer[INET6_ADDRSTRLEN];
        sock_address_text(sock_peer(g->sock), false, peer, sizeof peer);
        LOG(WARN, "tls_refused", LOG_STR("viewer", peer),
            LOG_STR("reason", "this server has no certificate"), LOG_U("suppressed", suppressed));
    }
    alert(g, HANDSHAKE_FAILURE);
}

/* Begins to wait for the hello of a peer, which counts as a handshake under way from its first byte
 * on. Returns false when the gate has ended. */
static bool begin_handshake(struct gate *g)
{
    struct server *s = g->worker->server;
    if (g->redirects) {
        alert(g, HANDSHAKE_FAILURE);
        return false;
    }
    if (!s->tls || !tls_server_ready(s->tls)) {
        refuse_tls(g);
        return false;
    }
    if (!may_begin(g)) {
        drop(g, "too many handshakes");
        return false;
    }
    timer_arm(&g->timer, s->config->timeouts.attach_ms);
    count(g, true);
    return true;
}

static void arrive(struct worker *w, struct sock *sock, const struct peer *peer);
static void evict(struct entry *e);

/* Moves the connection to the worker that has the name in the hello, with the bytes that nobody has
 * read. Returns false when this worker may serve it. */
static bool moved(struct gate *g)
{
    struct peer partial = {.relayed = g->relayed}; /* the next gate makes the rest */
    struct worker *w = g->worker;
    struct server *s = w->server;
    char name[NAME_MAX_LEN + 1];
    if (g->moved || s->n_workers == 1 ||
        call_route_host(slice_str(s->config->domain), s->directory, slice_str(g->hello.name),
                        name) != ROUTE_TUNNEL)
        return false;
    int home = directory_find(s->directory, slice_str(name));
    if (home == DIRECTORY_NOBODY || home == (int)w->index)
        return false;
    handoff_send(w, (unsigned)home, gate_leave(g), &partial, arrive);
    return true;
}

/* Reads the hello, and starts TLS when it is whole. TLS reads it again, and tells the peer what is
 * wrong with a malformed one. */
static void read_hello(struct gate *g, struct slice bytes)
{
    int err = client_hello_read(&g->reader, bytes, &g->hello);
    if (err == ERR_AGAIN) {
        g->seen = bytes.len;
        return;
    }
    if (err == ERR_LIMIT)
        alert(g, DECODE_ERROR);
    else if (!moved(g) &&
             sock_serve_tls(g->sock, g->worker->server->tls, slice_str(g->hello.name)) < 0)
        drop(g, "TLS cannot start");
}

/* Closes the connection of a front end that says nobody's address, and tells the operator: this or
 * the front end is misconfigured. */
static void refuse_header(struct gate *g)
{
    static const char reason[] = "no header of the PROXY protocol";
    uint64_t suppressed;
    if (worker_may_log(g->worker, WORKER_PROXY_HEADER_REFUSED, &suppressed)) {
        char peer[INET6_ADDRSTRLEN];
        sock_address_text(sock_peer(g->sock), false, peer, sizeof peer);
        LOG(WARN, "proxy_header_refused", LOG_STR("peer", peer), LOG_STR("reason", reason),
            LOG_U("suppressed", suppressed));
    }
    drop(g, reason);
}

/* Makes the connection one of the viewer @peer, as if it had come from there. Returns false when
 * there is no place for that viewer, and the gate has ended. */
static bool relay(struct gate *g, const struct sockaddr *peer)
{
    sock_set_peer(g->sock, peer);
    entry_give(&g->entry);
    if (entry_take(&g->entry, g->worker, peer, evict))
        return true;
    drop(g, "too many connections");
    return false;
}

/* Reads the header by which a front end says whose connection it is. Returns false when it is not
 * whole, or the gate has ended. */
static bool read_header(struct gate *g, struct slice bytes)
{
    struct proxy_header h;
    char skipped[PROXY_HEADER_MAX];
    int err = proxy_header_read(bytes, &h);
    if (err == ERR_AGAIN) {
        g->seen = bytes.len;
        return false;
    }
    if (err < 0 || sock_read(g->sock, skipped, h.bytes) != (ssize_t)h.bytes) {
        refuse_header(g);
        return false;
    }
    g->seen = 0;
    g->awaits_header = false;
    g->relayed = true;
    return !h.named || relay(g, (const struct sockaddr *)&h.peer);
}

static void on_readable(void *user)
{
    struct gate *g = user;
    struct slice bytes;
    if (sock_is_tls(g->sock))
        return; /* on_open follows */
    int err = sock_peek_beyond(g->sock, g->seen, &bytes);
    if (err == ERR_AGAIN)
        return;
    if (err < 0)
        drop(g, err_text(err));
    else if (g->awaits_header) {
        if (read_header(g, bytes))
            on_readable(g);
    } else if ((unsigned char)bytes.ptr[0] != TLS_HANDSHAKE_RECORD)
        pass(g);
    else if (g->counted || begin_handshake(g))
        read_hello(g, bytes);
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

/* Begins to wait for the first bytes of @sock. */
static void start(struct gate *g, struct worker *w, struct sock *sock)
{
    g->worker = w;
    g->sock = sock;
    timer_init(&g->timer, w->loop, on_timer, g);
    timer_arm(&g->timer, w->server->config->timeouts.head_ms);
    list_push(&w->gates, &g->node);
    sock_set_ops(g->sock, &gate_ops, g);
    if (CHECKING)
        gate_check(g);
}

bool gate_new(struct worker *w, int fd, const struct sockaddr *peer, bool redirects)
{
    struct gate *g = xcalloc(1, sizeof *g);
    g->redirects = redirects;
    g->awaits_header = w->server->front_ends && peer->sa_family != AF_UNIX &&
                       trust_has(w->server->front_ends, peer);
    if (!entry_take(&g->entry, w, peer, evict)) {
        free(g);
        return false;
    }
    struct sock *sock = sock_accepted(w->loop, fd, peer);
    sock_watch_peer(sock, w->server->config->timeouts.peer_ms);
    start(g, w, sock);
    return true;
}

/* Takes a connection from another worker's gate. It was let in there. */
static void arrive(struct worker *w, struct sock *sock, const struct peer *peer)
{
    struct gate *g = xcalloc(1, sizeof *g);
    g->moved = true;
    g->relayed = peer->relayed;
    entry_keep(&g->entry, w, sock_peer(sock), evict);
    entry_set_idle(&g->entry, true);
    start(g, w, sock);
}

void gate_stop(struct list_node *node)
{
    drop(CONTAINER_OF(node, struct gate, node), "server stops");
}
