/* SPDX-License-Identifier: MIT */
/* judge.h - decides whether a request may see or change what the board shows. Pure.
 * http-rules.md#the-board
 *
 * On a unix socket the kernel says who asks: us, or root. Elsewhere only a token does; that a peer
 * is on this machine says nothing about its user. A page of another site must not reach the board
 * through the operator's browser: Host has to be a literal address or localhost, so no name of a
 * stranger leads here (DNS rebinding), and an Origin has to be the board's own. */
#ifndef SRC_BOARD_JUDGE_H
#define SRC_BOARD_JUDGE_H

#include <sys/types.h>

#include "h2mux/http/message.h"

enum { BOARD_TOKEN_MIN = 16, BOARD_TOKEN_MAX = 256 };

/* Where a request came in. */
struct board_door {
    bool local;         /* a unix socket */
    uid_t uid;          /* local: of the process that asks */
    uid_t we;           /* local: of this process */
    struct slice token; /* not local: what opens the door; never empty */
};

enum board_verdict {
    BOARD_MAY,
    BOARD_NO_TOKEN, /* 401 */
    BOARD_FORBIDDEN /* 403 */
};

/* Judges the request @m. @open: it shows nothing of the server, so no token is needed. @changes: it
 * changes something. Sets @reason to a sentence when the verdict is not BOARD_MAY. */
enum board_verdict board_judge(const struct board_door *d, const struct message *m, bool open,
                               bool changes, const char **reason);

#endif
