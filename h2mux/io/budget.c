/* SPDX-License-Identifier: MIT */
/* budget.c - adds up the bytes that the threads of a process hold. See budget.h. */
#include "h2mux/io/budget.h"

#include "h2mux/base/check.h"

void budget_init(struct budget *b, uint64_t limit)
{
    b->limit = limit;
    atomic_init(&b->used, 0);
    atomic_init(&b->fixed, 0);
    atomic_init(&b->links, 0);
    atomic_init(&b->promised, 0);
    atomic_init(&b->alarm, BUDGET_CALM);
}

void budget_share_init(struct budget_share *s, struct budget *b)
{
    *s = (struct budget_share){.budget = b};
}

void budget_share_deinit(struct budget_share *s)
{
    s->on_held = NULL;
    budget_tell(s);
}

void budget_add_link(struct budget_share *s)
{
    s->links++;
    atomic_fetch_add_explicit(&s->budget->links, 1, memory_order_relaxed);
}

void budget_drop_link(struct budget_share *s)
{
    s->links--;
    atomic_fetch_sub_explicit(&s->budget->links, 1, memory_order_relaxed);
}

uint64_t budget_fair(const struct budget_share *s, uint64_t least)
{
    uint32_t links = atomic_load_explicit(&s->budget->links, memory_order_relaxed);
    uint64_t part = s->budget->limit / 2 / (links > 0 ? links : 1);
    return part > least ? part : least;
}

struct fill budget_promised_fill(const struct budget_share *s)
{
    struct fill all = budget_fill(s);
    if (s)
        all.used += atomic_load_explicit(&s->budget->promised, memory_order_relaxed) + s->held -
                    s->told + s->promised - s->promised_told;
    return all;
}

void budget_tell_now(struct budget_share *s)
{
    atomic_fetch_add_explicit(&s->budget->used, s->held - s->told, memory_order_relaxed);
    atomic_fetch_add_explicit(&s->budget->fixed, s->fixed - s->told_fixed, memory_order_relaxed);
    s->told = s->held;
    s->told_fixed = s->fixed;
    atomic_fetch_add_explicit(&s->budget->promised, s->promised - s->promised_told,
                              memory_order_relaxed);
    s->promised_told = s->promised;
    if (CHECKING)
        budget_share_check(s);
    if (s->held > s->fixed && s->on_held)
        s->on_held(s->user, false);
}

void budget_add_moving(struct budget *b, int64_t bytes)
{
    atomic_fetch_add_explicit(&b->used, (uint64_t)bytes, memory_order_relaxed);
    atomic_fetch_add_explicit(&b->fixed, (uint64_t)bytes, memory_order_relaxed);
}

void budget_withhold(struct budget_share *s, uint64_t bytes)
{
    s->withheld += bytes;
    if (s->withheld == bytes && s->on_held)
        s->on_held(s->user, true);
}

void budget_restore(struct budget_share *s, uint64_t bytes)
{
    s->withheld -= bytes;
}

/* Checks the sums of one share (CHECK=1). A thread compares the sums of the process only with its
 * own part: each sum is at least as large as that part. */
void budget_share_check(const struct budget_share *s)
{
    CHECK_THAT(s->held <= INT64_MAX);
    CHECK_THAT(s->fixed <= s->held);
    CHECK_THAT(s->withheld <= INT64_MAX);
    CHECK_THAT(s->promised <= INT64_MAX && s->promised_told <= INT64_MAX);
    CHECK_THAT(budget_used(s->budget) <= INT64_MAX && budget_used(s->budget) >= s->told);
    CHECK_THAT(atomic_load(&s->budget->links) >= s->links);
}
