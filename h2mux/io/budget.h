/* SPDX-License-Identifier: MIT */
/* budget.h - the budget of a process for bytes of bodies that arrived by links and did not leave
 * yet: one sum for all threads, a share of it for each thread's sessions and for what is left of
 * answers whose streams are over. http-rules.md#memory
 *
 * A session tells its share of every byte; the share tells the process once a session's turn, and
 * only of what did not leave again within it. While a thread holds anything it looks once a second
 * whether it must give something up. */
#ifndef H2MUX_IO_BUDGET_H
#define H2MUX_IO_BUDGET_H

#include <stdatomic.h>

#include "h2mux/h2/window.h"
#include "h2mux/io/loop.h"

/* Shared by all threads; outlives every share. */
struct memory {
    uint64_t limit;            /* bytes; immutable */
    _Atomic uint64_t used;     /* what the shares have told */
    _Atomic uint32_t sessions; /* of all shares */
};

/* One thread's; touched by that thread alone. */
struct memory_share {
    struct memory *memory;     /* borrowed */
    struct loop *loop;         /* borrowed: outlives the share */
    uint64_t held;             /* by the sessions of this thread */
    uint64_t told;             /* of it: what memory->used has */
    uint64_t withheld;         /* connection credit that they keep back */
    struct list_node sessions; /* of h2_session.in_share */
    struct timer look;         /* armed while there is anything to look after */
    struct list_node tails;    /* of socks whose queue nothing else counts: sock_tail.c */
    uint64_t stall_ms;         /* for those: the owner's to set, like the next two */
    void (*on_tail)(void *user, uint64_t stalled_ms, uint64_t bytes); /* one was given up; NULL */
    void *user;
};

void memory_init(struct memory *m, uint64_t limit);
static inline uint64_t memory_used(const struct memory *m)
{
    return atomic_load_explicit(&m->used, memory_order_relaxed);
}

void memory_share_init(struct memory_share *s, struct memory *m, struct loop *l);
void memory_share_deinit(struct memory_share *s); /* its sessions are over */

void memory_join(struct memory_share *s, struct list_node *in_share);  /* a session's node */
void memory_leave(struct memory_share *s, struct list_node *in_share); /* fine once more */

/* What a session may hold though all is spent, by others: a part of half the budget, and room for
 * a stream at least, so that none can stop them all. */
uint64_t memory_fair(const struct memory_share *s);

/* Bytes came or left. @s NULL: no budget but the links'. */
static inline void memory_add(struct memory_share *s, int64_t bytes)
{
    if (s)
        s->held += (uint64_t)bytes;
}
void memory_tell_now(struct memory_share *s);
/* Cheap when nothing has changed: for every turn. */
static inline void memory_tell(struct memory_share *s)
{
    if (s && s->held != s->told)
        memory_tell_now(s);
}

/* sock_tail.c */
void sock_tails_evict(struct memory_share *s,
                      uint64_t now_us); /* who stands still, until there is room */
void sock_tails_forget(struct memory_share *s);

void memory_withhold(struct memory_share *s, uint64_t bytes); /* of connection credit */

/* How full the process is; as struct budget has it for a link. */
static inline struct budget memory_budget(const struct memory_share *s)
{
    return !s ? (struct budget){.used = 0, .limit = UINT64_MAX / 4}
              : (struct budget){.used = memory_used(s->memory), .limit = s->memory->limit};
}

#endif
