/* SPDX-License-Identifier: MIT */
/* upgrade.h - a WebSocket towards the origin: extended CONNECT becomes a GET with a key of ours.
 * RFC 6455 4, RFC 8441 5; rules W5, W7. Pure. */
#ifndef CLIENT_ORIGIN_UPGRADE_H
#define CLIENT_ORIGIN_UPGRADE_H

#include "h2mux/http/message.h"
#include "h2mux/http/ws.h"

/* @m: a judged extended CONNECT. Becomes the origin's request, with a key of its own. ERR_IO: no
 * randomness. */
int upgrade_request(struct message *m) MUSTCHECK;

enum upgrade_verdict {
    UPGRADE_OPEN,    /* @m has become the 200 that opens the stream */
    UPGRADE_REFUSED, /* the origin's refusal: goes on as it is */
    UPGRADE_BROKEN   /* neither: 502 */
};
/* @request: as upgrade_request left it. @m: the origin's answer, before translate_from_origin.
 * @reason: static text, for BROKEN. */
enum upgrade_verdict upgrade_answer(const struct message *request, struct message *m,
                                    const char **reason) MUSTCHECK;

#endif
