/* SPDX-License-Identifier: MIT */
/* request.h - serves one request of a viewer: notes what was asked and by whom, and has it answered
 * by an exchange with a tunnel, by a built-in, or with an error.
 *
 * Invariants: a request is embedded in its connection or stream. At most one exchange runs for it,
 * whose owner it is. The thread of its worker alone touches it.
 *
 * A request does not know what kind of connection it came by: an HTTP/1.1 connection has one at a
 * time (edge_h1.h), an HTTP/2 connection would have one for each stream. It speaks to the viewer by
 * its leg and to the connection by `struct request_host`. */

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

/* How a request ended, which tells its connection what to do. */
enum request_end {
    REQUEST_ANSWERED, /* the answer is complete, and the connection may go on */
    REQUEST_CLOSE,    /* the answer is complete, and the connection closes behind it */
    REQUEST_BROKEN,   /* the answer broke off, and the viewer must be able to tell */
    REQUEST_STALLED,  /* the viewer reads nothing and memory is short: the connection is cut */
    REQUEST_RESTART,  /* a WebSocket lost its tunnel: the viewer gets close code 1012 */
    REQUEST_GONE      /* the viewer's leg ended by itself, and nothing more can be sent */
};

/* What each kind of connection implements for its requests. @conn is the connection. */
struct request_host {
    /* Returns whether the request was read to its end. */
    bool (*is_whole)(const void *conn);

    /* Tells that a WebSocket has opened: the head is gone, and opaque bytes follow both ways. */
    void (*upgraded)(void *conn);

    /* Tells that the request is over. For REQUEST_RESTART, @frames says whether the viewer has got
     * a part of a frame. */
    void (*over)(void *conn, enum request_end how, const struct ws_frames *frames);

    /* Gives the connection up so that its sock can speak another protocol. Returns the sock, which
     * the caller owns; the connection and the request are gone. NULL for a kind of connection whose
     * requests share one sock. */
    struct sock *(*release)(void *conn);
};

struct request {
    const struct request_host *host; /* static */
    void *conn;                      /* borrowed: the connection that embeds this request */
    struct worker *worker;           /* borrowed: outlives its connections */
    struct leg *near;                /* borrowed from the connection */
    const struct peer *peer;         /* borrowed from the connection */
    struct exchange *exchange;       /* weak: NULL unless one runs */
    uint64_t begun_us;               /* monotonic: when its head was complete */
    bool keep_alive;                 /* the viewer allows further requests on the connection */
    bool to_head;                    /* the method is HEAD */
    bool responding;                 /* a final head was given to the leg */
    struct viewer viewer;
    struct slice accept;         /* borrowed from the head; empty when that is gone */
    struct access_request asked; /* borrowed from the head, or from `kept` */
    char *kept;                  /* owned: texts of `asked` once a WebSocket is open; NULL before */
};

/* Initialises @r, which has nothing to serve yet. All pointers are borrowed. */
void request_init(struct request *r, struct worker *w, struct leg *near, const struct peer *peer,
                  const struct request_host *host, void *conn);

/* Checks the invariants. Not to be called while the exchange is ending. */
void request_check(const struct request *r);

/* Frees what the request owns. No exchange may run. */
void request_deinit(struct request *r);

/* Notes what is asked and by whom. @m is borrowed until the request is over or upgraded. */
void request_begin(struct request *r, const struct message *m, bool keep_alive);

/* Forgets what was asked, since the head was malformed. The peer's address alone is still known. */
void request_forget(struct request *r);

/* Serves the request @m of the call @c, whose head had @head_bytes. The request may be over before
 * this returns. */
void request_serve(struct request *r, struct call *c, struct message *m, size_t head_bytes);

/* Answers a malformed request with @why, counts it, and logs it with @reason. The connection closes
 * behind the answer. */
void request_refuse_malformed(struct request *r, enum failure why, const char *reason);

/* Cancels the exchange, if one runs, because the connection ends. The host is not told. */
void request_cancel(struct request *r);

/* Ends the exchange, if one runs, because the server stops. The host is told: an open WebSocket
 * ends with REQUEST_RESTART, a request without an answer gets 503, and any other ends with
 * REQUEST_BROKEN. */
void request_stop(struct request *r);

#endif
