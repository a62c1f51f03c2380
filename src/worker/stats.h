/* SPDX-License-Identifier: MIT */
/* stats.h - counts what happens on one worker. Only that worker changes its counters. Any thread
 * may read the counters, and add up the counters of all workers. */
#ifndef SRC_WORKER_STATS_H
#define SRC_WORKER_STATS_H

#include <stdatomic.h>
#include <stdint.h>

struct counter {
    _Atomic uint64_t value;
};

struct worker_stats {
    /* Counted since the start. An evicted stream is a stream that was reset because memory was
     * short. */
    struct counter requests, websockets, bad_requests, register_calls, handoffs, streams_evicted,
        misdirected; /* answered 421, since the name is on another worker */

    /* Sockets of old clients behind a front end that nothing can heal, since the start. */
    struct counter old_sockets_lost;

    /* Open at the moment. */
    struct counter edges_open, links_open, old_sockets_open, exchanges_open, websockets_open;

    /* Bytes of bodies since the start: `rx_bytes` from viewers, `tx_bytes` to viewers. */
    struct counter rx_bytes, tx_bytes;
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
