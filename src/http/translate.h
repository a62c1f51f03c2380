/* SPDX-License-Identifier: MIT */
/* translate.h - rewrites the head of a request for the link, and the head and trailers of a
 * response for the viewer. The functions are pure: they read and write heads and nothing else.
 * http-rules.md#requests-fields-on-the-link, http-rules.md#responses, http-rules.md#websockets */
#ifndef SRC_HTTP_TRANSLATE_H
#define SRC_HTTP_TRANSLATE_H

#include "h2mux/http/message.h"
#include "src/http/failure.h"
#include "src/http/trust.h"

/* Holds facts about a request that its rewritten head no longer shows. */
struct translated {
    bool websocket;      /* it asks for a WebSocket (rule W1) */
    struct slice ws_key; /* its Sec-WebSocket-Key, borrowed from the head */
    bool expects;        /* the origin is asked for 100-continue */
    bool takes_trailers; /* the viewer takes trailers: TE: trailers */
};

enum translate_verdict {
    TRANSLATE_OK,
    TRANSLATE_FAIL, /* the request is refused */

    /* The request is OPTIONS with Max-Forwards: 0, which the server answers with 204 (RFC 9110
     * 7.6.2). */
    TRANSLATE_OPTIONS
};

/* Rewrites the request @m in place for the link, and fills @t. @node is the server's name in Via.
 * Returns TRANSLATE_OK when the request may be passed on. For TRANSLATE_FAIL, sets @failure, and
 * sets @reason for the log. Unless the result is TRANSLATE_OK, only a part of @m may be
 * rewritten. */
enum translate_verdict translate_request(struct message *m, const struct viewer *v,
                                         const struct peer *peer, const char *node,
                                         struct translated *t, enum failure *failure,
                                         const char **reason) MUSTCHECK;

/* Rewrites the head of the response @m in place for the viewer. Returns false when the head cannot
 * be passed on: its status is not between 100 and 599, or its Connection names a field that is not
 * hop-by-hop. Sets @cookie_cut when the Domain of a cookie was removed (rule R15a: a tunnel must
 * not set cookies for other tunnels). */
bool translate_response(struct message *m, struct slice domain, bool *cookie_cut) MUSTCHECK;

/* Sets Strict-Transport-Security in the head of a response to @v if @life_ms is not 0 and the
 * viewer uses https (RFC 6797 7.2). The operator's word replaces an origin's (rule O203). */
void translate_hsts(struct fields *f, const struct viewer *v, uint64_t life_ms);

/* Remove the fields that trailers must not have, as Content-Length or Set-Cookie (rules R13, R19,
 * Q29). @v is the viewer who sent the request. */
void translate_response_trailers(struct fields *t);
void translate_request_trailers(struct fields *t, const struct viewer *v);

/* Turns @m, the 200 by which a link opens a WebSocket, into the viewer's 101 (rule W6: the 101
 * answers the viewer's own key). @key is the viewer's Sec-WebSocket-Key. */
void translate_websocket_opened(struct message *m, struct slice key);

#endif
