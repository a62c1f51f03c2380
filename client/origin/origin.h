/* SPDX-License-Identifier: MIT */
/* origin.h - the shared service: keeps a pool of HTTP/1.1 connections to it, which are opened on
 * demand and kept for a while.
 *
 * A lease is one connection while an exchange has it. A connection goes back into the pool only
 * after a whole response, a whole request, and not one byte more: what an origin sends unasked must
 * never be taken for the response to somebody else's request. A connection that somebody signs
 * in is closed, or is private: it serves the viewer's connection that signed it in, and no other.
 */

/* draw: a connection to the origin
 *
 *   origin_acquire ──▶ DIALLING ──on_ready──▶ LEASED ──origin_release──▶ [pool] ──▶ LEASED …
 *                       ▲     │                 │
 *                     WAITING │     on_reset, origin_discard
 *                             └─▶ gone ◀────────┘
 *
 * WAITING: this machine can open no more connections for the moment (dial_queue.h). */
#ifndef CLIENT_ORIGIN_ORIGIN_H
#define CLIENT_ORIGIN_ORIGIN_H

#include "client/origin/login.h"
#include "client/origin/origin_address.h"
#include "client/origin/reuse.h"
#include "h2mux/http/h1_conn.h"
#include "h2mux/io/dial.h"

struct origin;
struct origin_conn;

struct origin_options {
    struct loop *loop;                    /* borrowed: outlives the origin */
    struct resolver *resolver;            /* borrowed: likewise */
    struct tls *tls;                      /* borrowed: likewise; NULL: plain */
    const struct origin_address *address; /* borrowed: likewise */
    const char *tls_name;                 /* borrowed: likewise; NULL: the address's host */
    uint64_t connect_ms;                  /* for DNS, TCP and TLS together */
    uint64_t idle_ms; /* in the pool; below Node's 5 s, so that oneport closes first; 0: no pool */
    enum reuse_policy reuse;
    enum login_policy login;

    /* Counts connections that nobody leases any more and that still send what was queued. Borrowed:
     * outlives the loop. */
    size_t *finishing;

    uint64_t peer_ms; /* an origin that acknowledges nothing for this long is gone; 0: never */
    unsigned spare;   /* descriptors that dials leave for everything else */
};

/* What the user of a lease is told. A failure of the connection comes by the leg's on_reset; the
 * lease is still the user's to discard then. */
struct origin_ops {
    /* The connection is there. */
    void (*on_ready)(void *user);

    /* There is no connection: the lease is over. */
    void (*on_failed)(void *user, enum dial_step step, int err, const char *reason);

    /* The response was read to its end, as h1_conn_ops.on_message_end has it. */
    void (*on_response_end)(void *user);

    /* Both directions are complete, as h1_conn_ops.on_done has it. */
    void (*on_done)(void *user);
};

struct origin *origin_new(const struct origin_options *o) MUSTCHECK;
/* Closes the pool. Every lease has ended. NULL is fine. */
void origin_free(struct origin *o);
const struct origin_address *origin_address(const struct origin *o);
/* Returns whether connections are kept for those who sign in: --origin-login viewer. */
bool origin_keeps_logins(const struct origin *o);

/* Leases a connection that will do for @need, on behalf of the viewer's connection @owner
 * (login.h); empty: it is not known. Never returns NULL. If origin_h1 gives NULL, on_ready or
 * on_failed follows; otherwise the connection is ready. Called from a task, when every socket that
 * has something to say in this turn has said it. */
struct origin_conn *origin_acquire(struct origin *o, enum reuse_need need, struct slice owner,
                                   const struct origin_ops *ops, void *user) MUSTCHECK;
struct h1_conn *origin_h1(const struct origin_conn *c);
/* Returns whether the connection has served a request before: then it may have died in the pool. */
bool origin_was_used(const struct origin_conn *c);

/* Returns whether the connection is signed in, for the one viewer's connection that leases it. */
bool origin_is_private(const struct origin_conn *c);

/* Tells of the request that the lease is for, before its head is written; @bodyless: it is complete
 * with the head. Returns whether the head shall say `Connection: close`, since the connection is
 * not used again. */
bool origin_asks(struct origin_conn *c, const struct message *m, bool bodyless) MUSTCHECK;
/* Tells of each head of the response, interim ones too, before anything is taken out of it. @early:
 * a part of the request's body is not out yet. */
void origin_answers(struct origin_conn *c, const struct message *m, bool early);

/* Tells that the origin has ended the connection before it answered anything; origin_discard
 * follows. */
void origin_lost(const struct origin_conn *c);

/* Ends a lease; no callback follows. The connection goes into the pool if it is fit for it. */
void origin_release(struct origin_conn *c);

enum origin_end {
    ORIGIN_CLOSE, /* at once; what is queued is dropped */
    ORIGIN_FLUSH, /* what is queued leaves before the FIN */
    ORIGIN_ABORT  /* by RST, so that the origin can tell this from an end in order */
};
/* Ends a lease and its connection; no callback follows. NULL is fine. */
void origin_discard(struct origin_conn *c, enum origin_end how);

#endif
