/* SPDX-License-Identifier: MIT */
/* evict.h - takes room back from readers that stand still when a budget is short: of one link or of
 * the process. http-rules.md#memory
 *
 * A budget is short from three quarters on. Then the readers that have taken nothing for the time
 * of their link are given up, the longest first, until there is room again. While a thread holds
 * anything its evictor looks once a second whether the process is short.
 *
 * Invariants: a reader is in its group's list iff it holds anything, and a thread's share is the
 * sum of what its readers and its tails hold.
 *
 * This module works on its own parts of streams and links (readers, groups) and knows neither: what
 * giving up means is said by evict_ops. */
#ifndef H2MUX_H2_EVICT_H
#define H2MUX_H2_EVICT_H

#include "h2mux/io/budget.h"
#include "h2mux/io/loop.h"
#include "h2mux/io/sock_tail.h"

/* Somebody who was handed bytes and has to give credit for them. Embedded in a stream. */
struct evict_reader {
    struct list_node node; /* in group.readers; linked iff it holds anything */
    uint64_t held;         /* bytes handed up without credit */
    uint64_t moved_us;     /* when credit last came, or `taken` was seen to have changed */
    uint64_t taken;        /* bytes taken by the other leg's peer, when last asked */
    uint64_t taken_us;     /* since when it has been so much; 0: never asked */
};

struct evict_group;

struct evict_ops {
    /* Stores in @bytes what the peer behind @r has taken so far. Returns false if nobody knows. */
    bool (*taken)(struct evict_reader *r, uint64_t *bytes);
    /* Ends the stream of @r, which has stood still for @stalled_ms; @r holds nothing afterwards. */
    void (*give_up)(struct evict_reader *r, uint64_t stalled_ms);
    /* Gives the connection credit that @g keeps back, if there is room for it now. */
    void (*restore)(struct evict_group *g);
};

/* The readers of one link. Embedded in its session. */
struct evict_group {
    struct list_node node;       /* in evictor.groups; linked iff it has joined one */
    struct list_node readers;    /* those that hold anything */
    const struct evict_ops *ops; /* static */
    uint64_t stall_us;           /* a reader that takes nothing for so long stands still */
};

/* One thread's: what its links and its tails hold of the budget of the process. */
struct evictor {
    struct budget_share share;
    struct sock_tails tails;
    struct list_node groups;
    struct loop *loop; /* borrowed: outlives the evictor */
    struct timer look; /* armed while the share holds or keeps back anything */
};

void evictor_init(struct evictor *e, struct budget *b, struct loop *l);
/* Its links must be gone; tails are forgotten. */
void evictor_deinit(struct evictor *e);

/* @g shares the budget of the process from now on, or does not any more (then nothing of @g may be
 * held). evictor_leave does nothing if @g has left. */
void evictor_join(struct evictor *e, struct evict_group *g);
void evictor_leave(struct evictor *e, struct evict_group *g);

void evict_group_init(struct evict_group *g, const struct evict_ops *ops, uint64_t stall_ms);

/* Gives up readers of @g that stand still until @link is not tight any more. @share: the thread's,
 * or NULL. */
void evict_group_relieve(struct evict_group *g, const struct fill *link, struct budget_share *share,
                         uint64_t now_us);

/* Check the invariants: check.h. They look at every reader; evict_group_check returns what all of
 * them hold. */
void evictor_check(const struct evictor *e);
uint64_t evict_group_check(const struct evict_group *g);

/* @bytes were handed to @r, or given back by @r; the caller counts them. */
void evict_reader_hold(struct evict_group *g, struct evict_reader *r, uint64_t bytes,
                       uint64_t now_us);
void evict_reader_release(struct evict_reader *r, uint64_t bytes);

#endif
