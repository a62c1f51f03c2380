/* SPDX-License-Identifier: MIT */
/* reload.h - reads and opens files again on a signal, while the server runs.
 *
 * SIGHUP reads the configuration file, the certificate and its key, the keys of tickets, and the
 * tokens file again and reopens the access log. Options that can change at run time are applied; a
 * line of the log names those that need a restart. SIGUSR1 reopens the access log alone, for log
 * rotation. When a new file cannot be used, the old file stays in use and an error is logged.
 * Connections and listeners are not touched. */
#ifndef SRC_RELOAD_H
#define SRC_RELOAD_H

#include "src/worker/worker.h"

/* Blocks both signals until reload_new, so that an early signal waits instead of ending the
 * process. Must be called before any thread starts. */
void reload_hold_signals(void);

struct reload;

/* Acts on both signals on the loop of @w. The calling thread must be the thread of @w, and the only
 * thread that gets signals. */
struct reload *reload_new(struct worker *w) MUSTCHECK;

/* Blocks both signals and frees @r. Must be called before the worker is freed. */
void reload_free(struct reload *r);

#endif
