/* SPDX-License-Identifier: MIT */
/* memory_alarm.h - compares once a second what the process really uses with the limit in force
 * (limits/memory.h), and raises the alarm of the budget. http-rules.md#pools, rules F63 and F64
 *
 * The alarm is the second one: the budget counts what viewers and clients cause, and keeps below
 * half of the limit by default. What it does not count, or counts too low, ends here. */
#ifndef SRC_MEMORY_ALARM_H
#define SRC_MEMORY_ALARM_H

#include "h2mux/io/loop.h"
#include "src/worker/server.h"

struct memory_alarm;

/* Begins to look, once a second on the loop @l. One thread of the process does so. */
struct memory_alarm *memory_alarm_new(struct server *s, struct loop *l) MUSTCHECK;
/* NULL is fine. */
void memory_alarm_free(struct memory_alarm *a);

#endif
