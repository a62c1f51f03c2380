/* SPDX-License-Identifier: MIT */
/* crowd.h - finds out whether idle connections keep the origin from serving others. Pure: the
 * caller names the time.
 *
 * A server with one thread that keeps connections alive reads from one of them until that closes;
 * all others wait. So when a request has waited for its first byte on a fresh connection, the idle
 * ones are closed. An answer that then comes at once makes the origin suspect; a second one, after
 * a longer wait, so that a service that is merely slow answers before the close, makes it one of
 * `few`. Such an origin keeps one idle connection, and none while a request waits. An origin that
 * has answered a fresh connection beside N others that were open is known to serve N + 1, and is
 * left alone below that (rule D18). */
#ifndef CLIENT_ORIGIN_CROWD_H
#define CLIENT_ORIGIN_CROWD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct crowd {
    size_t served;        /* connections that it was seen to serve side by side; at least 1 */
    uint64_t served_us;   /* when that was last seen */
    unsigned helped;      /* closes in a row that brought an answer */
    bool few;             /* it serves as many as `served` and no more */
    uint64_t closed_us;   /* when idle ones were closed last; 0: never, or judged already */
    uint64_t patience_us; /* how long a request waits before that */
    uint64_t pause_us;    /* no close before */
};

/* What is open at a time. */
struct crowd_view {
    uint64_t now_us;
    uint64_t asked_us; /* when the oldest request was written that waits on a fresh connection */
    uint64_t idle_us;  /* since when the connection is idle that came into the pool first */
    size_t waiting;    /* requests that wait on fresh connections */
    size_t idle;       /* connections in the pool */
    size_t held;       /* connections that have served and stay open, idle or in use */
};

enum { CROWD_NEVER = -1 };

void crowd_init(struct crowd *c);

/* Returns after how many ms idle connections are to be closed for a request that waits, 0: now, or
 * CROWD_NEVER as long as @v does not change. */
int64_t crowd_due_ms(struct crowd *c, const struct crowd_view *v);
/* Notes that idle connections are closed now. Returns how many: the oldest ones. */
size_t crowd_close(struct crowd *c, const struct crowd_view *v);
/* Notes the first byte on a fresh connection, of which the request was written at @asked_us. @v has
 * what is open beside it. */
void crowd_answered(struct crowd *c, const struct crowd_view *v, uint64_t asked_us);
/* Returns whether one more connection may be idle. */
bool crowd_keeps(const struct crowd *c, const struct crowd_view *v);

#endif
