/* SPDX-License-Identifier: MIT */
/* drain.h - the stop of one worker: graceful first, at once when asked again. contract.md 3
 * "Leaving".
 *
 * DRAINING: no listeners, GOAWAY on each link, running exchanges go on. CLOSING: WebSockets get
 * 1012 and up to 2 s for their own Close. Worker 0 has the signals and ends last, so that a second
 * one reaches everybody. */

/* draw: the stop of a worker
 *
 *   RUNNING ──start──▶ DRAINING ──no ordinary exchange, --drain-timeout──▶ CLOSING ──▶ STOPPED
 *                        └─────────────────────────── now ───────────────────────────▲ */
#ifndef SRC_DRAIN_H
#define SRC_DRAIN_H

#include "src/worker/worker.h"

struct drain *drain_new(struct worker *w) MUSTCHECK;
void drain_free(struct drain *d);
/* To every worker, by mail: start, or end at once. From any thread. */
void drain_order(struct server *s, bool at_once);

/* TERM and INT, on worker 0's loop: the first starts every worker's drain, the second ends them at
 * once. */
void drain_watch_signals(struct drain *d);

#endif
