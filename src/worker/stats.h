/* SPDX-License-Identifier: MIT */
/* stats.h - counters of one worker. Their worker alone writes them; any thread may read them and
 * sum them over the workers. */
#ifndef SRC_WORKER_STATS_H
#define SRC_WORKER_STATS_H

#include <stdatomic.h>
#include <stdint.h>

struct counter {
    _Atomic uint64_t value;
};

struct worker_stats {
    struct counter requests, websockets, bad_requests, register_calls,
        handoffs;                   /* since the start */
    struct counter streams_evicted; /* streams that were reset because memory was short */
    struct counter edges_open, links_open, exchanges_open, websockets_open; /* at the moment */
    struct counter rx_bytes, tx_bytes; /* of bodies, as viewers send and receive them */
};

/* Adds @n to a counter. A counter has one writer, so no locked instruction is needed; a reader may
 * see a value that is a moment old. */
static inline void stat_add(struct counter *c, int64_t n)
{
    atomic_store_explicit(&c->value,
                          atomic_load_explicit(&c->value, memory_order_relaxed) + (uint64_t)n,
                          memory_order_relaxed);
}

/* Returns the value of a counter. */
static inline uint64_t stat_get(const struct counter *c)
{
    return atomic_load_explicit(&c->value, memory_order_relaxed);
}

#endif
