/* SPDX-License-Identifier: MIT */
/* board_call.h - asks the board of a running server, and waits for the answer. For commands, which
 * have nothing else to do meanwhile. */
#ifndef SRC_BOARD_CALL_H
#define SRC_BOARD_CALL_H

#include "h2mux/base/buf.h"

enum { BOARD_CALL_REASON_MAX = 256 };

struct board_ask {
    const char *address; /* as --admin has it */
    const char *token;   /* NULL: none */
    const char *method, *path;
    const char *body; /* JSON; NULL: none */
};

/* Asks, and appends the body of the answer to @out. Returns the status of the answer; or -1, with a
 * sentence in @reason, when there is none. */
int board_call(const struct board_ask *ask, struct buf *out,
               char reason[static BOARD_CALL_REASON_MAX]) MUSTCHECK;

#endif
