/* SPDX-License-Identifier: MIT */
/* exchange.h - one request and its response between a viewer's leg and a backend's leg, from the
 * routed head to the line in the access log. */

/* draw: the states of an exchange
 *
 *   HELD ──backend──▶ OPEN ──final head──▶ STREAMING ──both ends──▶ DEAD
 *    │ --hold, queue    │ origin timeout      │ idle, reset            ▲
 *    └──────────────────┴────────────────────┴──────▶ failure ────────┘
 *
 *   OPEN ──2xx to a WebSocket──▶ UPGRADED ──both ends──▶ DEAD
 *   OPEN ──refused unprocessed──▶ HELD, once */
/* Invariants: the near leg is tied to the relay until DEAD. There is a far leg only in OPEN,
 * STREAMING and UPGRADED, and then `stream.backend` is set. Body is kept in `early` only while the
 * relay holds the near side. An exchange knows legs, tunnels and backends; it knows no socket and
 * no type of leg. */
#ifndef SRC_TUNNELS_EXCHANGE_H
#define SRC_TUNNELS_EXCHANGE_H

#include "h2mux/http/early.h"
#include "h2mux/http/relay.h"
#include "h2mux/http/ws.h"
#include "src/http/access.h"
#include "src/http/answer.h"
#include "src/http/translate.h"
#include "src/tunnels/tunnel.h"
#include "src/worker/worker.h"

enum exchange_state {
    EXCHANGE_HELD,
    EXCHANGE_OPEN,
    EXCHANGE_STREAMING,
    EXCHANGE_UPGRADED,
    EXCHANGE_DEAD
};
/* Returns the state's name in lower case, for logs. */
const char *exchange_state_name(enum exchange_state s);

/* What the owner of an exchange is told. The exchange lives during each call; after on_failure,
 * on_broken, on_restart, on_end and on_gone it is dead, and the owner forgets it. */
struct exchange_owner {
    /* The head of the final response is about to go to the near leg. The owner says how it is
     * framed. For a WebSocket that opens, @m is the 101 already. */
    void (*on_response)(void *owner, const struct message *m, bool end);

    /* The 101 was given to the near leg. The request's head is not needed any more. */
    void (*on_upgraded)(void *owner);

    /* There is no response: the owner answers @why. Returns the bytes of that answer's body, for
     * the access log. */
    size_t (*on_failure)(void *owner, enum failure why);

    /* The response broke off after its head: the owner makes sure that the viewer can tell.
     * @stalled: the viewer took nothing, and memory is short. */
    void (*on_broken)(void *owner, bool stalled);

    /* A WebSocket lost its link, or the server stops: the owner closes it with RFC 6455's code 1012
     * if @frames says that a frame may begin. */
    void (*on_restart)(void *owner, const struct ws_frames *frames);

    /* The response is complete. The request may still be coming. */
    void (*on_end)(void *owner);

    /* The near leg ended by itself: the viewer left, or its message was malformed. */
    void (*on_gone)(void *owner);
};

/* What is known of the viewer and the request. All is borrowed as long as the near leg lives, but
 * for the head and what borrows from it: they are gone once on_upgraded was called. */
struct exchange_request {
    struct message *head; /* as translate_request left it; NULL: UPGRADED */
    struct translated translated;
    const struct viewer *viewer;
    const struct access_request *asked; /* as it came, for the log */
    bool end;                           /* no body follows */
};

struct exchange {
    struct worker *worker; /* borrowed: outlives its exchanges */
    struct list_node node; /* in worker->exchanges until DEAD */
    char name[NAME_MAX_LEN + 1];
    enum exchange_state state;
    struct relay relay; /* near: the viewer's leg; far: the backend's, from OPEN until it is over */
    const struct exchange_owner *ops; /* static */
    void *owner;                      /* borrowed: the request that the near leg belongs to */
    struct exchange_request request;
    struct early *early; /* owned: body that came while there was no far leg; NULL: none */
    uint64_t started_us; /* monotonic */
    struct timer timer;
    struct reap reap;

    struct {
        struct tunnel *tunnel; /* weak: set while HELD */
        struct waiter waiter;
        bool queued;       /* HELD for a free stream, not for a backend */
        uint64_t spent_us; /* in HELD */
    } wait;

    struct {
        /* weak: set with the far leg, which is reset before its backend goes */
        struct backend *backend;
        bool counted; /* backend->ops->done has to be called */
        bool probed;  /* the client was asked for a sign of life */
        bool retried; /* the request was sent a second time */
    } stream;

    struct {
        int status;              /* what the viewer was told; 0: nothing yet */
        size_t interim_bytes;    /* of heads before the final one that were passed on */
        struct ws_frames frames; /* UPGRADED: where in a frame the side towards the viewer is */
        bool stalled;            /* the viewer took nothing, and memory was short */
        const char *error;       /* static: for the log; NULL: none */
    } response;
};

/* Makes an exchange of the viewer's leg @near. @owner gets what exchange_owner says until
 * on_failure, on_broken, on_restart, on_end or on_gone. */
struct exchange *exchange_new(struct worker *w, struct leg *near, const struct exchange_request *r,
                              const struct exchange_owner *ops, void *owner) MUSTCHECK;

/* Starts at once: opens a stream, waits, or fails before it returns. */
void exchange_start(struct exchange *x, struct tunnel *t);

/* Ends the exchange because its owner goes; the stream is reset. The owner is not told. @error: for
 * the log. */
void exchange_cancel(struct exchange *x, const char *error);

/* Ends the exchange because the server stops: a WebSocket gets its 1012, anything else breaks. */
void exchange_stop(struct exchange *x);

#endif
