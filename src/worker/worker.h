/* SPDX-License-Identifier: MIT */
/* worker.h - a worker is one thread with an event loop. It has a mailbox, counters, and lists of
 * the connections and exchanges that live on it.
 *
 * Only its own thread touches a worker (worker_check); other threads post to its mailbox. A worker
 * does not know the types in its lists: crew.c makes, walks and ends the objects. */
#ifndef SRC_WORKER_WORKER_H
#define SRC_WORKER_WORKER_H

#include <pthread.h>

#include "h2mux/base/check.h"
#include "h2mux/base/clock.h"
#include "h2mux/h2/evict.h"
#include "h2mux/http/h1_conn.h"
#include "h2mux/io/loop.h"
#include "h2mux/io/sleep_watch.h"
#include "src/worker/server.h"
#include "src/worker/stats.h"

struct abuse;
struct address_buckets;
struct board;
struct mailbox;
struct memory_alarm;
struct registry;
struct revoke;

enum { WORKER_EXCHANGE_EVENTS = 6 };

/* The events of names and links. Each is worth a line, but a stranger can cause any number. */
enum worker_event {
    WORKER_REGISTERED,
    WORKER_LINK_UP,
    WORKER_LINK_LOST,
    WORKER_CLIENT_LEAVES,
    WORKER_NAME_FREE,
    WORKER_TAKEN_OVER,
    WORKER_ATTACH_REFUSED, /* from here on: something is wrong */
    WORKER_REGISTER_REFUSED,
    WORKER_LINK_REVOKED,
    WORKER_SIGN_IN_FAILED,
    WORKER_KEY_USED,
    WORKER_LINK_TOO_LATE,
    WORKER_TUNNEL_ABUSE,
    WORKER_COOKIE_CONFINED,
    WORKER_NAME_FLAPPING,
    WORKER_OUTDATED_LINKS,
    WORKER_NAME_EVICTED,
    WORKER_OLD_SOCKET_LOST,
    WORKER_PROXY_HEADER_REFUSED,
    WORKER_EVENTS
};

struct worker {
    struct loop *loop;       /* owned */
    struct mailbox *mailbox; /* owned */
    struct server *server;   /* borrowed: outlives its workers */
    unsigned index;
    pthread_t thread;       /* of worker_start */
    pthread_t owner_thread; /* the thread that may touch the worker now: worker_check */
    struct worker_stats stats;
    struct evictor evictor;     /* this worker's share of server->budget */
    struct evict_group uploads; /* viewers' connections that hold memory: edge/footprint */
    struct h1_windows windows;  /* lent to viewers that send bodies or have WebSockets */

    /* Owned by the crew, which sets them. */
    struct registry *registry;        /* the names of this worker */
    struct abuse *abuse;              /* the limit of aborts */
    struct address_buckets *requests; /* the limit of --viewer-rate; NULL: no limit */
    struct memory_alarm *alarm;       /* of worker 0; NULL: another one */
    struct revoke *revoke;            /* ends links without a good token; NULL: no tokens */
    struct board *board;              /* of worker 0, with --admin; NULL: none */

    /* The objects that live on the worker. Each object is in one list, and takes itself off that
     * list. */
    struct sleep_watch sleep;
    struct list_node listeners, gates, edges, h2_edges, leaps, links, raws, exchanges;
    bool stopped; /* these objects were ended, and no new one may begin */

    /* The last result of worker_date, and the second that it is for. */
    int64_t date_s;
    char date[CLOCK_HTTP_MAX];

    /* Rate limits for log lines that a stranger could cause without end. */
    struct log_limit no_tunnel_log, bad_request_log, evicted_log, leap_log, handshake_log,
        quota_log, no_tls_log;
    struct log_limit event_log[WORKER_EVENTS];
    struct log_limit exchange_log[WORKER_EXCHANGE_EVENTS]; /* by enum exchange_event */
};

/* Makes a worker, whose loop does not run yet. Returns NULL, with errno set, when the system gives
 * no event loop or no eventfd. */
struct worker *worker_new(struct server *s, unsigned index) MUSTCHECK;

/* Frees a worker whose lists are empty and whose loop does not run. NULL is fine. */
void worker_free(struct worker *w);

/* Starts the thread of @w, which calls @run(@w). Returns 0, or ERR_LIMIT when the system gives no
 * thread. */
int worker_start(struct worker *w, void (*run)(struct worker *w)) MUSTCHECK;

/* Waits until the thread of worker_start has ended. Then the calling thread may touch @w. */
void worker_join(struct worker *w);

/* Returns whether the event @e may have a line in the log now: 1,000 at once and 20 a second, or 20
 * at once and one a second if something is wrong. Sets @suppressed to the number of its lines that
 * were left out since the last one. */
bool worker_may_log(struct worker *w, enum worker_event e, uint64_t *suppressed) MUSTCHECK;

/* Checks (CHECK=1) that the calling thread may touch @w. Before worker_start only the thread that
 * made the worker may; after that only the worker's own thread; and after worker_join only the
 * thread that called worker_join. */
static inline void worker_check(const struct worker *w)
{
    CHECK_THAT(pthread_equal(w->owner_thread, pthread_self()));
}

/* Returns the value of a Date field for now. The text lives as long as the worker, and changes at a
 * later call. */
struct slice worker_date(struct worker *w);

/* Counts a stream that was reset because memory was short and its viewer had taken nothing for
 * @stalled_ms. Logs at most one such stream a second. @name is the name of its tunnel, or "-" when
 * that is not known. @bytes is the number of bytes that waited for the viewer. */
void worker_note_evicted(struct worker *w, const char *name, uint64_t stalled_ms, uint64_t bytes);

#endif
