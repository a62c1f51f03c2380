/* SPDX-License-Identifier: MIT */
/* worker.h - one thread with one event loop, its mailbox, its counters, and the lists of what lives
 * on it.
 *
 * Only its own thread touches a worker; other threads post to its mailbox. A worker makes nothing
 * of what lives on it: crew.c does, and walks the lists. */
#ifndef SRC_WORKER_WORKER_H
#define SRC_WORKER_WORKER_H

#include <pthread.h>

#include "h2mux/base/check.h"
#include "h2mux/h2/evict.h"
#include "h2mux/io/loop.h"
#include "src/worker/server.h"
#include "src/worker/stats.h"

struct abuse;
struct address_buckets;
struct mailbox;
struct registry;

enum { WORKER_EXCHANGE_EVENTS = 6 };

struct worker {
    struct loop *loop;       /* owned */
    struct mailbox *mailbox; /* owned */
    struct server *server;   /* borrowed: outlives its workers */
    unsigned index;
    pthread_t thread;       /* set by worker_start */
    pthread_t owner_thread; /* the one thread that may touch the worker now: worker_check */
    struct worker_stats stats;
    struct evictor evictor; /* this worker's share of server->budget */

    /* Set by the crew, which owns them. */
    struct registry *registry;        /* the names that live here */
    struct abuse *abuse;              /* aborts that viewers' addresses have left */
    struct address_buckets *requests; /* of --viewer-rate; NULL: no limit */

    struct list_node listeners, gates, edges, links, exchanges;
    bool stopped; /* everything on it was ended, and nothing new may begin */

    /* Limits for lines that a stranger can cause at will. */
    struct log_limit no_tunnel_log, bad_request_log, evicted_log, handshake_log, quota_log;
    struct log_limit exchange_log[WORKER_EXCHANGE_EVENTS]; /* by enum exchange_event */
};

/* Makes a worker with an empty loop. Returns NULL when the system gives no event loop or no
 * eventfd; errno says why. */
struct worker *worker_new(struct server *s, unsigned index) MUSTCHECK;

/* Frees a worker whose lists are empty and whose loop does not run. NULL is fine. */
void worker_free(struct worker *w);

/* Calls @run(@w) on a thread of its own. Returns 0, or ERR_LIMIT when no thread can be made. */
int worker_start(struct worker *w, void (*run)(struct worker *w)) MUSTCHECK;

/* Waits until the thread of worker_start has ended. */
void worker_join(struct worker *w);

/* Aborts, where checks are compiled in (check.h), unless the calling thread may touch @w: the one
 * that made the worker until worker_start, the worker's own, and from worker_join on the one that
 * called that. */
static inline void worker_check(const struct worker *w)
{
    CHECK_THAT(pthread_equal(w->owner_thread, pthread_self()));
}

/* Counts a stream that was reset because memory was short and its viewer took nothing, and logs it
 * at most once a second. @name: the tunnel's, or "-" where it is not known any more. */
void worker_note_evicted(struct worker *w, const char *name, uint64_t stalled_ms, uint64_t bytes);

#endif
