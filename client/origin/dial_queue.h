/* SPDX-License-Identifier: MIT */
/* dial_queue.h - keeps those who wait until this machine can open one more connection.
 *
 * The limit of descriptors is not known beforehand, since links, files and the resolver have some
 * too. A dial finds out: the system says so (EMFILE and its like), or the dial got one of the last
 * descriptors, which are kept for everything but dials. Its owner then waits here, in the order of
 * age. The queue calls `serve` when another dial may work: after dial_queue_wake, and every 50 ms
 * while anybody waits, since what is short may also be another program's. */
#ifndef CLIENT_ORIGIN_DIAL_QUEUE_H
#define CLIENT_ORIGIN_DIAL_QUEUE_H

#include "h2mux/io/loop.h"

enum { DIAL_QUEUE_MAX_MS = 30 * 1000 };

/* One who waits; embedded in an object. Zeroed at first. */
struct dial_waiter {
    struct list_node node; /* linked iff waiting */
    uint64_t since_us;     /* when it began to wait; it keeps its place by that; 0: never waited */
};

struct dial_queue_ops {
    /* Serves who can be served. Comes from a task of its own. */
    void (*serve)(void *user);
    /* Tells that @w has waited for 30 s, and has left the queue. */
    void (*late)(void *user, struct dial_waiter *w);
};

struct dial_queue {
    struct loop *loop; /* borrowed: outlives the queue */
    const struct dial_queue_ops *ops;
    void *user;            /* borrowed: outlives the queue */
    int below;             /* descriptors from this number on are not for dials */
    struct list_node list; /* of dial_waiter.node: oldest first */
    struct task task;
    struct timer timer; /* armed while anybody waits */
};

/* Inits @q. @spare is the number of descriptors that are kept for others. */
void dial_queue_init(struct dial_queue *q, struct loop *l, unsigned spare,
                     const struct dial_queue_ops *ops, void *user);
/* Ends the queue. Nobody waits any more. */
void dial_queue_deinit(struct dial_queue *q);

/* Puts @w into its place. @w is borrowed: it leaves before it dies. */
void dial_queue_enter(struct dial_queue *q, struct dial_waiter *w);
/* Takes @w out. Does nothing if @w does not wait. */
void dial_queue_leave(struct dial_waiter *w);
/* Returns who has waited for longest, or NULL. */
struct dial_waiter *dial_queue_first(const struct dial_queue *q);

/* Notes that a descriptor or a connection has become free. */
void dial_queue_wake(struct dial_queue *q);

/* Returns whether @n more connections can have a descriptor. Asks the system. */
bool dial_queue_has_room(const struct dial_queue *q, int n);

/* Checks the invariants: check.h. */
void dial_queue_check(const struct dial_queue *q);

#endif
