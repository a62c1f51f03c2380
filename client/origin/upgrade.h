/* SPDX-License-Identifier: MIT */
/* upgrade.h - opens a WebSocket at the origin: makes extended CONNECT a GET with a key of oneport's
 * own, and judges the response. RFC 6455 4, RFC 8441 5; rules W5, W7. Pure. */
#ifndef CLIENT_ORIGIN_UPGRADE_H
#define CLIENT_ORIGIN_UPGRADE_H

#include "h2mux/http/message.h"
#include "h2mux/http/ws.h"

/* Makes @m, a judged extended CONNECT, the request to the origin, with a new key. Fails with ERR_IO
 * when there are no random bytes. */
int upgrade_request(struct message *m) MUSTCHECK;

enum upgrade_verdict {
    UPGRADE_OPEN,    /* the head has become the 200 that opens the stream */
    UPGRADE_REFUSED, /* the origin refuses: the head goes on as it is */
    UPGRADE_BROKEN   /* neither: the viewer gets a 502 */
};
/* Judges the response @m to @request, which is as upgrade_request left it, before
 * translate_from_origin. Sets @reason to static text for BROKEN. */
enum upgrade_verdict upgrade_judge(const struct message *request, struct message *m,
                                   const char **reason) MUSTCHECK;

#endif
