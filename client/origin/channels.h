/* SPDX-License-Identifier: MIT */
/* channels.h - HTTP/2 connections to an origin that speaks it (h2c://, https+h2://), beside the
 * pool of HTTP/1.1 connections (origin.h). RFC 9113.
 *
 * A channel is one connection with its session. One channel carries all requests as streams.
 * Another one is dialled when each has as many streams as the origin allows
 * (MAX_CONCURRENT_STREAMS). A request that finds no room waits, in the order of coming. A channel
 * without streams is closed after a while. One that the origin leaves by GOAWAY serves its streams
 * to their end, and nothing new.
 *
 * A channel sends no PING that the origin has not asked for, since gRPC servers end a connection
 * for that (G36); TCP tells whether the origin's machine is there. */

/* draw: a channel
 *
 *   DIALLING ──▶ GREETING ──SETTINGS──▶ UP ──GOAWAY, ids──▶ LEAVING ──last stream──▶ gone
 *      └─────────────┴── failure, deadline ──┴── lost, idle ────┴────────────────────▲ */
#ifndef CLIENT_ORIGIN_CHANNELS_H
#define CLIENT_ORIGIN_CHANNELS_H

#include "client/origin/failure.h"
#include "client/origin/origin_address.h"
#include "h2mux/h2/evict.h"
#include "h2mux/h2/h2.h"

struct channels;

enum {
    CHANNELS_MAX = 16,          /* connections to one origin */
    CHANNEL_WAIT_MS = 30 * 1000 /* how long a request waits for a stream */
};

struct channels_options {
    struct loop *loop;                    /* borrowed: outlives the channels */
    struct resolver *resolver;            /* borrowed: likewise */
    struct tls *tls;                      /* borrowed: likewise; offers h2; NULL: plain */
    const struct origin_address *address; /* borrowed: likewise */
    const char *tls_name;                 /* borrowed: likewise; NULL: the address's host */
    struct evictor *evictor;              /* borrowed: likewise; has the process's budget */
    uint64_t connect_ms;                  /* for DNS, TCP and TLS together, then for SETTINGS */
    uint64_t idle_ms;                     /* without streams; 0: it ends with its last stream */
    uint64_t peer_ms;  /* an origin that acknowledges nothing for this long is gone; 0: never */
    uint64_t stall_ms; /* a reader that takes nothing for this time may be given up */
};

struct channel_waiter;

/* What a waiter is told. Each wait ends by one of the calls, or by channels_leave. */
struct channel_waiter_ops {
    /* A stream can be opened on @s, inside this call. */
    void (*on_session)(struct channel_waiter *w, struct h2_session *s);
    /* There is no session, because of @f. @step and @reason are for the log, and borrowed for the
     * call. */
    void (*on_failed)(struct channel_waiter *w, const struct failure *f, const char *step,
                      const char *reason);
};

/* One who waits for a stream; embedded in an object, which leaves before it dies. */
struct channel_waiter {
    struct list_node node; /* linked iff waiting */
    uint64_t since_us;
    const struct channel_waiter_ops *ops; /* static */
};

struct channels *channels_new(const struct channels_options *o) MUSTCHECK;
/* Closes all channels, whose streams are reset. Nobody waits. NULL is fine. */
void channels_free(struct channels *all);

/* Lets @w wait for a stream. The answer comes from a task, when every socket that has something to
 * say in this turn has said it. */
void channels_ask(struct channels *all, struct channel_waiter *w);
/* Ends the wait of @w. Does nothing if @w does not wait. */
void channels_leave(struct channel_waiter *w);

#endif
