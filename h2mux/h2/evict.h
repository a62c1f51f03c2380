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
 * This module works on parts that are embedded in streams and links (readers, groups) and knows
 * neither: evict_ops say what giving up means. */
#ifndef H2MUX_H2_EVICT_H
#define H2MUX_H2_EVICT_H

#include "h2mux/io/budget.h"
#include "h2mux/io/loop.h"
#include "h2mux/io/sock_tail.h"

/* The reader of one stream, who was handed bytes and has to give credit for them. Embedded in the
 * stream. */
struct evict_reader {
    struct list_node node; /* in group.readers; linked iff the reader holds anything */
    uint64_t held;         /* bytes handed up without credit */
    uint64_t moved_us;     /* when credit last came, or `taken` was seen to have changed */
    uint64_t taken;        /* bytes taken by the other leg's peer, when last asked */
    uint64_t taken_us;     /* since when `taken` has stayed the same; 0: never asked */
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

/* The readers of one link. Embedded in the link's session. */
struct evict_group {
    struct list_node node;       /* in evictor.groups; linked iff the group has joined one */
    struct list_node readers;    /* those that hold anything */
    const struct evict_ops *ops; /* static */
    uint64_t stall_us;           /* a reader that takes nothing for so long stands still */
};

/* What the links and the tails of one thread hold of the budget of the process. */
struct evictor {
    struct budget_share share;
    struct sock_tails tails;
    struct list_node groups;
    struct loop *loop; /* borrowed: outlives the evictor */
    struct timer look; /* armed while the share holds or keeps back anything */
};

void evictor_init(struct evictor *e, struct budget *b, struct loop *l);
/* Forgets the tails and tells the process. All links must have left before. */
void evictor_deinit(struct evictor *e);

/* Makes @g share the budget of the process. */
void evictor_join(struct evictor *e, struct evict_group *g);

/* Takes @g out of that budget; @g may hold nothing any more. Does nothing if @g has left already.
 */
void evictor_leave(struct evictor *e, struct evict_group *g);

void evict_group_init(struct evict_group *g, const struct evict_ops *ops, uint64_t stall_ms);

/* Gives up readers of @g that stand still until @link is not tight any more. @share is the
 * thread's, or NULL. */
void evict_group_relieve(struct evict_group *g, const struct fill *link, struct budget_share *share,
                         uint64_t now_us);

/* Check the invariants: check.h. They look at every reader; evict_group_check returns what all of
 * them hold. */
void evictor_check(const struct evictor *e);
uint64_t evict_group_check(const struct evict_group *g);

/* Notes that @r was handed @bytes. The caller counts them in the budgets. */
void evict_reader_hold(struct evict_group *g, struct evict_reader *r, uint64_t bytes,
                       uint64_t now_us);

/* Notes that @r holds @bytes less; likewise. */
void evict_reader_release(struct evict_reader *r, uint64_t bytes);

#endif
