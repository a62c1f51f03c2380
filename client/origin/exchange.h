/* SPDX-License-Identifier: MIT */
/* exchange.h - one request of a viewer and its response: a stream of the link, a connection of the
 * origin, and the relay between them.
 *
 * The near leg is the stream, the far leg the connection, or a stream of a channel where the origin
 * speaks HTTP/2. The exchange leases the connection, judges the response, keeps the time, and ends
 * both. The near stream says RST(NO_ERROR) by itself when a response is complete before its upload
 * (D12).
 *
 * Invariants:
 *   - `conn` is set from CONNECTING until the response is complete, or the lease has failed; never
 *     where `by_stream` is, which waits in the channels while CONNECTING;
 *   - the far leg is the leg of `conn`, or a channel's: from when the request's head was written to
 * it until both directions are complete;
 *   - an answer is kept in `again` only while its request has no body, nothing of it was passed on,
 *     and the state is KEEPING, or CONNECTING or WAITING for a second one;
 *   - what comes of the request's body before the origin can take it waits in `early`, bounded by
 *     the stream's first window; nothing waits there once the body passes;
 *   - the exchange is among its owner's until on_end, which comes once. */

/* draw: an exchange
 *
 *   CONNECTING ──origin there──▶ WAITING ──head──▶ RELAYING ──all read──▶ SENDING ──all left──┐
 *        ▲ ▲                       │ │ │                                                      │
 *        │ └─ stale connection ────┘ │ └──101──▶ OPEN (opaque both ways) ──both FIN──▶ DEAD ◀─┤
 *        └─ by another name ── KEEPING ──it stays so──▶ RELAYING, SENDING                     │
 *                                                                                             │
 *   any state: near reset, failure of the origin, a timer ────────────────────────────────────┘
 */
#ifndef CLIENT_ORIGIN_EXCHANGE_H
#define CLIENT_ORIGIN_EXCHANGE_H

#include "client/origin/again.h"
#include "client/origin/channels.h"
#include "client/origin/host_choice.h"
#include "client/origin/origin.h"
#include "client/origin/response.h"
#include "h2mux/base/log.h"
#include "h2mux/http/early.h"
#include "h2mux/http/relay.h"
#include "h2mux/io/wheel.h"

struct exchange;

enum exchange_state {
    EXCHANGE_CONNECTING,
    EXCHANGE_WAITING,
    EXCHANGE_KEEPING, /* the answer may refuse the name that was asked for: it is kept (again.h) */
    EXCHANGE_RELAYING,
    EXCHANGE_SENDING, /* the origin is through; the link has not taken all of it yet */
    EXCHANGE_OPEN,
    EXCHANGE_DEAD
};

/* How long an exchange may wait, in ms; 0: for ever. */
struct exchange_times {
    uint64_t origin_ms;    /* for the whole response head, from the end of the upload */
    uint64_t idle_ms;      /* for a byte of a body, in either direction */
    uint64_t websocket_ms; /* for a byte of a WebSocket, in either direction */
};

/* How an exchange went. All is borrowed for the call. */
struct exchange_report {
    struct slice method, path; /* as the viewer gave them */
    int status;                /* what the viewer was told; 0: cut off before a response */
    uint64_t ms;               /* from the request's head to the end */
    uint64_t bytes;            /* of the response's body, or of a WebSocket, towards the viewer */
    uint64_t viewer;           /* as exchange.viewer */
};

/* What the exchanges of a process share; it outlives them until on_end. */
struct exchange_env {
    struct loop *loop;         /* borrowed: outlives the exchanges */
    struct origin *origin;     /* borrowed: likewise */
    struct channels *channels; /* borrowed: likewise; NULL: the origin speaks HTTP/1.1 */
    struct host_choice *host;  /* borrowed: likewise */
    struct exchange_times times;
    struct log_limit failures;
    uint64_t copied;    /* bytes of requests that may have to be sent again, of all exchanges */
    bool knows_viewers; /* exchange.viewer is wanted */

    /* The exchange has ended: the owner forgets it. */
    void (*on_end)(void *user, struct exchange *x, const struct exchange_report *r);
    void *user;
};

struct exchange {
    struct exchange_env *env;     /* borrowed: outlives every exchange */
    struct list_node node;        /* the owner's */
    struct relay relay;           /* between the stream and the origin's connection */
    struct origin_conn *conn;     /* borrowed: leased from the origin */
    struct channel_waiter waiter; /* by_stream: linked while CONNECTING */
    bool by_stream;               /* the far leg is a stream of a channel */
    enum exchange_state state;
    struct {
        struct message head; /* owned: as it goes to the origin; empty when OPEN */
        struct slice method; /* the viewer's: static, or in the head's arena */
        struct slice path;   /* the viewer's: in the head's arena, or `kept` when OPEN */
        char *kept;          /* owned: NULL before OPEN */
        bool bodyless;       /* the request was complete with its head */
        struct early *copy;  /* owned: all of the body that has come, by_stream; NULL: none */
        uint32_t copied;     /* bytes in it, which count in env->copied */
        bool wants_trailers; /* the viewer takes trailers */
        struct slice owner;  /* the viewer's connection (login.h): in the head's arena, or empty */
    } request;
    struct response_asked asked;   /* what the responses are judged by */
    const struct rewrite *rewrite; /* by which the request was changed; of env->host */
    struct again *again;           /* owned: the answer that is kept; NULL: none (again.h) */
    struct early *early;           /* owned: what came before the origin could take it; or NULL */
    struct {
        int status; /* what the viewer was told; 0: nothing yet */
        struct response_interim interim;
    } response;
    struct {
        struct task task;
        enum reuse_need need;
        bool retried; /* the request was sent a second time */
    } connect;
    uint64_t started_us; /* monotonic */
    uint64_t viewer;     /* stands for the address of the viewer; 0: it is not known */
    struct wheel_timer timer;
    struct reap reap;
};

/* Makes the exchange of the request @m, which came by @near; @end: it has no body. Takes what @m
 * holds. The owner puts the exchange among its own, then starts it. */
struct exchange *client_exchange_new(struct exchange_env *env, struct leg *near, struct message *m,
                                     bool end) MUSTCHECK;

/* Judges the request and begins to serve it. The exchange may have ended when this returns. */
void client_exchange_start(struct exchange *x);

/* Ends the exchange at once: its connection is given up as @how says, its stream lives on alone. */
void client_exchange_close(struct exchange *x, enum origin_end how);

#endif
