/* SPDX-License-Identifier: MIT */
/* drain.h - the stop of the server: graceful at first, at once when it is asked for again.
 * protocol.md#the-server-lets-go. Each worker goes through these states: */
/* draw: the states of a worker's stop
 *
 *   RUNNING ──start──▶ DRAINING ──no ordinary exchange left, or --drain-timeout──▶ CLOSING
 *      │                  │                                                           │
 *      └── stop at once ──┴─────────────────▶ loop stopped ◀── last words were said ──┘
 */
/* DRAINING: the listeners are closed, each link has a GOAWAY, and running exchanges go on.
 * CLOSING: WebSockets have close code 1012 and up to 2 s for their own Close. Worker 0 takes the
 * signals and ends last, so that a second signal reaches everybody. */
#ifndef SRC_DRAIN_H
#define SRC_DRAIN_H

#include "src/worker/server.h"

struct drain;

/* Makes the drain of all workers of @s, which outlive it. */
struct drain *drain_new(struct server *s) MUSTCHECK;
void drain_free(struct drain *d); /* no worker runs any more; NULL is fine */

/* Takes SIGTERM and SIGINT on worker 0's loop: the first starts every worker's drain, the second
 * ends every worker at once. */
void drain_watch_signals(struct drain *d);

/* Ends every worker at once. Any thread may call it. */
void drain_stop_now(struct drain *d);

#endif
