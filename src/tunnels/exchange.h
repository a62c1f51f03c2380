/* SPDX-License-Identifier: MIT */
/* exchange.h - carries one request and its response between a viewer's leg (near) and a backend's
 * leg (far), from the routed head to the line in the access log.
 *
 * In HELD the request waits for a backend. In OPEN it has a stream, and no final head has come. In
 * STREAMING the final head was passed on. In UPGRADED a WebSocket is open. In DEAD the exchange is
 * over. */

/* draw: the states of an exchange
 *
 *   HELD ──backend──▶ OPEN ──final head──▶ STREAMING ──both ends──▶ DEAD
 *    │ --hold, queue    │ origin timeout      │ idle, reset            ▲
 *    └──────────────────┴────────────────────┴──────▶ failure ────────┘
 *
 *   OPEN ──2xx to a WebSocket──▶ UPGRADED ──both ends──▶ DEAD
 *   OPEN ──refused unprocessed──▶ HELD, once */
/* Invariants: the near leg is tied to the relay until DEAD. A far leg exists only in OPEN,
 * STREAMING and UPGRADED, and `stream.backend` is set while it exists. Body is kept in `early` only
 * while the relay holds the near side back. An exchange knows legs, tunnels and backends, but no
 * socket and no type of leg. */
#ifndef SRC_TUNNELS_EXCHANGE_H
#define SRC_TUNNELS_EXCHANGE_H

#include "h2mux/http/early.h"
#include "h2mux/http/relay.h"
#include "h2mux/http/ws.h"
#include "h2mux/io/wheel.h"
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

/* The callbacks that the owner of an exchange implements. The exchange is not freed during a call.
 * After on_failure, on_broken, on_restart, on_refused, on_end or on_gone the exchange is DEAD, and
 * the owner drops its pointer to the exchange. */
struct exchange_owner {
    /* Tells that the final head @m is about to be passed to the near leg. The owner tells that leg
     * how to frame the head. When a WebSocket opens, @m is the 101 already. */
    void (*on_response)(void *owner, const struct message *m, bool end);

    /* Tells that the 101 was passed to the near leg. The exchange does not use the request's head
     * any more. */
    void (*on_upgraded)(void *owner);

    /* Tells that no response comes, so that the owner must answer because of @why. Returns the
     * number of bytes in the body of that answer, for the access log. */
    size_t (*on_failure)(void *owner, enum failure why);

    /* Tells that the response broke off after its head, so that the owner must make the break
     * visible to the viewer. @stalled: the viewer took nothing while memory was short. */
    void (*on_broken)(void *owner, bool stalled);

    /* Tells that a WebSocket ends because its link was lost, it was silent too long, or the server
     * stops. The owner closes it with code 1012 (RFC 6455) if @frames says that a frame may
     * begin. */
    void (*on_restart)(void *owner, const struct ws_frames *frames);

    /* Tells that an open WebSocket ends because the tunnel's policy forbids it now. The owner
     * closes it with code 1008, as on_restart does with 1012. */
    void (*on_refused)(void *owner, const struct ws_frames *frames);

    /* Tells that the response is complete. The rest of the request may still be coming. */
    void (*on_end)(void *owner);

    /* Tells that the near leg ended by itself: the viewer left, or the viewer's message was
     * malformed. */
    void (*on_gone)(void *owner);
};

/* Describes a request and its viewer. All pointers are borrowed. They stay valid while the near leg
 * lives; only the head, and slices that borrow from the head, are gone after on_upgraded. */
struct exchange_request {
    struct message *head; /* rewritten by translate_request; NULL in UPGRADED */
    struct translated translated;
    const struct viewer *viewer;
    const struct access_request *asked; /* as it came, for the log */
    struct guard *guard;                /* that has let it in, held by the exchange; NULL: none */
    bool seated;                        /* by that guard, which has to hear of the end */
    char *pass;                         /* owned by the exchange: the viewer gets it; NULL: none */

