/* SPDX-License-Identifier: MIT */
/* board.h - the operator's door to a running server: lists tunnels and viewers, ends them, shuts
 * names and networks out, tells metrics. It has listeners of its own (--admin), and never serves a
 * viewer. protocol.md#the-board
 *
 * The board lives on worker 0, whose thread alone touches it. It has at most BOARD_CONNECTIONS at a
 * time, each with one request. */

/* draw: a request
 *
 *   head ▶ judge ──no──▶ 401, 403
 *            └──▶ body ▶ call ──▶ roll (each worker) ──▶ answer ▶ end
 *                         └────────────────────────────────┘ */
#ifndef SRC_BOARD_BOARD_H
#define SRC_BOARD_BOARD_H

#include "src/worker/worker.h"

enum { BOARD_CONNECTIONS = 32, BOARD_REASON_MAX = 512 };

struct board;

/* Binds the address and reads the token, as the options say. Returns NULL, with a sentence in
 * @reason, when one of these fails. */
struct board *board_new(const struct config_admin *options,
                        char reason[static BOARD_REASON_MAX]) MUSTCHECK;

/* Makes @b the board of @w, which is worker 0 and does not run yet: it listens, and crew drains and
 * stops it with the worker. */
void board_start(struct board *b, struct worker *w);

/* Closes the listeners, so that a successor can have them. The connections go on. */
void board_drain(struct board *b);
/* Closes the listeners and the connections. */
void board_stop(struct board *b);
/* Frees a board that was not started, or was stopped. NULL is fine. */
void board_free(struct board *b);

#endif
