/* SPDX-License-Identifier: MIT */
/* pace.h - computes how many bytes may be queued towards a peer. The functions only calculate; the
 * caller passes the time. docs/flow-control.md#pace
 *
 * Queued bytes leave before all bytes that come later. So both queues are limited in time: that of
 * the kernel to the bytes that the peer takes in 10 ms (PACE_QUEUE_US), that of the program to
 * those of a tenth of the round trip, if that is less. The kernel's queue keeps the line busy while
 * the program waits for a processor; the program's only makes urgent bytes wait. The peer's rate is
 * measured while the queue is never empty. */
#ifndef H2MUX_H2_PACE_H
#define H2MUX_H2_PACE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    PACE_LEAST = 16 * 1024,   /* one frame; a shorter queue costs more than it saves */
    PACE_MOST = 256 * 1024,   /* reached at 26 MB/s */
    PACE_UNKNOWN = 64 * 1024, /* before anything was learned */
    PACE_QUEUE_US = 10000,
    PACE_AHEAD_LEAST_US = 2000,
    PACE_NEAR_US = 2000, /* up to this round trip the program's queue is as long as the kernel's */
    PACE_TRIP_PART = 10  /* the part of a round trip */
};

struct pace {
    uint64_t rate;     /* bytes a second; 0: not known */
    uint64_t since_us; /* when the present sample began */
    uint64_t bytes;    /* bytes in the sample */
    uint64_t trip_us;  /* the shortest round trip; 0: not known. The owner sets it */
};

/* Counts @bytes that have left the queue between the last call and @now_us. @backlogged: the queue
 * was never empty in this time, so the peer has determined the rate. */
void pace_sent(struct pace *p, uint64_t bytes, uint64_t now_us, bool backlogged);

/* Returns how many bytes may be queued in the kernel. */
size_t pace_queue(const struct pace *p);

/* Returns how many bytes may be queued in the sock besides. */
size_t pace_ahead(const struct pace *p);

#endif
