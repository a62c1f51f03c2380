/* SPDX-License-Identifier: MIT */
/* reload.h - SIGHUP and SIGUSR1: what is read again, or opened again, while everything goes on.
 *
 * SIGHUP reads certificate and key anew and opens the access log anew; SIGUSR1 does the latter
 * alone, for log rotation. What cannot be used leaves what was there in place and is one line in
 * the log. Links, viewers and listeners notice nothing. */
#ifndef SRC_RELOAD_H
#define SRC_RELOAD_H

#include "src/worker/worker.h"

/* Both signals wait from here on until somebody watches them, so that one that comes early is late
 * and not fatal. Before any thread starts. */
void reload_hold_signals(void);

/* On the thread of @w, which alone takes signals. */
struct reload;
struct reload *reload_new(struct worker *w) MUSTCHECK;
void reload_free(struct reload *r); /* before its worker */

#endif
