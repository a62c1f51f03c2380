/* SPDX-License-Identifier: MIT */
/* watchdog.h - tells the supervisor regularly that every worker still acts on its events.
 *
 * A letter goes from worker to worker. When it is back at worker 0, the supervisor gets
 * WATCHDOG=1. So one worker that hangs keeps the message away, and the supervisor ends the process
 * and starts it anew (systemd.service(5), WatchdogSec=). */
#ifndef SRC_WATCHDOG_H
#define SRC_WATCHDOG_H

#include "src/worker/server.h"

struct watchdog;

/* Opens the supervisor of @s (notify.h), and starts the rounds on the loop of worker 0 if it waits
 * for them: four in the time that it allows. The workers of @s exist, and no other thread runs yet.
 */
struct watchdog *watchdog_new(struct server *s);

/* Ends the rounds and closes the supervisor. The letters of the workers are settled (crew_settle),
 * and the workers are not freed yet. NULL is fine. */
void watchdog_free(struct watchdog *d);

#endif
