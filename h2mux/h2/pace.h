/* SPDX-License-Identifier: MIT */
/* pace.h - says how much may be queued towards a peer: pure arithmetic over a clock that the caller
 * reads. docs/flow-control.md#pace
 *
 * Queued bytes are ahead of everything that comes later, so the queue is measured in time: it holds
 * some milliseconds of what the peer takes. That rate is learned from how fast the queue drains
 * while it never runs empty. */
#ifndef H2MUX_H2_PACE_H
#define H2MUX_H2_PACE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    PACE_LEAST = 16 * 1024,   /* a frame: a shorter queue costs more than it saves */
    PACE_MOST = 256 * 1024,   /* from 26 MB/s on */
    PACE_UNKNOWN = 64 * 1024, /* before anything was learned */
    PACE_QUEUE_US = 10000
};

struct pace {
    uint64_t rate;     /* bytes a second; 0: not known */
    uint64_t since_us; /* of the sample that runs */
    uint64_t bytes;    /* in it */
};

/* Counts @bytes that have left the queue until @now_us. @backlogged: the queue was never empty
 * since the last call, so the peer has set the rate. */
void pace_sent(struct pace *p, uint64_t bytes, uint64_t now_us, bool backlogged);

/* Returns how many bytes may be queued in the kernel, and as many again before it. */
size_t pace_queue(const struct pace *p);

#endif