    /* The exchanges of one viewer's connection that have a stream (stream.beside); NULL: the
     * connection has one request at a time. */
    struct list_node *connection;
    bool end; /* no body follows */
};

struct exchange {
    struct worker *worker; /* borrowed: outlives its exchanges */
    struct list_node node; /* in worker->exchanges until DEAD */
    char name[NAME_MAX_LEN + 1];
    enum exchange_state state;

    /* Passes data between the near leg, the viewer's, and the far leg, the backend's. */
    struct relay relay;

    const struct exchange_owner *ops; /* static */
    void *owner;                      /* borrowed: the request that the near leg belongs to */
    struct exchange_request request;
    struct early *early; /* owned: body that came before the far leg; NULL: none */
    uint64_t started_us; /* monotonic */
    struct wheel_timer timer;
    struct exchange **watcher; /* borrowed: is set to NULL at the end; NULL: nobody watches */
    struct reap reap;

    struct {
        struct tunnel *tunnel; /* weak: set while HELD */
        struct waiter waiter;
        bool queued;       /* HELD for a free stream, not for a backend */
        size_t sockets;    /* queued: as backend.sockets of the one that has no room */
        uint64_t spent_us; /* in HELD */
    } wait;

    struct {
        /* weak: set while the far leg exists, which is reset before the backend goes */
        struct backend *backend;
        bool counted;            /* backend->ops->done has to be called */
        struct share place;      /* among the streams of the backend; not taken for nobody */
        struct list_node beside; /* in request.connection while the far leg exists */
        bool probed;             /* the client was asked for a sign of life */
        bool retried;            /* the request was sent a second time */
    } stream;

    struct {
        int status;              /* what the viewer was told; 0: nothing yet */
        size_t interim_bytes;    /* bytes of interim heads that were passed on */
        struct ws_frames frames; /* UPGRADED: the position in the frames towards the viewer */
        bool stalled;            /* the viewer took nothing, and memory was short */
        const char *error;       /* static: for the log; NULL: none */
    } response;
};

/* Makes an exchange for the request @r on the viewer's leg @near. The exchange calls @ops with
 * @owner, for the last time with on_failure, on_broken, on_restart, on_refused, on_end or on_gone.
 * The exchange takes over the hold of the guard, and leaves the guard at its end. */
struct exchange *exchange_new(struct worker *w, struct leg *near, const struct exchange_request *r,
                              const struct exchange_owner *ops, void *owner) MUSTCHECK;

/* Starts the exchange with the tunnel @t: opens a stream, or waits for a backend, or fails. The
 * exchange may be DEAD when the call returns. */
void exchange_start(struct exchange *x, struct tunnel *t);

/* Ends the exchange because its owner goes, and resets its stream. Calls no callback. @error is
 * written to the access log. */
void exchange_cancel(struct exchange *x, const char *error);

/* Ends the exchange because memory is short and nothing has moved for long: calls on_failure, or
 * on_broken as for a viewer that has stalled. */
void exchange_give_up(struct exchange *x);

/* Ends the exchange because the operator has shut the viewer out: calls on_failure with
 * FAIL_BARRED, on_broken, or on_restart for an open WebSocket. */
void exchange_bar(struct exchange *x);

/* Ends the exchange because the tunnel's policy forbids it now: calls on_failure with @why,
 * on_broken, or on_refused for an open WebSocket. */
void exchange_refuse(struct exchange *x, enum failure why);

/* Gives the exchange, which is HELD, the guard @g in place of the one that it has, which it leaves.
 * @seated: the caller has taken a seat for it. @g may be NULL. */
void exchange_change_guard(struct exchange *x, struct guard *g, bool seated);

/* Ends the exchange because the server stops: calls on_restart for an open WebSocket, and
 * on_failure or on_broken for any other exchange. */
void exchange_stop(struct exchange *x);

#endif
