/* SPDX-License-Identifier: MIT */
/* counter.h - a number that one thread changes and any thread may read. */
#ifndef SRC_WORKER_COUNTER_H
#define SRC_WORKER_COUNTER_H

#include <stdatomic.h>
#include <stdint.h>

struct counter {
    _Atomic uint64_t value;
};

/* Adds @n, which may be negative, to a counter. Only one thread writes a counter, so no locked
 * instruction is needed. */
static inline void stat_add(struct counter *c, int64_t n)
{
    atomic_store_explicit(&c->value,
                          atomic_load_explicit(&c->value, memory_order_relaxed) + (uint64_t)n,
                          memory_order_relaxed);
}

/* Returns the value of a counter. On another thread the value may be a moment old. */
static inline uint64_t stat_get(const struct counter *c)
{
    return atomic_load_explicit(&c->value, memory_order_relaxed);
}

#endif
