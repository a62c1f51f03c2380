/* SPDX-License-Identifier: MIT */
/* backoff.h - how long to wait before the next try: exponential, full jitter, never beyond a cap.
 *
 * Pure: time and randomness are arguments. What was up only briefly does not reset it, so a server
 * that accepts and drops at once is not hammered; but it was there, so the next try comes within a
 * lower cap than where nobody answers. */
#ifndef CLIENT_SERVER_BACKOFF_H
#define CLIENT_SERVER_BACKOFF_H

#include <stdbool.h>
#include <stdint.h>

enum {
    BACKOFF_FIRST_MS = 200,     /* the first retry comes within this */
    BACKOFF_CAP_MS = 30 * 1000, /* and every later one within this */
    BACKOFF_BRIEF_MS = 5000,    /* but within this where the failure is the end of what was up */
    BACKOFF_STEADY_MS = 1000    /* up for this long: the next failure is a first one again */
};

struct backoff {
    uint32_t failures; /* in a row */
    uint64_t bound_ms; /* of the next delay; 0: BACKOFF_FIRST_MS */
    uint64_t up_us;    /* since when it has worked, last; 0: it failed since */
};

/* It works since @now_us. */
void backoff_up(struct backoff *b, uint64_t now_us);

/* A try has failed, or what worked has ended: the delay before the next try, made from the random
 * number @dice. */
uint64_t backoff_next_ms(struct backoff *b, uint64_t now_us, uint32_t dice);

/* What worked is asked to end: whether it has lasted, so that the next try needs no delay. For one
 * try only: whoever lets us go again before it worked has no second one for nothing. */
bool backoff_skip(struct backoff *b, uint64_t now_us);

#endif
