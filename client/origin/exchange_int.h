/* SPDX-License-Identifier: MIT */
/* exchange_int.h - what exchange.c, answer.c and exchanges.c share; nobody else includes it. */
#ifndef CLIENT_ORIGIN_EXCHANGE_INT_H
#define CLIENT_ORIGIN_EXCHANGE_INT_H

#include "client/origin/exchange.h"
#include "client/origin/failure.h"
#include "h2mux/base/log.h"
#include "h2mux/http/relay.h"

/* draw: an exchange
 *
 *   CONNECTING ──origin there──▶ WAITING ──head──▶ RELAYING ──all read──▶ SENDING ──all left──┐
 *        ▲                         │  │                                                       │
 *        └─ stale pool connection ─┘  └──101──▶ OPEN (opaque both ways) ──both FIN──▶ DEAD ◀──┤
 *                                                                                             │
 *   any state: near reset, failure of the origin, a timer ────────────────────────────────────┘
 */
enum exchange_state {
    EXCHANGE_CONNECTING,
    EXCHANGE_WAITING,
    EXCHANGE_RELAYING,
    EXCHANGE_SENDING, /* the origin is through; the link has not taken all of it yet */
    EXCHANGE_OPEN,
    EXCHANGE_DEAD
};

struct exchanges {
    struct exchanges_options o;
    struct list_node list; /* of exchange.node */
    size_t ordinary, websockets;
    struct task quiet;
    struct log_limit failures;
};

struct exchange {
    struct exchanges *all; /* borrowed: outlives every exchange */
    struct list_node node; /* in all->list until DEAD */
    struct relay relay;    /* near: the stream; far: conn's leg, from when the request is written */
    struct origin_conn *conn; /* borrowed: leased from the origin */
    enum exchange_state state;
    struct message request; /* owned: as it goes to the origin, all strings in its arena; empty when
                               OPEN */
    struct slice scheme, authority, path, method; /* of the viewer, in the request's arena; OPEN:
                                                     path in `kept`, the others empty or static */
    char *kept;             /* owned: what is still told of an OPEN one's request; NULL before */
    struct buf early;       /* body bytes that came before far could take them */
    struct fields trailers; /* owned: likewise */
    bool websocket, wants_trailers, wants_continue;
    bool bodyless; /* the request was complete with its head */
    bool retried;
    bool fresh; /* no connection out of the pool will do */
    struct task connect;
    unsigned interim;
    size_t interim_bytes; /* of the heads that were passed on */
    int status;           /* what the viewer was told; 0: nothing yet */
    uint64_t started_us;
    struct timer timer;
    struct reap reap;
};

/* exchange.c */
void exchange_connect(struct exchange *x, bool fresh); /* behind this turn's callbacks */
void exchange_run_connect(void *exchange);
void exchange_forget_request(struct exchange *x); /* but for its path: it opened, maybe for hours */
void exchange_run_timer(void *exchange);
void exchange_arm(struct exchange *x);         /* the timer, for the present state */
void exchange_flush_early(struct exchange *x); /* far takes body bytes from now on */
/* A definite answer while there is none yet, else the answer is cut so that the viewer can tell.
 * Ends the exchange. */
void exchange_fail(struct exchange *x, const struct failure *f, const char *step,
                   const char *reason);
void exchange_refuse(struct exchange *x, const char *step,
                     const char *reason); /* RST_STREAM(PROTOCOL_ERROR); ends it */
void exchange_close(struct exchange *x, enum origin_end how);
extern const struct relay_ops exchange_relay_ops;

/* answer.c: a head from the origin. May end the exchange. */
void answer_head(struct exchange *x, struct message *m, bool end);

/* exchanges.c */
void exchanges_remove(struct exchange *x);

#endif
