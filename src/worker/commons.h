/* SPDX-License-Identifier: MIT */
/* commons.h - a pool whose places belong to objects on all workers of the process: shares.h under a
 * lock. When a place must be given up, its object is ended on its own thread: the place is put on
 * a list, and a letter tells the worker of the object to look at that list.
 *
 * Any thread may take a place. Only the thread of the worker that took a place touches its seat
 * after that. A commons outlives its workers.
 *
 * Invariant: a seat is counted in the shares, or waits for its eviction, or neither; never both. */
#ifndef SRC_WORKER_COMMONS_H
#define SRC_WORKER_COMMONS_H

#include "src/limits/shares.h"

enum { COMMONS_AXES_MAX = 2 };

struct commons;
struct worker;

/* A place of a commons, embedded in the object that needs it. A zeroed seat is not taken. */
struct seat {
    struct share share[COMMONS_AXES_MAX];
    struct list_node victim; /* in the list of its worker; linked iff it is to be evicted */
    struct worker *worker;   /* borrowed: took the place */
};

/* Makes a pool of @capacity places, whose shares are counted along @axes axes: by address, say, and
 * by tunnel. A place is taken along each of them, and is given up along all of them. @evict ends
 * the object of a seat that was given up, and runs on the thread of its worker. The object may have
 * become busy meanwhile: then @evict keeps it, and counts it again by commons_hold. */
struct commons *commons_new(size_t capacity, unsigned axes,
                            void (*evict)(struct seat *seat)) MUSTCHECK;

/* Frees a pool that no object uses any more. NULL is fine. */
void commons_free(struct commons *c);

/* Takes the place @seat for @who, which has an element for each axis, for an object on @w. @idle:
 * it may be given up at once. Returns false when there is none for @who (shares_take). A pool that
 * is NULL has a place for everybody. */
bool commons_take(struct commons *c, struct worker *w, const struct who *who, struct seat *seat,
                  bool idle) MUSTCHECK;

/* Takes a place without asking whether there is room (shares_hold). The place is not idle. */
void commons_hold(struct commons *c, struct worker *w, const struct who *who, struct seat *seat);

/* Gives the place back, or forgets that the seat is to be evicted. Does nothing when the seat has
 * no place. */
void commons_give(struct commons *c, struct seat *seat);

/* Says whether the place may be given up. Does nothing when the seat has no place. */
void commons_set_idle(struct commons *c, struct seat *seat, bool idle);

/* Gives up to @n idle places up, the greediest's oldest first. Returns whether there was one. */
bool commons_evict(struct commons *c, size_t n);

/* Sets the number of places to @capacity, and gives idle places up until no more are taken. Returns
 * whether one was given up. */
bool commons_resize(struct commons *c, size_t capacity);

/* Returns whether @who, which has an element for each axis, or a network around it has as many
 * places as one holder may have. */
bool commons_has_most(struct commons *c, const struct who *who) MUSTCHECK;

/* Returns the number of places that are taken. */
size_t commons_count(struct commons *c);

#endif
