/* SPDX-License-Identifier: MIT */
/* stats.h - counts what happens on one worker. Only that worker changes its counters. Any thread
 * may read the counters, and add up the counters of all workers. */
#ifndef SRC_WORKER_STATS_H
#define SRC_WORKER_STATS_H

#include "src/worker/histogram.h"

enum { STATS_OUTCOMES = 6 };

struct worker_stats {
    /* Counted since the start. An evicted stream is a stream that was reset because memory was
     * short. */
    struct counter requests, websockets, bad_requests, register_calls, handoffs, streams_evicted,
        misdirected; /* answered 421, since the name is on another worker */

    /* Sockets of old clients behind a front end that nothing can heal, since the start. */
    struct counter old_sockets_lost;

    /* Open at the moment. */
    struct counter edges_open, links_open, old_sockets_open, exchanges_open, websockets_open;

    /* Exchanges that are over, by the first digit of their status; [0] has those without one. */
    struct counter outcomes[STATS_OUTCOMES];

    struct histogram held;       /* how long requests waited for a backend, of those that did */
    struct histogram first_byte; /* from the stream to the final head of the response */

    /* Bytes of bodies since the start: `rx_bytes` from viewers, `tx_bytes` to viewers. */
    struct counter rx_bytes, tx_bytes;
};

#endif
