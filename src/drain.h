/* drain.h - the stop: graceful on the first signal, at once on the second. contract.md 3 "Leaving".
 *
 *   RUNNING ──TERM, INT──▶ DRAINING ──no ordinary exchange left, or --drain-timeout──▶ CLOSING ──▶ stopped
 *                             └──────────────── second signal ─────────────────────────────────────▶ stopped
 *
 * DRAINING: no listeners, GOAWAY on each link, running exchanges go on. CLOSING: WebSockets get 1012 and up to 2 s for their own Close. */
#ifndef SRC_DRAIN_H
#define SRC_DRAIN_H

#include "src/worker.h"

struct drain;
/* Watches TERM and INT on @w's loop; stops that loop in the end. */
struct drain *drain_new(struct worker *w) MUSTCHECK;
void drain_free(struct drain *d);

#endif
