/* SPDX-License-Identifier: MIT */
/* opener.h - opens URLs in the user's browser, by a process that is started before oneport gives up
 * the right to start programs (cage.h). */
#ifndef CLIENT_OPENER_H
#define CLIENT_OPENER_H

#include "h2mux/base/alloc.h"

/* Starts the process, which ends with this one. Returns a descriptor that opener_open takes and the
 * caller closes; or -1, after a line in the log. No other thread may run. */
int opener_start(void) MUSTCHECK;

/* Has @url, which is printable, opened by xdg-open. A failure is a line in the log. */
void opener_open(int opener, const char *url);

#endif
