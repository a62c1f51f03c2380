/* SPDX-License-Identifier: MIT */
/* evict.h - gives up readers that take nothing when a budget is short: that of a link or that of
 * the process. http-rules.md#memory
 *
 * A budget is short from three quarters on. Then the readers that have taken nothing for the stall
 * time of their link (stall_us) are given up, the one that has stood still for longest first, until
 * less than three quarters are used. While a thread holds bytes, its evictor looks once a second
 * whether the process's budget is short.
 *
 * Invariants: a reader is in its group's list iff it holds bytes, and a thread's share is the sum
 * of the bytes that its readers and its tails hold and of its fixed memory (budget.h).
 *
 * This module works on readers and groups, which are embedded in streams and sessions, and knows
 * neither streams nor sessions. The functions in evict_ops do what giving up means. */
#ifndef H2MUX_H2_EVICT_H
#define H2MUX_H2_EVICT_H

#include "h2mux/io/budget.h"
#include "h2mux/io/loop.h"
#include "h2mux/io/sock_tail.h"

/* The reader of one stream: the side that was handed bytes and has to give credit for them.
 * Embedded in the stream. */
struct evict_reader {
    struct list_node node; /* in group.readers; linked iff the reader holds anything */
    uint64_t held;         /* bytes handed up without credit */
    uint64_t moved_us;     /* when credit last came, or `taken` was seen to have changed */
    uint64_t taken;        /* bytes that the peer had taken when last asked */
    uint64_t taken_us;     /* since when `taken` is the same; 0: never asked */
};

struct evict_group;

struct evict_ops {
    /* Stores in @bytes how many bytes the peer that reads from @r has taken so far. Returns false
     * if the number is not known. */
    bool (*taken)(struct evict_reader *r, uint64_t *bytes);
    /* Ends the stream of @r, whose peer has taken nothing for @stalled_ms. @r holds no bytes
     * afterwards. */
    void (*give_up)(struct evict_reader *r, uint64_t stalled_ms);
    /* Gives the connection credit that the link of @g keeps back, if the budgets have room for it
     * now. */
    void (*restore)(struct evict_group *g);
};

/* The readers of one link. Embedded in the link's session. */
struct evict_group {
    struct list_node node;       /* in evictor.groups; linked iff the group has joined one */
    struct list_node readers;    /* the readers that hold bytes */
    const struct evict_ops *ops; /* static */
    uint64_t stall_us;           /* a reader that takes nothing for this time stands still */
};

/* An evictor counts the bytes that the links and the tails (sock_tail.h) of one thread hold of the
 * process's budget, and gives readers up when that budget is short. */
struct evictor {
    struct budget_share share;
    struct sock_tails tails;
    struct list_node groups; /* of links */
    struct list_node others; /* groups that are no links */
    struct loop *loop;       /* borrowed: outlives the evictor */
    struct timer look;       /* armed while the share holds or keeps back anything for readers */
    struct task tell;        /* reports to the process at the end of a turn */
};

void evictor_init(struct evictor *e, struct budget *b, struct loop *l);
/* Forgets the tails and reports the last change to the budget. All links must have left before. */
void evictor_deinit(struct evictor *e);

/* Makes @g share the budget of the process. */
void evictor_join(struct evictor *e, struct evict_group *g);

/* Takes @g out of the budget of the process. @g must hold no bytes any more. Does nothing if @g has
 * left already. */
void evictor_leave(struct evictor *e, struct evict_group *g);

/* evictor_watch makes @g, whose readers read from no link, share the budget of the process without
 * being counted among the links. evictor_unwatch ends that: @g holds no bytes any more. */
void evictor_watch(struct evictor *e, struct evict_group *g);
void evictor_unwatch(struct evict_group *g);

/* Reports a change of the share to the process at the end of the turn. For those that have no
 * session, which does it by itself. */
void evictor_changed(struct evictor *e);

void evict_group_init(struct evict_group *g, const struct evict_ops *ops, uint64_t stall_ms);

/* Gives up readers of @g that stand still, until less than three quarters of @link, the link's
 * budget, are used. One call gives up at most 16 readers. @share is the thread's share, or NULL. */
void evict_group_relieve(struct evict_group *g, const struct fill *link, struct budget_share *share,
                         uint64_t now_us);

/* Check the invariants (check.h) by a look at every reader. evict_group_check returns the bytes
 * that all readers of @g hold. */
void evictor_check(const struct evictor *e);
uint64_t evict_group_check(const struct evict_group *g);

/* Notes that @r was handed @bytes at @now_us. The caller counts the bytes in the budgets. */
void evict_reader_hold(struct evict_group *g, struct evict_reader *r, uint64_t bytes,
                       uint64_t now_us);

/* Notes that @r holds @bytes less. The caller counts the bytes in the budgets. */
void evict_reader_release(struct evict_reader *r, uint64_t bytes);

#endif
