/* SPDX-License-Identifier: MIT */
/* budget.h - counts the bytes of bodies that a process holds: one sum for the process, and a share
 * for each thread. http-rules.md#memory
 *
 * A link adds each byte that arrives, and subtracts each byte that leaves, in the share of its
 * thread. Memory that is no body and that nobody can be made to give back counts as fixed
 * (budget_add_fixed). Once a turn the share reports to the process by how much its sum has changed;
 * bytes that arrive and leave in the same turn are never reported. A budget only counts; evict.h
 * takes memory back when a budget is short.
 *
 * Invariants: budget.used is the sum of `told` of all shares, budget.fixed the sum of `told_fixed`,
 * both with what is moving (budget_add_moving); budget.links is the sum of `links`; no sum ever
 * falls below 0. */
#ifndef H2MUX_IO_BUDGET_H
#define H2MUX_IO_BUDGET_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* How full a link or a process is. */
struct fill {
    uint64_t used, limit; /* bytes */
};

/* These functions compare a budget with its marks: a body may start with a large window while a
 * quarter stays free, below a half windows may grow, from three quarters on the budget is tight,
 * and when the whole is used the budget is spent. Peers may fill all windows that they were granted
 * and keep them full, so large windows end long before the sum of all windows is the whole budget.
 */
/* Returns how many bytes more may be used, so that a quarter stays free. */
static inline uint64_t fill_promisable(const struct fill *f)
{
    uint64_t most = f->limit / 4 * 3;
    return f->used < most ? most - f->used : 0;
}
static inline bool fill_may_grow(const struct fill *f)
{
    return f->used * 2 < f->limit;
}
static inline bool fill_is_tight(const struct fill *f)
{
    return f->used * 4 >= f->limit * 3;
}
static inline bool fill_is_spent(const struct fill *f)
{
    return f->used >= f->limit;
}

/* What the process really uses, whatever the sums say. */
enum budget_alarm {
    BUDGET_CALM,
    BUDGET_SHORT,  /* the budget counts as spent, so memory is taken back */
    BUDGET_REFUSES /* that was not enough: nothing new may begin */
};

/* The budget of a process. All threads share one budget, which outlives every share. */
struct budget {
    uint64_t limit;         /* bytes; immutable */
    _Atomic uint64_t used;  /* bytes that the shares have told */
    _Atomic uint64_t fixed; /* the part of `used` that nobody can be made to give back */
    _Atomic uint32_t links; /* of all shares */
    /* Bytes that peers were promised to be able to send, and that have not arrived. Only who makes
     * more promises looks at them. */
    _Atomic uint64_t promised;
    _Atomic unsigned alarm; /* an enum budget_alarm */
};

/* The share of one thread. No other thread touches the share. */
struct budget_share {
    struct budget *budget;  /* borrowed */
    uint64_t held;          /* bytes that this thread holds */
    uint64_t told;          /* part of `held` that budget->used includes */
    uint64_t fixed;         /* part of `held` that nobody can be made to give back */
    uint64_t told_fixed;    /* part of `fixed` that budget->fixed includes */
    uint64_t withheld;      /* connection credit that this thread's links keep back */
    uint64_t promised;      /* bytes that this thread's links have promised */
    uint64_t promised_told; /* part of `promised` that budget->promised includes */
    uint32_t links;         /* of this thread */
    /* Runs with @short_of_room false when the share has reported to the process and holds anything,
     * and with @short_of_room true when a link of the thread begins to keep connection credit back.
     * May be NULL. */
    void (*on_held)(void *user, bool short_of_room);
    void *user; /* borrowed */
};

void budget_init(struct budget *b, uint64_t limit);

static inline uint64_t budget_used(const struct budget *b)
{
    return atomic_load_explicit(&b->used, memory_order_relaxed);
}

static inline enum budget_alarm budget_alarm(const struct budget *b)
{
    return (enum budget_alarm)atomic_load_explicit(&b->alarm, memory_order_relaxed);
}

/* Returns the part of budget_used that is held for readers, and that evict.h can take back. */
static inline uint64_t budget_buffered(const struct budget *b)
{
    uint64_t used = budget_used(b);
    uint64_t fixed = atomic_load_explicit(&b->fixed, memory_order_relaxed);
    return used > fixed ? used - fixed : 0;
}

void budget_share_init(struct budget_share *s, struct budget *b);
/* Reports the last change to the process and calls on_held no more. The share must hold nothing any
 * more. */
void budget_share_deinit(struct budget_share *s);

/* Counts one link more of this thread. */
void budget_add_link(struct budget_share *s);
/* Counts one link less. */
void budget_drop_link(struct budget_share *s);

/* Returns how many bytes one link may hold when all links together have spent the budget: half of
 * the budget divided by the number of links, but at least @least bytes. So no link can stop all
 * others. */
uint64_t budget_fair(const struct budget_share *s, uint64_t least);

/* Adds @bytes to the sum of the share. A negative number counts bytes that have left. Does nothing
 * if @s is NULL. */
static inline void budget_add(struct budget_share *s, int64_t bytes)
{
    if (s)
        s->held += (uint64_t)bytes;
}

/* Adds @bytes of memory that nobody can be made to give back. A negative number counts memory that
 * is free again. */
static inline void budget_add_fixed(struct budget_share *s, int64_t bytes)
{
    s->fixed += (uint64_t)bytes;
    s->held += (uint64_t)bytes;
}

/* Counts @bytes of memory that are on their way from one thread to another, and are in no share. A
 * negative number counts bytes that have arrived, or that are free. Any thread may call this. */
void budget_add_moving(struct budget *b, int64_t bytes);

/* Adds @bytes to the promises of the share. A negative number takes promises back, or counts bytes
 * that have arrived. Does nothing if @s is NULL. */
static inline void budget_promise(struct budget_share *s, int64_t bytes)
{
    if (s)
        s->promised += (uint64_t)bytes;
}

/* Returns how full the budget of the process would be if all promised bytes arrived. */
struct fill budget_promised_fill(const struct budget_share *s);

/* Reports to the process by how much the sums have changed since the last report. */
void budget_tell_now(struct budget_share *s);

/* Calls budget_tell_now if the sum has changed. Does nothing if @s is NULL. Sessions call this
 * function in every turn. */
static inline void budget_tell(struct budget_share *s)
{
    if (s && (s->held != s->told || s->promised != s->promised_told))
        budget_tell_now(s);
}

/* Checks the invariants of one share (check.h). */
void budget_share_check(const struct budget_share *s);

/* Counts @bytes of connection credit that a link keeps back. */
void budget_withhold(struct budget_share *s, uint64_t bytes);
/* Counts @bytes of connection credit that a link had kept back and gives now. */
void budget_restore(struct budget_share *s, uint64_t bytes);

/* Returns how full the budget of the process is. If @s is NULL the result is an empty budget
 * without a practical limit. During an alarm the budget is spent. */
static inline struct fill budget_fill(const struct budget_share *s)
{
    if (!s)
        return (struct fill){.used = 0, .limit = UINT64_MAX / 4};
    struct fill f = {.used = budget_used(s->budget), .limit = s->budget->limit};
    if (budget_alarm(s->budget) != BUDGET_CALM && f.used < f.limit)
        f.used = f.limit;
    return f;
}

#endif
