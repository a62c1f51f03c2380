/* SPDX-License-Identifier: MIT */
/* reload.h - reads and opens files again on a signal, while the server runs.
 *
 * SIGHUP reads the certificate and its key again and reopens the access log. SIGUSR1 reopens the
 * access log alone, for log rotation. When a file cannot be used the old one stays in use, and the
 * log says so. Connections and listeners are not touched, and no option is read again. */
#ifndef SRC_RELOAD_H
#define SRC_RELOAD_H

#include "src/worker/worker.h"

/* Blocks both signals until reload_new, so that an early one waits instead of ending the process.
 * Called before any thread starts. */
void reload_hold_signals(void);

struct reload;

/* Takes both signals on the loop of @w, whose thread must be the calling one and the only one that
 * gets signals. */
struct reload *reload_new(struct worker *w) MUSTCHECK;

/* Blocks both signals and frees @r, before its worker is freed. */
void reload_free(struct reload *r);

#endif
