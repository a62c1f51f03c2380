/* SPDX-License-Identifier: MIT */
/* backoff.h - computes how long to wait before the next try: exponential, with full jitter, never
 * beyond a cap. Pure: time and randomness are arguments.
 *
 * What has worked only briefly does not reset the backoff, so a server that accepts and drops at
 * once is not hammered. But that server was there, so the next try comes within a lower cap than
 * where nobody answers. */
#ifndef CLIENT_SERVER_BACKOFF_H
#define CLIENT_SERVER_BACKOFF_H

#include <stdbool.h>
#include <stdint.h>

enum {
    BACKOFF_FIRST_MS = 200,     /* the first retry comes within this */
    BACKOFF_CAP_MS = 30 * 1000, /* and every later one within this */
    BACKOFF_BRIEF_MS = 5000,    /* but within this after the end of what had worked briefly */
    BACKOFF_STEADY_MS = 1000    /* what has worked for so long makes the next failure a first one */
};

struct backoff {
    uint32_t failures; /* in a row */
    uint64_t bound_ms; /* of the next delay; 0: BACKOFF_FIRST_MS */
    uint64_t up_us;    /* monotonic: since when it has worked; 0: it has failed since */
};

/* Notes that it works, since @now_us. */
void backoff_up(struct backoff *b, uint64_t now_us);

/* Notes that a try has failed, or that the connection has ended. Returns the milliseconds to wait
 * before the next try: a random part, chosen by the random number @dice, of a bound that grows. */
uint64_t backoff_next_ms(struct backoff *b, uint64_t now_us, uint32_t dice);

/* Notes that the server asked the connection that is up to end. Returns true when that connection
 * was up for BACKOFF_STEADY_MS: the next try needs no delay, and the failures are forgotten.
 * Returns false otherwise, also when the server asks again before the next connection was up that
 * long. */
bool backoff_skip(struct backoff *b, uint64_t now_us);

#endif
