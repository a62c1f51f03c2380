/* SPDX-License-Identifier: MIT */
/* translate.h - what a request becomes on its way into a link, and a response on its way out. Pure.
 * http-rules.md#requests-fields-on-the-link, http-rules.md#responses and
 * http-rules.md#websockets */
#ifndef SRC_HTTP_TRANSLATE_H
#define SRC_HTTP_TRANSLATE_H

#include "h2mux/http/message.h"
#include "src/http/failure.h"
#include "src/http/trust.h"

/* What the edge remembers of a request whose fields are rewritten. */
struct translated {
    bool websocket;      /* rules W1: an upgrade that is asked for in order */
    struct slice ws_key; /* the viewer's Sec-WebSocket-Key, borrowed from the head */
    bool expects;        /* Expect: 100-continue that goes on to the origin */
    bool takes_trailers; /* TE: trailers */
};

enum translate_verdict {
    TRANSLATE_OK,
    TRANSLATE_FAIL,   /* answer `failure`, with `reason` for the log */
    TRANSLATE_OPTIONS /* OPTIONS with Max-Forwards: 0: answered here, 204 (RFC 9110 7.6.2) */
};

/* Rewrites @m in place into what the link carries. @node: our name in Via. */
enum translate_verdict translate_request(struct message *m, const struct viewer *v,
                                         const struct peer *peer, const char *node,
                                         struct translated *t, enum failure *failure,
                                         const char **reason) MUSTCHECK;

/* The final head of a response, in place. @websocket: the request asked for one. false: it is no
 * response that can be sent on.
 * @cookie_cut: a cookie's Domain was taken off (rule R15a). */
bool translate_response(struct message *m, struct slice domain, bool *cookie_cut) MUSTCHECK;
void translate_trailers(struct fields *t);

/* 200 of an opened WebSocket becomes the viewer's 101 (W6). */
void translate_websocket_opened(struct message *m, struct slice key);

#endif
