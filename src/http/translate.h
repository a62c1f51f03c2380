/* SPDX-License-Identifier: MIT */
/* translate.h - rewrites the head of a request for the link, and the head and trailers of a
 * response for the viewer. The functions are pure: they need a head and nothing else.
 * http-rules.md#requests-fields-on-the-link, http-rules.md#responses, http-rules.md#websockets */
#ifndef SRC_HTTP_TRANSLATE_H
#define SRC_HTTP_TRANSLATE_H

#include "h2mux/http/message.h"
#include "src/http/failure.h"
#include "src/http/trust.h"

/* Facts about a request that its rewritten head does not show any more. */
struct translated {
    bool websocket;      /* it asks for a WebSocket (rule W1) */
    struct slice ws_key; /* its Sec-WebSocket-Key, borrowed from the head */
    bool expects;        /* the origin is asked for 100-continue */
    bool takes_trailers; /* the viewer takes trailers: TE: trailers */
};

enum translate_verdict {
    TRANSLATE_OK,
    TRANSLATE_FAIL,   /* the request is refused */
    TRANSLATE_OPTIONS /* OPTIONS with Max-Forwards: 0: the server answers 204 (RFC 9110 7.6.2) */
};

/* Rewrites the request @m in place for the link, and fills @t. @node is the server's name in Via.
 * For TRANSLATE_FAIL it sets @failure, and @reason for the log. Unless it returns TRANSLATE_OK, @m
 * may be rewritten in part. */
enum translate_verdict translate_request(struct message *m, const struct viewer *v,
                                         const struct peer *peer, const char *node,
                                         struct translated *t, enum failure *failure,
                                         const char **reason) MUSTCHECK;

/* Rewrites the head of the response @m in place for the viewer. Returns false when the head cannot
 * be passed on: its status is not between 100 and 599, or its Connection names a field that is not
 * hop-by-hop. Sets @cookie_cut when it has removed the Domain of a cookie (rule R15a). */
bool translate_response(struct message *m, struct slice domain, bool *cookie_cut) MUSTCHECK;

/* Remove the fields that trailers must not have (rules R13, R19, Q29). @v: who sent the request. */
void translate_response_trailers(struct fields *t);
void translate_request_trailers(struct fields *t, const struct viewer *v);

/* Turns the 200 with which a link opens a WebSocket into the viewer's 101 (rule W6). @key: the
 * viewer's Sec-WebSocket-Key. */
void translate_websocket_opened(struct message *m, struct slice key);

#endif
