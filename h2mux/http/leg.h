/* SPDX-License-Identifier: MIT */
/* leg.h - one end of an exchange, whatever wire is behind it: an HTTP/1.1 connection, an HTTP/2
 * stream.
 *
 * An exchange ties two legs and names the type of neither. It sends by `ops` and is told by
 * `events`.
 *
 * Flow control is the only limit of buffers, and the same for every wire. A leg hands up at most a
 * window of body bytes (on_body) until credit comes back for them. It reports by on_sent how many
 * of the bytes that body() gave it have left towards its peer. The exchange passes on_sent of one
 * leg as credit() to the other. So body() takes all that it is given, and no queue grows past a
 * window.
 *
 * Each direction is: interim heads, a head, body bytes, trailers. `end`, or trailers, end it. A leg
 * is finished when both directions have ended, and after reset or on_reset; it forgets its exchange
 * by itself then (events is NULL).
 *
 * Events may come while an op of the *other* leg is on the stack, never while an op of the same leg
 * is. */
#ifndef H2MUX_HTTP_LEG_H
#define H2MUX_HTTP_LEG_H

#include "h2mux/base/check.h"
#include "h2mux/http/message.h"

struct leg;

/* Why a leg ended before its time. */
struct leg_fault {
    int err;            /* enum err */
    uint32_t h2_code;   /* the code of RFC 9113 7 that the peer gave, or 0 */
    bool unprocessed;   /* the peer provably did nothing with the request: it may be sent again */
    bool refused;       /* the peer's own word for that is REFUSED_STREAM, which some say of
                         * requests that they had begun */
    bool begun;         /* HTTP/1.1: bytes of the awaited head had come */
    const char *reason; /* static text for the log; may be NULL */
};

/* How soon the bytes that a leg is given are due, beside those of others on the same wire. */
enum leg_hint {
    LEG_INTERACTIVE, /* small or awaited: goes before bulk */
    LEG_BULK
};

/* How the next head that a leg is given is framed, and what is added to it. */
struct leg_reply {
    bool to_head;  /* the head answers HEAD: no body follows, whatever the head says */
    bool peer_1_0; /* the peer speaks HTTP/1.0: no chunks, no 1xx; the close delimits */
    bool close;    /* Connection: close */
    bool trailers; /* trailers are welcome: in this answer, or (TE: trailers) in the one to come */
    bool upgrade;  /* Connection: upgrade, for a head whose fields name the protocol */
};

/* Every op checks that the leg is of its own kind. */
struct leg_ops {
    /* Sends a request or a response, whichever way this leg speaks. @m is borrowed for the call. */
    void (*head)(struct leg *leg, const struct message *m, bool end);

    /* Sends body bytes. @data is borrowed for the call; all of it is taken. */
    void (*body)(struct leg *leg, struct slice data, bool end);

    /* Sends trailers, which end the direction. */
    void (*trailers)(struct leg *leg, const struct fields *t);

    /* Lets on_body begin; nothing of the body is read before. A leg that begins by itself ignores
     * this. */
    void (*want_body)(struct leg *leg);

    /* Tells that @bytes of what on_body handed up have left on the other side. */
    void (*credit)(struct leg *leg, size_t bytes);

    /* Gives the leg up; no event follows. Idempotent. */
    void (*reset)(struct leg *leg, const struct leg_fault *why);

    /* Each of the following may be NULL: call it by the function of its name below. */
    char *(*place)(struct leg *leg, size_t bytes);
    bool (*taken)(struct leg *leg, uint64_t *bytes);
    void (*hint)(struct leg *leg, enum leg_hint hint);
    bool (*is_of_many)(struct leg *leg);
    void (*of_many)(struct leg *leg);
    void (*reply)(struct leg *leg, const struct leg_reply *how);
    void (*upgrade)(struct leg *leg);
};

