/* SPDX-License-Identifier: MIT */
/* retry.h - when to try again: a backoff with the clock, the dice and the timer that it needs. */
#ifndef CLIENT_SERVER_RETRY_H
#define CLIENT_SERVER_RETRY_H

#include "client/server/backoff.h"
#include "h2mux/io/loop.h"

struct retry { /* embedded in what tries */
    struct backoff backoff;
    struct timer timer; /* armed iff a try is to come */
};

void retry_init(struct retry *r, struct loop *l, void (*run)(void *user), void *user);
void retry_worked(struct retry *r); /* it works from now on */
bool retry_skip(struct retry *r);   /* what worked is asked to end: see backoff_skip */
/* It has failed, or what worked has ended: runs once in as many milliseconds as it returns. */
uint64_t retry_later(struct retry *r, uint64_t at_least_ms);
void retry_stop(struct retry *r);

#endif
