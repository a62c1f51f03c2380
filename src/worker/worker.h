/* SPDX-License-Identifier: MIT */
/* worker.h - one thread with one event loop and all that lives on it, and what its process shares.
 * Only its own thread touches a worker; others post to its mailbox. */
#ifndef SRC_WORKER_WORKER_H
#define SRC_WORKER_WORKER_H

#include <pthread.h>
#include <stdatomic.h>

#include "h2mux/io/budget.h"
#include "h2mux/io/loop.h"
#include "h2mux/io/tls.h"
#include "src/http/trust.h"
#include "src/worker/config.h"

struct abuse;
struct buckets;
struct handshakes;
struct quota;
struct keyring;
struct registry;
struct directory;
struct mailbox;
struct drain;
struct log_file;
struct names_file;
struct worker;

/* Made by main before the threads start, immutable afterwards but for what locks itself or is
 * atomic. */
struct server {
    const struct config *config; /* borrowed from main */
    struct keyring *keyring;     /* owned by main, like all below */
    struct directory *directory; /* shared; locks itself */
    struct trust *trust;
    struct handshakes *handshakes; /* locks itself */
    struct quota *quota;           /* likewise */
    struct tls *tls;               /* NULL: no certificate, plain only */
    struct log_file *access_log;   /* NULL: off; locks itself */
    struct names_file *names_file; /* worker 0's */
    struct worker **workers;       /* n_workers of them */
    unsigned n_workers;
    char node[24]; /* "oneport-" + 8 hex digits: our name in Via */
    uint64_t started_us;
    struct memory memory;     /* what all links hold; atomic */
    _Atomic bool draining;    /* SIGTERM came */
    _Atomic unsigned running; /* workers whose loop has not ended */
};

struct counter {
    _Atomic uint64_t value;
};

/* Written by their worker alone, summed over the workers when read; a metric file takes its place
 * later. */
struct worker_stats {
    struct counter requests, websockets, bad_requests, register_calls, handoffs;
    struct counter streams_evicted; /* memory was short and their viewers took nothing */
    struct counter edges_open, links_open, exchanges_open, websockets_open;
    struct counter rx_bytes, tx_bytes; /* bodies, as viewers see them */
};

/* One writer, so no locked instruction is needed; readers may be a moment behind. */
static inline void stat_add(struct counter *c, int64_t n)
{
    atomic_store_explicit(&c->value,
                          atomic_load_explicit(&c->value, memory_order_relaxed) + (uint64_t)n,
                          memory_order_relaxed);
}

static inline uint64_t stat_get(const struct counter *c)
{
    return atomic_load_explicit(&c->value, memory_order_relaxed);
}

enum { WORKER_EXCHANGE_EVENTS = 6 };

struct worker {
    struct loop *loop; /* owned, like the four below */
    struct mailbox *mailbox;
    struct registry *registry; /* the names that are here */
    struct abuse *abuse;       /* viewers that ask and leave */
    struct buckets *requests;  /* of --viewer-rate; NULL: no limit */
    struct memory_share memory;
    struct drain *drain;
    struct server *server; /* borrowed: outlives its workers */
    unsigned index;
    bool stopped; /* everything was ended: nothing new may begin */
    pthread_t thread;
    struct list_node listeners, gates, edges, links, exchanges;
    struct log_limit no_tunnel_log, bad_request_log; /* events that a stranger can repeat at will */
    struct log_limit evicted_log, handshake_log, quota_log;
    struct log_limit exchange_log[WORKER_EXCHANGE_EVENTS]; /* likewise, by enum exchange_event */
    struct worker_stats stats;
};

struct worker *worker_new(struct server *s, unsigned index) MUSTCHECK; /* NULL: errno says why */
int worker_start(struct worker *w) MUSTCHECK; /* on a thread of its own; ERR_LIMIT */
void worker_join(struct worker *w);
void worker_run(struct worker *w); /* on the caller's */
void worker_stop_listening(struct worker *w);
void worker_drain(struct worker *w); /* no new connections, idle ones closed, GOAWAY on each link */
bool worker_is_answering(
    const struct worker *w); /* ordinary exchanges run, or what they answered is still being sent */
void worker_stop(struct worker *w); /* everything ends: WebSockets by 1012, the rest cut */
/* A count, and a line a second at most: memory was short, and a viewer of @name took nothing. */
void worker_note_evicted(struct worker *w, const char *name, uint64_t stalled_ms, uint64_t bytes);
void worker_free(struct worker *w); /* stopped and its loop no longer running */

#endif
