/* SPDX-License-Identifier: MIT */
/* pace.c - learns a peer's rate from samples of its queue. See pace.h. */
#include "h2mux/h2/pace.h"

enum { SAMPLE_US = 5000, SAMPLE_BYTES = 1024 * 1024 };

/* Adds the rate of one sample (bytes a second) to the average. The old average counts three
 * quarters, because one burst into an empty buffer says little. */
static void learn(struct pace *p, uint64_t rate)
{
    p->rate = p->rate == 0 ? rate : (3 * p->rate + rate) / 4;
}

void pace_sent(struct pace *p, uint64_t bytes, uint64_t now_us, bool backlogged)
{
    if (!backlogged) {
        p->since_us = now_us;
        p->bytes = 0;
        return;
    }
    p->bytes += bytes;
    uint64_t us = now_us - p->since_us;
    if (us == 0 || (us < SAMPLE_US && p->bytes < SAMPLE_BYTES))
        return;
    learn(p, p->bytes * 1000000 / us);
    p->since_us = now_us;
    p->bytes = 0;
}

/* Returns the bytes that the peer takes in @us, within the limits of a queue. */
static size_t bytes_in(const struct pace *p, uint64_t us)
{
    uint64_t bytes = p->rate * us / 1000000;
    if (p->rate == 0)
        return PACE_UNKNOWN;
    if (bytes < PACE_LEAST)
        return PACE_LEAST;
    return bytes < PACE_MOST ? (size_t)bytes : PACE_MOST;
}

size_t pace_queue(const struct pace *p)
{
    return bytes_in(p, PACE_QUEUE_US);
}

size_t pace_ahead(const struct pace *p)
{
    uint64_t us = p->trip_us / PACE_TRIP_PART;
    if (p->trip_us <= PACE_NEAR_US || us > PACE_QUEUE_US)
        us = PACE_QUEUE_US;
    return bytes_in(p, us > PACE_AHEAD_LEAST_US ? us : PACE_AHEAD_LEAST_US);
}
