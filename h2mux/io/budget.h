/* SPDX-License-Identifier: MIT */
/* budget.h - counts the bytes of bodies that a process holds: one sum for all threads, and a share
 * of it for each thread. http-rules.md#memory
 *
 * A link tells its thread's share of every byte that arrives and leaves; the share tells the
 * process once a turn, and only of what did not leave again within it. A budget only counts;
 * evict.h gives readers up when one is short.
 *
 * Invariants: budget.used is the sum of `told` of all shares, budget.links the sum of `links`; no
 * sum ever falls below 0. */
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

/* The four marks of a budget. Window sizes that are granted ahead may all be used and stay, so
 * large ones end long before their sum is the whole. */
static inline bool fill_may_start_large(const struct fill *f)
{
    return f->used * 8 < f->limit;
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

/* The budget of a process. All threads share it; it outlives every share. */
struct budget {
    uint64_t limit;         /* bytes; immutable */
    _Atomic uint64_t used;  /* bytes that the shares have told */
    _Atomic uint32_t links; /* of all shares */
};

/* The share of one thread; only that thread touches it. */
struct budget_share {
    struct budget *budget; /* borrowed */
    uint64_t held;         /* bytes that this thread holds */
    uint64_t told;         /* of them: what budget->used includes */
    uint64_t withheld;     /* connection credit that the links of this thread keep back */
    uint32_t links;        /* of this thread */
    /* Runs when the share tells the process that it holds something, and with @short_of_room when
     * the first credit is kept back. May be NULL. */
    void (*on_held)(void *user, bool short_of_room);
    void *user; /* borrowed */
};

void budget_init(struct budget *b, uint64_t limit);

static inline uint64_t budget_used(const struct budget *b)
{
    return atomic_load_explicit(&b->used, memory_order_relaxed);
}

void budget_share_init(struct budget_share *s, struct budget *b);
/* Tells what is left to be told. Everything that the share counted must have left before. */
void budget_share_deinit(struct budget_share *s);

/* Counts one link more of this thread. */
void budget_add_link(struct budget_share *s);
/* Counts one link less. */
void budget_drop_link(struct budget_share *s);

/* Returns how many bytes one link may hold when all links together have spent the budget: its part
 * of one half of the budget, and @least bytes at least, so that no link can stop all others. */
uint64_t budget_fair(const struct budget_share *s, uint64_t least);

/* Counts @bytes that came, or left if negative. Without a share (@s NULL) nothing is counted. */
static inline void budget_add(struct budget_share *s, int64_t bytes)
{
    if (s)
        s->held += (uint64_t)bytes;
}

/* Tells the process what has changed since the last call. */
void budget_tell_now(struct budget_share *s);

/* Does the same, and is cheap when nothing has changed: for every turn. */
static inline void budget_tell(struct budget_share *s)
{
    if (s && s->held != s->told)
        budget_tell_now(s);
}

/* Checks the invariants of one share: check.h. */
void budget_share_check(const struct budget_share *s);

/* Counts @bytes of connection credit that a link keeps back. */
void budget_withhold(struct budget_share *s, uint64_t bytes);
/* Counts @bytes of connection credit that a link gives after all. */
void budget_restore(struct budget_share *s, uint64_t bytes);

/* Returns how full the process is. Without a share nothing ever fills it. */
static inline struct fill budget_fill(const struct budget_share *s)
{
    return !s ? (struct fill){.used = 0, .limit = UINT64_MAX / 4}
              : (struct fill){.used = budget_used(s->budget), .limit = s->budget->limit};
}

#endif
