/* SPDX-License-Identifier: MIT */
/* shares.h - gives out the places of a pool so that nobody can take the pool from the others.
 *
 * The rule (http-rules.md#pools): no holder gets the last quarter of a pool. When the pool is full,
 * or when a holder has all that it may have, the greediest holder gives up its oldest idle place to
 * the newcomer. If the newcomer has as many places itself, it gives up one of its own. So a holder
 * without a place is refused only while no other holder has a place that is idle.
 *
 * A holder is an address with the networks around it, or a tunnel (who.h). The rule holds for each
 * network of a path: the greediest is found by descending from the network with the most places to
 * the address with the most. Of holders with equally many places the one with the oldest idle place
 * counts as the greediest, so short-lived places go in turn when each holder has one. Places of
 * nobody fill the pool, and are never given up.
 *
 * The pool says which of its places are idle. This module has no lock and no clock; each operation
 * takes time that grows with the logarithm of the number of holders.
 *
 * Invariants: the count of a holder is the sum of the places below it, and is not 0; the victim of
 * a holder is the idle place below it that goes first. */
#ifndef SRC_LIMITS_SHARES_H
#define SRC_LIMITS_SHARES_H

#include "h2mux/base/list.h"
#include "src/limits/who.h"

struct holder;

/* One place of a pool, embedded in the object that needs it. A zeroed share is not taken. */
struct share {
    struct list_node node; /* in the idle or the busy places of its holder; linked iff counted */
    struct holder *of;     /* weak: NULL when the place is nobody's, or not taken */
    uint64_t since;        /* idle: its turn among all places that became idle */
    bool taken;
    bool idle; /* may be given up */
};

struct shares;

/* Makes a pool of @capacity places, which is not 0. */
struct shares *shares_new(size_t capacity) MUSTCHECK;

/* Frees the pool, none of whose places is taken any more. NULL is fine. */
void shares_free(struct shares *s);

/* Takes the place @p, which was not taken, for @who. Returns true when it was taken; it is not idle
 * then. Sets @victim to the place that was given up for it, which is not taken any more and whose
 * object the caller must end; or to NULL. Returns false, with @victim NULL, when @p was refused. */
bool shares_take(struct shares *s, const struct who *who, struct share *p,
                 struct share **victim) MUSTCHECK;

/* Returns whether shares_take would succeed. */
bool shares_has_place(const struct shares *s, const struct who *who);

/* Takes the place @p for @who without asking whether there is room, for an object that exists
 * already. The pool may hold more than its capacity then. */
void shares_hold(struct shares *s, const struct who *who, struct share *p);

/* Gives the place back that goes first, although nobody has asked for it. Returns the place, which
 * is not taken any more and whose object the caller must end; or NULL when no place is idle. */
struct share *shares_evict(struct shares *s) MUSTCHECK;

/* Sets the number of places to @capacity, which is not 0. Places that are taken stay so. */
void shares_resize(struct shares *s, size_t capacity);

/* Gives the place @p back. Does nothing when @p is not taken. */
void shares_give(struct shares *s, struct share *p);

/* Says whether the place @p may be given up. Does nothing when @p is not taken, or when that is
 * said already: an idle place keeps its turn. */
void shares_set_idle(struct shares *s, struct share *p, bool idle);

/* Returns a place of the holder of @p that is not idle and was taken before, or NULL when there is
 * none or @p is nobody's. */
struct share *shares_beside(const struct share *p);

/* Returns the number of places that are taken. */
size_t shares_count(const struct shares *s);

/* Returns whether @who or a network around it has as many places as one holder may have. */
bool shares_has_most(const struct shares *s, const struct who *who);

/* Returns the number of places that one holder may have. */
size_t shares_most(const struct shares *s);

/* Checks the invariants by a look at every holder (check.h). */
void shares_check(const struct shares *s);

#endif
