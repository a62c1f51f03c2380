/* SPDX-License-Identifier: MIT */
/* origin_int.h - is shared by origin.c, origin_crowd.c, origin_dial.c and origin_pool.c. Nobody
 * else includes it.
 *
 * Invariants: `ops` is set iff the connection is leased, and the node is linked iff it is not;
 * `dial` is set only while DIALLING, and `h1` only afterwards; the waiter is linked iff WAITING. A
 * private connection has an owner, and no other one in the pool has. */
#ifndef CLIENT_ORIGIN_ORIGIN_INT_H
#define CLIENT_ORIGIN_ORIGIN_INT_H

#include "client/origin/crowd.h"
#include "client/origin/dial_queue.h"
#include "client/origin/origin.h"
#include "h2mux/base/log.h"

struct origin {
    struct origin_options o;
    struct list_node idle;    /* of origin_conn.node: the pool */
    struct list_node parting; /* likewise: released, and on_done has not been told */
    size_t idle_count;
    size_t private_count;      /* of those */
    struct h1_windows windows; /* of the leased connections */
    struct timer sweep;        /* armed while the pool holds any */
    struct dial_queue queue;   /* of origin_conn.waiter */
    struct log_limit waits;
    struct crowd crowd;
    struct timer crowd_timer; /* armed while a request waits that idle ones may be in the way of */
    struct list_node asking;  /* of origin_conn.asking: the oldest request first */
    size_t asking_count;
    size_t held_count; /* of origin_conn.holds */
    uint64_t hasty_us; /* when it last closed a connection right behind an answer; 0: never */
    bool login_told;   /* the log has said why sign-ins of a connection fail */
};

struct origin_conn {
    struct origin *origin;        /* borrowed: outlives its connections */
    const struct origin_ops *ops; /* static; NULL while nobody has it */
    void *user;                   /* borrowed: ends the lease before it dies */
    struct dial *dial;            /* owned until it has answered */
    struct dial_waiter waiter;    /* in origin->queue while WAITING */
    enum reuse_need need;         /* while WAITING: what will do */
    struct h1_conn *h1;           /* owned */
    struct list_node node;        /* in origin->idle or origin->parting; unlinked while leased */
    uint64_t idle_since_us;
    uint64_t answered_us;    /* when its last response was complete; 0: it has served none */
    uint64_t keep_ms;        /* how long it may be in the pool */
    uint64_t idle_turn;      /* the loop's turn in which it came into the pool */
    struct list_node asking; /* in origin->asking until the first byte of the first answer */
    uint64_t asked_us;       /* when that one's request was written */
    bool holds;              /* it has answered, and the origin has not said that it closes it */
    bool idle;               /* in the pool */
    bool used;               /* an exchange was served */
    bool over;               /* condemned */
    bool body;               /* the request that is being served has one */
    bool spent;              /* no other request may have it: never goes into the pool */
    bool private;            /* it is signed in: the owner alone may have it */

    /* The viewer's connection that leases it, or that it is private to; empty: unknown, or nobody.
     */
    char owner[LOGIN_OWNER_MAX + 1];
    struct reap reap;
};

/* origin.c */

/* Checks the invariants above. */
void origin_conn_check(const struct origin_conn *c);
void origin_check(const struct origin *o);
/* Takes @c out of the list that it is in, if it is in one. */
void origin_unlist(struct origin_conn *c);
/* Returns whether @c is private to @owner. */
bool origin_is_own(const struct origin_conn *c, struct slice owner) MUSTCHECK;
/* Ends the object, and a dial of it. The caller has ended the connection. */
void origin_condemn(struct origin_conn *c);
extern const struct h1_conn_ops origin_conn_ops;

/* origin_crowd.c */

void origin_crowd_init(struct origin *o);
/* Tell of a request that is written on @c, of the first byte of an answer, and that @c is closed or
 * about to be. */
void origin_crowd_ask(struct origin_conn *c);
void origin_crowd_answer(struct origin_conn *c);
void origin_crowd_let_go(struct origin_conn *c);
/* Closes idle connections if a request waits behind them. Called when one has come into the pool.
 */
void origin_crowd_look(struct origin *o);
/* Returns whether one more connection may come into the pool. */
bool origin_crowd_keeps(const struct origin *o) MUSTCHECK;

/* origin_dial.c */

void origin_dial_init(struct origin *o);
/* Makes a connection that dials, or that waits behind others until it may. The caller sets `ops`
 * and `user`. */
struct origin_conn *origin_dial(struct origin *o, enum reuse_need need) MUSTCHECK;

/* origin_pool.c */

void origin_pool_init(struct origin *o);
/* Closes the connections of the pool. */
void origin_pool_close(struct origin *o);
/* Checks the order and the bounds of the pool. */
void origin_pool_check(const struct origin *o);

/* Puts @c, which nobody leases, into the pool, or closes it. */
void origin_pool_put(struct origin_conn *c);
/* Takes a connection out of the pool that the origin has sent nothing on meanwhile: one that is
 * private to @owner (rule D20), else one that is nobody's and will do for @need (rule D16). Returns
 * NULL if there is none. */
struct origin_conn *origin_pool_take(struct origin *o, enum reuse_need need,
                                     struct slice owner) MUSTCHECK;
/* Takes only one that is private to @owner. */
struct origin_conn *origin_pool_take_own(struct origin *o, enum reuse_need need,
                                         struct slice owner) MUSTCHECK;
/* Closes the connection that has been in the pool for longest. */
void origin_pool_drop_oldest(struct origin *o);
/* Returns whether the origin has sent nothing on @c, which is in the pool, and has not closed it.
 */
bool origin_pool_is_quiet(const struct origin_conn *c) MUSTCHECK;
/* Notes that the origin has ended @c, which no answer is owed on or has begun on. */
void origin_pool_note_end(const struct origin_conn *c);

#endif
