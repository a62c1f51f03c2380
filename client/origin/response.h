/* SPDX-License-Identifier: MIT */
/* response.h - judges the heads of the local service's responses: what the viewer gets of each.
 * Rules R1-R8, W5. Pure. */
#ifndef CLIENT_ORIGIN_RESPONSE_H
#define CLIENT_ORIGIN_RESPONSE_H

#include "client/origin/failure.h"
#include "client/origin/rewrite.h"
#include "h2mux/http/leg.h"

/* The request that a response answers. All is borrowed for the call. */
struct response_asked {
    const struct message *request;  /* as it went to the origin */
    struct slice scheme, authority; /* as the viewer gave them */
    bool websocket;                 /* the request asked for a WebSocket */
    bool wants_continue;            /* the viewer waits for a 100 */
    bool grpc;                      /* the request is a call of gRPC */
    bool by_stream;                 /* it goes to the origin on a stream of HTTP/2 */
};

/* The interim heads that a request has had. */
struct response_interim {
    unsigned count; /* those that the viewer wants, whether they were passed on or not */
    size_t bytes;   /* of the fields that were passed on */
};

enum response_kind {
    RESPONSE_DROPPED, /* an interim head that the viewer does not want, or one too many */
    RESPONSE_INTERIM, /* the head goes on, and another one follows */
    RESPONSE_FINAL,   /* the head goes on */
    RESPONSE_OPEN,    /* the head has become the 200 that opens a WebSocket, and goes on */
    RESPONSE_WRONG    /* the viewer is told of the failure `why` instead */
};

struct response_verdict {
    enum response_kind kind;
    enum leg_hint hint;        /* FINAL, OPEN: how soon what follows is due */
    bool end;                  /* FINAL: nothing goes on behind the head */
    bool cut;                  /* FINAL: what the origin sends behind the head is not read (R8) */
    const struct failure *why; /* WRONG, static */
    const char *step, *reason; /* WRONG, static: for the log */
};

/* Judges the head @m and makes it fit for the link. @end: nothing follows it. Counts interim heads
 * in @seen. */
struct response_verdict response_judge(const struct response_asked *asked, const struct rewrite *w,
                                       struct response_interim *seen, struct message *m,
                                       bool end) MUSTCHECK;

#endif
