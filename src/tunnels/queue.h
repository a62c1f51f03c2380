/* SPDX-License-Identifier: MIT */
/* queue.h - holds the requests that wait for a backend of one name, in the order in which they
 * came.
 *
 * A waiting request has a place in two pools, all of whose places are idle (http-rules.md#pools):
 * among the QUEUE_MAX of its name, which are shared by viewers, and among the HOLDS_MAX of the
 * process, which are shared by viewers and by names.
 *
 * Invariants: a waiter is in one queue at most, and has its places iff it is in one. Only the
 * thread of its worker touches a queue. */
#ifndef SRC_TUNNELS_QUEUE_H
#define SRC_TUNNELS_QUEUE_H

#include "src/http/trust.h"
#include "src/tunnels/backend.h"
#include "src/worker/commons.h"

enum {
    QUEUE_MAX = 256, /* requests that may wait for one name */
    HOLDS_MAX = 4096 /* requests that may wait for any name of the process */
};

struct held;

struct waiter;

/* What a waiter is told. It gets exactly one of the three calls, unless queue_remove comes first.
 * It leaves the queue before the call. */
struct waiter_ops {
    /* Gives the request @b, the backend that suits it best. A request for which @b has no room
     * calls tunnel_wait again. */
    void (*on_backend)(struct waiter *w, struct backend *b);

    /* Tells the request that the name was dropped. */
    void (*on_gone)(struct waiter *w);

    /* Tells the request that another one has got its place. Other functions of the queue may be on
     * the stack, so the request must not end before the next turn of the loop. */
    void (*on_evicted)(struct waiter *w);
};

/* Stands for a request that waits for a backend, and is embedded in its exchange. */
struct waiter {
    const struct waiter_ops *ops; /* static */
    struct list_node node;        /* linked iff waiting */
    struct held *held;            /* owned: its places; NULL: not waiting */
    enum stream_kind kind;        /* what a stream is wanted for */
    const struct viewer *viewer;  /* borrowed; NULL: nobody */
    bool held_back;               /* a backend has room, but not for this viewer */
};

struct queue {
    struct list_node waiters; /* of waiter.node */
    size_t n;
    struct shares *shares; /* owned; NULL while nobody waits */
    struct worker *worker; /* borrowed */
};

/* Makes the pool of all queues of the process, for server->holds. */
struct commons *queue_holds_new(void) MUSTCHECK;

/* Makes an empty queue. Waiters take places of the pool of @w's server, unless that has none. */
void queue_init(struct queue *q, struct worker *w);

/* Puts @w, which waits nowhere, at the end. Returns false when there is no place for its viewer. */
bool queue_push(struct queue *q, struct waiter *w) MUSTCHECK;

/* Takes the first waiter out, and returns it. Returns NULL when nobody waits. */
struct waiter *queue_pop(struct queue *q);

/* Takes @w out. Does nothing when @w does not wait. */
void queue_remove(struct waiter *w);

/* Checks the invariants (check.h). */
void queue_check(const struct queue *q);

#endif
