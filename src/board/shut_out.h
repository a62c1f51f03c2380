/* SPDX-License-Identifier: MIT */
/* shut_out.h - ends what a new ban is of, on one worker. http-rules.md#the-board */
#ifndef SRC_BOARD_SHUT_OUT_H
#define SRC_BOARD_SHUT_OUT_H

#include "src/limits/bans.h"
#include "src/worker/worker.h"

/* Ends the exchanges of viewers and the links of clients of @w that @ban is of. The ban is in force
 * already. Returns how many there were. */
size_t shut_out(struct worker *w, const struct ban *ban);

#endif
