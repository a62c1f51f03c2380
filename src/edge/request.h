/* SPDX-License-Identifier: MIT */
/* request.h - one request of a viewer: what was asked and by whom, where it goes, and what answers
 * it: an exchange with a tunnel, or the server itself.
 *
 * A request does not know what kind of connection it came by: an HTTP/1.1 connection has one at a
 * time (edge_h1.h); an HTTP/2 connection would have one for each stream. It speaks to the viewer by
 * its leg, and to the connection by `struct request_host`. It is embedded in its connection or
 * stream, and touched by one thread. */

/* draw: a request
 *
 *   request_begin ──▶ request_serve ──▶ answered by the server ──▶ over
 *                          │                                         ▲
 *                          └──▶ exchange (held, open, streaming) ────┘ */
#ifndef SRC_EDGE_REQUEST_H
#define SRC_EDGE_REQUEST_H

#include "h2mux/http/ws.h"
#include "src/names/call.h"
#include "src/tunnels/exchange.h"
#include "src/worker/worker.h"

/* How a request ended, for its connection. */
enum request_end {
    REQUEST_ANSWERED, /* the answer is complete, and the connection may go on */
    REQUEST_CLOSE,    /* the answer is complete, and the connection closes behind it */
    REQUEST_BROKEN,   /* the answer broke off: the viewer must be able to tell */
    REQUEST_STALLED,  /* likewise; the viewer takes nothing, and memory is short: cut at once */
    REQUEST_RESTART,  /* a WebSocket lost its tunnel: it gets close code 1012 */
    REQUEST_GONE      /* the viewer's leg ended by itself; nothing more can be said */
};

/* What a kind of connection does for its requests. @conn is the connection. */
struct request_host {
    /* Returns whether the request was read to its end. */
    bool (*is_whole)(const void *conn);

    /* A WebSocket opened: the head is gone, and opaque bytes follow both ways. */
    void (*upgraded)(void *conn);

    /* The request is over. @frames: of REQUEST_RESTART, where in a frame the viewer's side is. */
    void (*over)(void *conn, enum request_end how, const struct ws_frames *frames);

    /* Gives the connection away to speak another protocol: the caller owns the sock, and the
     * connection and the request are gone. NULL where a request has no connection of its own. */
    struct sock *(*release)(void *conn);
};

struct request {
    const struct request_host *host; /* static */
    void *conn;                      /* borrowed: the connection that embeds this request */
    struct worker *worker;           /* borrowed: outlives its connections */
    struct leg *near;                /* borrowed from the connection */
    const struct peer *peer;         /* borrowed from the connection */
    struct exchange *exchange;       /* weak: NULL unless it runs */
    uint64_t begun_us;               /* monotonic: when its head was complete */
    bool keep_alive;                 /* the viewer lets the connection go on */
    bool to_head;                    /* it is a HEAD */
    bool responding;                 /* a final head was given to the leg */
    struct viewer viewer;
    struct slice accept;         /* borrowed from the head; empty when that is gone */
    struct access_request asked; /* borrowed from the head, or from `kept` */
    char *kept; /* owned: what is told of an open WebSocket's request; NULL before */
};

/* Initialises @r with nothing asked. */
void request_init(struct request *r, struct worker *w, struct leg *near, const struct peer *peer,
                  const struct request_host *host, void *conn);

/* Checks what holds while no exchange is ending. */
void request_check(const struct request *r);

/* Frees what the request owns; no exchange runs any more. */
void request_deinit(struct request *r);

/* Notes who asks for what. @m is borrowed until the request is over or upgraded. */
void request_begin(struct request *r, const struct message *m, bool keep_alive);

/* Forgets what was asked: the head was malformed, so nothing of it is to be believed but the peer's
 * address. */
void request_forget(struct request *r);

/* Serves the request of call @c: by an exchange, or at once. @head_bytes: the length of its head as
 * it came. The request may be over before this returns. */
void request_serve(struct request *r, struct call *c, struct message *m, size_t head_bytes);

/* Answers a malformed request, counts and logs it; the connection closes behind it. @reason: for
 * the log. */
void request_refuse_malformed(struct request *r, enum failure why, const char *reason);

/* The connection ends: what still runs is cancelled. The host is not told. */
void request_cancel(struct request *r);

/* The server stops: a WebSocket gets 1012, anything else breaks or gets 503. */
void request_stop(struct request *r);

#endif
