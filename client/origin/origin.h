/* SPDX-License-Identifier: MIT */
/* origin.h - the shared service: a pool of HTTP/1.1 connections to it, opened on demand and kept
 * for a while.
 *
 * A lease is one connection while an exchange has it. A connection goes back only after a whole
 * answer, a whole request, and not one byte more: what an origin sends unasked must never be taken
 * for the answer to somebody else's request. */

/* draw: a connection to the origin
 *
 *   origin_acquire ──▶ DIALLING ──on_ready──▶ LEASED ──origin_release──▶ [pool] ──▶ LEASED …
 *                         │                     │
 *                     on_failed     on_reset, origin_discard
 *                         └─────────▶ gone ◀────┘ */
#ifndef CLIENT_ORIGIN_ORIGIN_H
#define CLIENT_ORIGIN_ORIGIN_H

#include "client/origin/origin_address.h"
#include "h2mux/http/h1_conn.h"
#include "h2mux/io/dial.h"

struct origin;
struct origin_conn;

struct origin_options {
    struct loop *loop;                    /* borrowed: outlives the origin */
    struct resolver *resolver;            /* borrowed: likewise */
    struct tls *tls;                      /* borrowed: likewise; NULL: plain */
    const struct origin_address *address; /* borrowed: likewise */
    uint64_t connect_ms;                  /* DNS, TCP and TLS together */
    size_t *finishing; /* borrowed, outlives the loop: connections that nobody leases any more and
                          that are not through with what was queued */
    uint64_t idle_ms;  /* in the pool; below Node's 5 s, so that we close first */
};

struct origin_ops {
    void (*on_ready)(void *user);
    void (*on_failed)(void *user, enum dial_step step, int err,
                      const char *reason); /* the lease is over */
    /* As in h1_conn_ops. What goes wrong is told by the leg's on_reset; the lease is still the
     * user's to discard then. */
    void (*on_answered)(void *user);
    void (*on_done)(void *user);
};

struct origin *origin_new(const struct origin_options *o) MUSTCHECK;
void origin_free(struct origin *o); /* every lease was given back */
const struct origin_address *origin_address(const struct origin *o);

/* From a task, so that every socket that has something to say in this turn has said it. @fresh: not
 * one from the pool. Never NULL. When origin_h1() gives NULL, on_ready or on_failed will follow;
 * else it is ready. */
struct origin_conn *origin_acquire(struct origin *o, bool fresh, const struct origin_ops *ops,
                                   void *user) MUSTCHECK;
struct h1_conn *origin_h1(const struct origin_conn *c);
bool origin_was_used(
    const struct origin_conn *c); /* it has served before: it may have died in the pool */

/* End of a lease; no callback follows. Release: into the pool if it is fit for it. */
void origin_release(struct origin_conn *c);
enum origin_end {
    ORIGIN_CLOSE, /* at once; what is queued is dropped */
    ORIGIN_FLUSH, /* what is queued leaves before the FIN */
    ORIGIN_ABORT  /* RST, so that the origin can tell it from an end in order */
};
void origin_discard(struct origin_conn *c, enum origin_end how); /* NULL is fine */

#endif
