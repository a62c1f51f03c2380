/* SPDX-License-Identifier: MIT */
/* upgrade.h - asks an HTTP/1.1 server for a WebSocket: makes extended CONNECT a GET with a key of
 * our own, and judges the response. RFC 6455 4, RFC 8441 5; rules W5, W7. Pure. */
#ifndef H2MUX_HTTP_UPGRADE_H
#define H2MUX_HTTP_UPGRADE_H

#include "h2mux/http/message.h"
#include "h2mux/http/ws.h"

/* Makes @m, a judged extended CONNECT, the request to the server, with a new key. Fails with ERR_IO
 * when there are no random bytes. */
int upgrade_request(struct message *m) MUSTCHECK;

enum upgrade_verdict {
    UPGRADE_OPEN,    /* the head has become the 200 that opens the stream */
    UPGRADE_REFUSED, /* the server refuses: the head goes on as it is */
    UPGRADE_BROKEN   /* neither: the viewer gets a 502 */
};
/* Judges the response @m to @request, which is as upgrade_request left it, before
 * hop-by-hop fields are removed. Sets @reason to static text for BROKEN. */
enum upgrade_verdict upgrade_judge(const struct message *request, struct message *m,
                                   const char **reason) MUSTCHECK;

/* Judges the response @m to @request, an extended CONNECT of a stream, in the same way. @end:
 * nothing follows the head, so it opens nothing. */
enum upgrade_verdict upgrade_judge_stream(const struct message *request, struct message *m,
                                          bool end, const char **reason) MUSTCHECK;

#endif
