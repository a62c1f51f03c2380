/* SPDX-License-Identifier: MIT */
/* door.h - decides whether a request is let in to a tunnel: by the limits and bans of the server,
 * and by the policies of the tunnel. http-rules.md#policies */
#ifndef SRC_EDGE_DOOR_H
#define SRC_EDGE_DOOR_H

#include "src/policies/login.h"
#include "src/tunnels/exchange.h"

enum door_verdict {
    DOOR_OPEN,
    DOOR_CHECKS,  /* the password of the viewer has to be checked before (sign_in.h) */
    DOOR_ANSWERS, /* the door itself: the viewer has come by a link with a key */
    DOOR_REFUSES
};

/* What comes of a request. */
struct door_reply {
    struct login_look look; /* DOOR_CHECKS */
    struct answer answer;   /* DOOR_ANSWERS: the caller sends it */
    enum failure why;       /* DOOR_REFUSES */
};

/* Judges the request @x, whose head is translated. Unless it is refused, edits its head as the
 * policies of @t say, and gives it the guard that it has to leave, but for DOOR_ANSWERS. */
enum door_verdict door_judge(struct worker *w, struct tunnel *t, struct exchange_request *x,
                             uint64_t now_us, struct door_reply *out) MUSTCHECK;

#endif
