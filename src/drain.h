/* SPDX-License-Identifier: MIT */
/* drain.h - stops the server: gracefully at the first signal, at once at the second.
 * protocol.md#the-server-lets-go
 *
 * This module decides when each worker enters its next state, and crew.h drains or ends the objects
 * on the worker. */
/* draw: the states of a worker's stop
 *
 *   RUNNING ──start──▶ DRAINING ──no ordinary exchange left, or --drain-timeout──▶ CLOSING
 *      │                  │                                                           │
 *      └── stop at once ──┴─────────────────▶ loop stopped ◀── last words were said ──┘
 */
/* In DRAINING the listeners and gates are closed, each link has got a GOAWAY, and exchanges go on.
 * In CLOSING no object is left on the worker: WebSockets have got close code 1012, and their
 * viewers have 2 s to answer with a Close frame. Worker 0 takes the signals and ends last, so that
 * a second signal reaches all workers. */
#ifndef SRC_DRAIN_H
#define SRC_DRAIN_H

#include "src/worker/server.h"

struct drain;

/* Makes the drain of @s and its workers, which outlive the drain. SIGTERM and SIGINT wait from then
 * on until drain_watch_signals. */
struct drain *drain_new(struct server *s) MUSTCHECK;

/* Frees @d. No worker's loop may run any more, and no order may be in a mailbox (crew_settle).
 * SIGTERM and SIGINT are blocked from then on. NULL is fine. */
void drain_free(struct drain *d);

/* Takes SIGTERM and SIGINT on the loop of worker 0. The first signal starts the drain of each
 * worker, the second ends each worker at once. */
void drain_watch_signals(struct drain *d);

/* Ends each worker at once. Any thread may call this. */
void drain_stop_now(struct drain *d);

#endif
