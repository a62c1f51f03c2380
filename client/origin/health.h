/* SPDX-License-Identifier: MIT */
/* health.h - asks the shared service for one path again and again, so that the sharer sees whether
 * it answers: --health. Rule O230.
 *
 * Each time is a GET by the service's own name, on a connection of its own, or a stream where the
 * service speaks HTTP/2 (rule D45), and counts as no request of a viewer. An answer below 500 is a
 * good one; its body is not read. A request that runs when the object is freed is given up. */
#ifndef CLIENT_ORIGIN_HEALTH_H
#define CLIENT_ORIGIN_HEALTH_H

#include "client/origin/channels.h"
#include "client/origin/origin.h"

struct health;

enum health_state {
    HEALTH_UNKNOWN, /* not asked yet */
    HEALTH_GOOD,
    HEALTH_BAD, /* an answer of 500 or above */
    HEALTH_AWAY /* no answer */
};

/* What was seen last. */
struct health_look {
    enum health_state state;
    int status;         /* GOOD, BAD */
    uint64_t ms;        /* GOOD, BAD: from the request to the head */
    const char *reason; /* AWAY: borrowed until the next call of the loop */
};

/* All pointers are borrowed and outlive the object. */
struct health_options {
    struct loop *loop;
    struct origin *origin;
    struct channels *channels; /* NULL: the origin speaks HTTP/1.1 */
    const char *path;          /* begins with a slash */
};

/* Begins to ask at once. Never returns NULL. */
struct health *health_new(const struct health_options *o) MUSTCHECK;
void health_free(struct health *h); /* NULL is fine */

/* Returns what was seen last; of NULL: nothing. */
struct health_look health_seen(const struct health *h) MUSTCHECK;

#endif
