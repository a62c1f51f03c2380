/* SPDX-License-Identifier: MIT */
/* request.h - serves one request of a viewer: notes the request and its viewer, and lets an
 * exchange with a tunnel, a built-in or an error page answer it.
 *
 * Invariants: a request is embedded in its connection or stream. It owns at most one exchange. Only
 * the thread of its worker touches a request.
 *
 * A request does not know the kind of its connection: an HTTP/1.1 connection has one request at a
 * time (edge_h1.h), and an HTTP/2 connection has one for each stream (edge_h2.h). The request sends
 * to the viewer through its leg, and calls the connection through `struct request_host`. */

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

/* Tells a connection how its request ended. */
enum request_end {
    REQUEST_ANSWERED, /* the answer is complete, and the connection may go on */
    REQUEST_CLOSE,    /* the answer is complete, and the connection must close */
    REQUEST_BROKEN,   /* the answer broke off, and the viewer must see the break */
    REQUEST_STALLED,  /* the viewer reads nothing while memory is short: cut */
    REQUEST_RESTART,  /* a WebSocket lost its tunnel: the viewer gets close code 1012 */
    REQUEST_REFUSED,  /* a WebSocket is forbidden by now: the viewer gets close code 1008 */
    REQUEST_BY_HTTP1, /* HTTP/2: the viewer has to ask again over HTTP/1.1 (rule D44) */
    REQUEST_GONE      /* the viewer's leg ended by itself, and nothing more can be sent */
};

/* The functions that each kind of connection implements for its requests. @conn is the
 * connection. */
struct request_host {
    /* Returns whether the request was read to its end. */
    bool (*is_whole)(const void *conn);

    /* Tells that a WebSocket has opened: the request's head is gone, and opaque bytes follow in
     * both directions. */
    void (*upgraded)(void *conn);

    /* Tells that the request is over. @how says what the connection must do. For REQUEST_RESTART
     * and REQUEST_REFUSED, @frames says whether the viewer has got a part of a frame. */
    void (*over)(void *conn, enum request_end how, const struct ws_frames *frames);

    /* Gives the connection up so that its sock can carry another protocol. Returns the sock, which
     * the caller then owns. The connection and the request are over then. The pointer is NULL for a
     * kind of connection whose requests share one sock. */
    struct sock *(*release)(void *conn);
};

struct request {
    const struct request_host *host; /* static */
    void *conn;                      /* borrowed: the connection that embeds this request */
    struct worker *worker;           /* borrowed: outlives its connections */
    struct leg *near;                /* borrowed from the connection */
    struct peer *peer;               /* borrowed from the connection */
    struct exchange *exchange;       /* weak: NULL unless one runs */
    struct list_node *beside;        /* borrowed: exchange_request.connection */
    uint64_t begun_us;               /* monotonic: when its head was complete */
    bool keep_alive;                 /* the viewer allows further requests on the connection */
    bool to_head;                    /* the method is HEAD */
    bool responding;                 /* a final head was given to the leg */
    struct viewer viewer;
    struct slice accept;         /* borrowed from the head; empty when the head is gone */
    bool grpc;                   /* the request is a call of gRPC */
    struct access_request asked; /* borrowed from the head, or from `kept` */
    char *kept;                  /* owned: texts of `asked` once a WebSocket is open; NULL before */
};

/* Initialises @r, which has nothing to serve yet. All pointers are borrowed. */
void request_init(struct request *r, struct worker *w, struct leg *near, struct peer *peer,
                  const struct request_host *host, void *conn);

/* Checks the invariants of the request. Must not be called while the exchange is ending. */
void request_check(const struct request *r);

/* Frees the memory that the request owns. No exchange may run then. */
void request_deinit(struct request *r);

/* Notes the request with the head @m and its viewer. @m is borrowed until the request is over or a
 * WebSocket has opened. @keep_alive: the viewer allows further requests on the connection. */
void request_begin(struct request *r, const struct message *m, bool keep_alive);

/* Forgets the last request, because the next head is malformed or late. Only the peer's address is
 * known then. */
void request_forget(struct request *r);

/* Serves the request @m of the call @c, whose head had @head_bytes. The request may be over when
 * the call returns. */
void request_serve(struct request *r, struct call *c, struct message *m, size_t head_bytes);

/* Answers a malformed request with @why, counts it, and logs it with @reason. Closes the connection
 * after the answer. */
void request_refuse_malformed(struct request *r, enum failure why, const char *reason);

/* Counts a malformed request, and logs it with @reason. @status is that of its answer, or 0 when
 * its stream is reset. */
void request_note_malformed(struct worker *w, const char *reason, int status, const char *viewer);

/* Answers 405 to a method that no route has. */
void request_refuse_method(struct request *r);

/* Answers 421, since another worker has the name, and counts it (rule E9). */
void request_refuse_misdirected(struct request *r);

/* Answers 503, since there is no descriptor for one viewer of a tunnel more. Closes the connection
 * after the answer. */
void request_refuse_busy(struct request *r);

/* Ends the exchange, if there is one, because memory is short and nothing has moved for long. A
 * request without an answer gets 503 and its connection closes; any other ends with
 * REQUEST_STALLED. */
void request_give_up(struct request *r);

/* Cancels the exchange, if there is one, because the connection ends. Does not call the host. */
void request_cancel(struct request *r);

/* Ends the exchange, if there is one, because the server stops. Calls `over` of the host: an open
 * WebSocket ends with REQUEST_RESTART, a request without an answer gets 503, and any other ends
 * with REQUEST_BROKEN. */
void request_stop(struct request *r);

#endif
