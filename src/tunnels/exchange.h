/* SPDX-License-Identifier: MIT */
/* exchange.h - one request and its response between two legs, from the routed head to the
 * access-log line.
 *
 * The relay passes what the legs say; here heads are judged, a backend is found, time is kept.
 * Invariant: not DEAD → the relay has the near leg. Knows legs, tunnels and backends; nothing of
 * sockets or of either leg's type. */

/* draw: an exchange
 *
 *   HELD ──link──▶ OPEN ──final head──▶ STREAMING ──both ends──▶ DEAD
 *     │ hold, queue  │ origin timeout       │ idle, reset
 *     └──────────────┴──────────────────────┴──▶ failure ──▶ DEAD
 *
 *   OPEN ──2xx to a WebSocket──▶ UPGRADED ──both ends──▶ DEAD
 *   OPEN ──stream refused unprocessed, the first time──▶ HELD */
#ifndef SRC_TUNNELS_EXCHANGE_H
#define SRC_TUNNELS_EXCHANGE_H

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
const char *exchange_state_name(enum exchange_state s);

/* The near side's owner. Each is called with the exchange alive; after on_failure and on_end it is
 * dead. */
struct exchange_owner {
    /* The response head, before it goes to the near leg: the last changes. 101 for an opened
     * WebSocket is in @m already. */
    void (*on_response)(void *owner, const struct message *m, bool end);
    void (*on_upgraded)(void *owner); /* the 101 was written; nobody needs the head any more */
    /* No response head was sent: @why is what the viewer should be told. How many bytes of body
     * that took, for the log. */
    size_t (*on_failure)(void *owner, enum failure why);
    /* A head was sent and the rest will not come: what was sent must not look complete. */
    void (*on_broken)(void *owner,
                      bool stalled); /* @stalled: it takes nothing, and memory is short */
    /* The WebSocket lost its link, or the server stops: RFC 6455 close code 1012, if @frames says
     * that a frame may begin. */
    void (*on_restart)(void *owner, const struct ws_frames *frames);
    void (*on_end)(void *owner);  /* the response is complete; the request may still be coming */
    void (*on_gone)(void *owner); /* the near leg ended: the viewer left, or its message is bad */
};

/* What is known of the viewer and the request; all borrowed as long as the near leg lives, but for
 * the head and what borrows from it: they are gone once on_upgraded was called. */
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
    struct relay relay;    /* near: the viewer's leg; far: the stream, from OPEN until it is over */
    struct backend *backend; /* weak: set with far; far resets before its backend is freed */
    struct tunnel *tunnel;   /* weak: set while HELD (a waiter) */
    char name[NAME_MAX_LEN + 1];
    enum exchange_state state;
    const struct exchange_owner *ops; /* static */
    void *owner;                      /* borrowed: the edge that the near leg belongs to */
    struct exchange_request request;
    struct waiter waiter;
    bool queued; /* HELD for a free stream, not for a link */
    bool retried, probed, stalled;
    bool counted;
    int status;
    struct ws_frames frames; /* UPGRADED: the direction towards the viewer */
    uint64_t started_us;     /* monotonic */
    uint64_t wait_us;        /* spent HELD */
    size_t interim_bytes;    /* of heads before the final one, passed on */
    const char *error;       /* static: for the log */
    struct timer timer;
    struct reap reap;
};

/* Starts at once: may answer, wait, or open a stream before it returns. @owner holds the result
 * until on_failure, on_broken, on_restart or on_end. */
struct exchange *exchange_new(struct worker *w, struct leg *near, const struct exchange_request *r,
                              const struct exchange_owner *ops, void *owner) MUSTCHECK;
void exchange_start(struct exchange *x, struct tunnel *t);
/* The viewer left, or its connection broke, or its message was malformed: the stream is reset. No
 * callback. @error: for the log. */
void exchange_cancel(struct exchange *x, const char *error);
/* SIGTERM's deadline: a WebSocket gets its 1012, anything else breaks. */
void exchange_stop(struct exchange *x);

#endif
