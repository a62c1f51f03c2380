/* SPDX-License-Identifier: MIT */
/* retry.h - says when to try again: a backoff with the clock, the dice and the timer that it needs.
 */
#ifndef CLIENT_SERVER_RETRY_H
#define CLIENT_SERVER_RETRY_H

#include "client/server/backoff.h"
#include "h2mux/io/loop.h"

/* Embedded in what tries. */
struct retry {
    struct backoff backoff;
    struct timer timer; /* armed iff a try is to come */
};

void retry_init(struct retry *r, struct loop *l, void (*run)(void *user), void *user);

/* Notes that the last try succeeded: the link is up from now on. */
void retry_worked(struct retry *r);
/* Notes that the server asked the link that is up to end (GOAWAY). Returns true when that link was
 * up for BACKOFF_STEADY_MS, so that the next try may begin at once; otherwise false. */
bool retry_skip(struct retry *r);

/* Notes that a try has failed, or that what worked has ended: `run` is called once, after the
 * backoff's delay or @at_least_ms, whichever is longer. Returns that delay in ms. */
uint64_t retry_later(struct retry *r, uint64_t at_least_ms);
void retry_stop(struct retry *r);

#endif
