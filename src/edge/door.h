/* SPDX-License-Identifier: MIT */
/* door.h - decides whether a request is let in to a tunnel: by the limits and bans of the server,
 * and by the policies of the tunnel. http-rules.md#policies */
#ifndef SRC_EDGE_DOOR_H
#define SRC_EDGE_DOOR_H

#include "src/tunnels/exchange.h"

/* Lets the request @x, whose head is translated, in to @t: edits its head as the policies say, and
 * gives it the guard that it has to leave. Returns false, with the reason in @why, if it is not let
 * in. */
bool door_admits(struct worker *w, struct tunnel *t, struct exchange_request *x, uint64_t now_us,
                 enum failure *why) MUSTCHECK;

#endif
