/* SPDX-License-Identifier: MIT */
/* plain.h - says to a person what a warning or an error of the log says to a machine. Pure.
 *
 * @line is an event of the log as text (log.h), without its time and level. */
#ifndef CLIENT_PLAIN_H
#define CLIENT_PLAIN_H

#include "h2mux/base/buf.h"

/* Appends what has happened, with whom, and why. An event that has no words here is its name with
 * blanks, and its pairs. Returns 0 or ERR_LIMIT. */
int plain_event(struct slice line, struct buf *out) MUSTCHECK;

/* Appends what a person can do about it, the line's `advice`; nothing if it has none. Returns 0 or
 * ERR_LIMIT. */
int plain_advice(struct slice line, struct buf *out) MUSTCHECK;

#endif