struct leg_events {
    /* The head of a response came; interim ones come too, each by its own call. @end: no body
     * follows. @m is borrowed for the call; its fields may be changed. The leg of a request is
     * handed over with its head (h1_conn_ops.on_head, h2_session_ops.on_stream): NULL for those. */
    void (*on_head)(void *exchange, struct leg *leg, struct message *m, bool end);

    /* Body bytes came. @data is borrowed for the call. */
    void (*on_body)(void *exchange, struct leg *leg, struct slice data, bool end);

    /* Trailers came, and ended the direction. @t is borrowed for the call. */
    void (*on_trailers)(void *exchange, struct leg *leg, struct fields *t);

    /* @bytes of what body() was given have left. */
    void (*on_sent)(void *exchange, struct leg *leg, size_t bytes);

    /* The leg has ended before its time and forgotten its exchange. */
    void (*on_reset)(void *exchange, struct leg *leg, const struct leg_fault *why);

    /* Returns a place for bytes that on_body will hand up next, as leg_place of the other leg gives
     * it, or NULL. May be NULL itself. */
    char *(*on_place)(void *exchange, struct leg *leg, size_t bytes);

    /* Tells what the peer of the other leg has taken, as leg_taken does. May be NULL. */
    bool (*on_taken)(void *exchange, struct leg *leg, uint64_t *bytes);
};

struct leg {
    const struct leg_ops *ops;       /* static */
    const struct leg_events *events; /* static; NULL while no exchange holds this leg */
    void *exchange;                  /* weak: set and cleared by leg_tie and leg_untie */
};

static inline void leg_tie(struct leg *leg, const struct leg_events *events, void *exchange)
{
    leg->events = events;
    leg->exchange = exchange;
}

static inline void leg_untie(struct leg *leg)
{
    leg->events = NULL;
    leg->exchange = NULL;
}

/* Checks that the leg is of some kind, and that it has no exchange that would be told nothing. */
static inline void leg_check(const struct leg *leg)
{
    CHECK_THAT(leg->ops);
    CHECK_THAT(leg->events || !leg->exchange);
}

/* Returns where the bytes of the next body(), up to @bytes of them, may be put, so that they need
 * not be copied there; NULL: nowhere. The place is good until the leg is called again. With 0 the
 * caller gives a place back that it does not need after all. */
static inline char *leg_place(struct leg *leg, size_t bytes)
{
    return leg->ops->place ? leg->ops->place(leg, bytes) : NULL;
}

/* Stores in @bytes how many bytes of whatever kind the peer itself has taken so far; bytes that
 * wait in the kernel are not among them. The number may fall by some bytes when bytes are sent.
 * Returns false if the number is not known. Asks the kernel, which is a system call. */
static inline bool leg_taken(struct leg *leg, uint64_t *bytes)
{
    return leg->ops->taken && leg->ops->taken(leg, bytes);
}

/* Says how soon the bytes that the leg is given from here on are due. */
static inline void leg_hint(struct leg *leg, enum leg_hint hint)
{
    if (leg->ops->hint)
        leg->ops->hint(leg, hint);
}

/* Returns whether @leg is one of several that the same viewer has on its wire. */
static inline bool leg_is_of_many(struct leg *leg)
{
    return leg->ops->is_of_many && leg->ops->is_of_many(leg);
}

/* Says that the leg carries a message of a viewer who has several, so that it leaves some of what
 * legs share to others. Holds until the next message begins. */
static inline void leg_of_many(struct leg *leg)
{
    if (leg->ops->of_many)
        leg->ops->of_many(leg);
}

/* Says how the next head is framed. Holds until the next message begins. */
static inline void leg_reply(struct leg *leg, const struct leg_reply *how)
{
    if (leg->ops->reply)
        leg->ops->reply(leg, how);
}

/* Makes the bytes opaque in both directions from here on: on_body and body carry them, `end` ends
 * one direction. Nobody may look at the head any more. */
static inline void leg_upgrade(struct leg *leg)
{
    if (leg->ops->upgrade)
        leg->ops->upgrade(leg);
}

#endif
