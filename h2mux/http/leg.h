/* SPDX-License-Identifier: MIT */
/* leg.h - one end of an exchange, whatever wire is behind it: an HTTP/1.1 connection, an HTTP/2
 * stream.
 *
 * An exchange ties two legs and names neither's type. It sends by `ops` and is told by `events`.
 * Flow control is the only buffer policy, and the same for every wire: a leg hands up at most a
 * window of body bytes (on_body) until credit comes back for them, and reports by on_sent how many
 * of the bytes given to body() have left towards its peer; whoever ties two legs passes on_sent of
 * the one to credit() of the other. So body() takes everything and nobody's queue grows past a
 * window.
 *
 * Order per direction: [head(1xx)…] head, body…, trailers?; `end` (or trailers) ends that
 * direction. A leg is finished when both directions have ended or after reset/on_reset; then it
 * forgets its exchange by itself (events NULL).
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
    uint32_t h2_code;   /* the RFC 9113 7 code, when the peer gave one; else 0 */
    bool unprocessed;   /* the peer provably did nothing with it: it may be sent again */
    bool begun;         /* HTTP/1.1: bytes of the head that is waited for had come */
    const char *reason; /* static text for the log; may be NULL */
};

/* How soon what a leg is given is due, beside what others on the same wire are given. */
enum leg_hint {
    LEG_INTERACTIVE, /* small or awaited: before bulk */
    LEG_BULK
};

/* How the next head that a leg is given is framed, and what is added to it. */
struct leg_reply {
    bool to_head;  /* the answer to HEAD: no body follows whatever the head says */
    bool peer_1_0; /* no chunks, no 1xx; close-delimited */
    bool close;    /* Connection: close */
    bool trailers; /* trailers are welcome: in this answer, or (TE: trailers) in the one to come */
    bool upgrade;  /* Connection: upgrade, for a head whose fields name the protocol */
};

/* Every op checks that the leg is of its own kind. */
struct leg_ops {
    /* A request or a response, whichever way this leg speaks. @m is borrowed for the call. */
    void (*head)(struct leg *leg, const struct message *m, bool end);
    void (*body)(struct leg *leg, struct slice data,
                 bool end); /* @data is borrowed for the call; all of it is taken */
    void (*trailers)(struct leg *leg, const struct fields *t); /* ends the direction */
    void (*want_body)(struct leg *leg); /* its on_body may begin: until then nothing is read. Legs
                                           that begin by themselves ignore it */
    void (*credit)(struct leg *leg,
                   size_t bytes); /* bytes of its on_body that have left on the other side */
    void (*reset)(struct leg *leg,
                  const struct leg_fault *why); /* gives up; no event follows. Idempotent */
    /* Where the next body()'s bytes, up to @bytes of them, may be put by whoever has them: then
     * they need not be copied there. NULL, or no such op: nowhere. Good until the leg is next
     * called. With 0 it is not needed after all. */
    char *(*place)(struct leg *leg, size_t bytes);
    /* Bytes that the peer itself has taken so far, as they leave; what waits in the kernel is not
     * among them. NULL: not known. */
    uint64_t (*taken)(struct leg *leg);
    /* The three that a wire may have no use for, NULL then: call them by the functions below. */
    void (*hint)(struct leg *leg, enum leg_hint hint);
    void (*reply)(struct leg *leg, const struct leg_reply *how);
    void (*upgrade)(struct leg *leg);
};

struct leg_events {
    /* The head of a response, interim ones too, each with its own call; @end: no body follows. @m
     * is borrowed for the call; its fields may be changed. A request's leg is handed over with its
     * head (h1_conn_ops.on_head, h2_session_ops.on_stream): NULL where it is tied to that. */
    void (*on_head)(void *exchange, struct leg *leg, struct message *m, bool end);
    void (*on_body)(void *exchange, struct leg *leg, struct slice data, bool end);
    void (*on_trailers)(void *exchange, struct leg *leg, struct fields *t);
    void (*on_sent)(void *exchange, struct leg *leg, size_t bytes);
    void (*on_reset)(void *exchange, struct leg *leg, const struct leg_fault *why);
    /* A place for bytes that on_body will hand up next: the other leg's, or NULL. May be NULL
     * itself. */
    char *(*on_place)(void *exchange, struct leg *leg, size_t bytes);
    /* What the other leg's peer has taken, of whatever: whether it moves at all. May be NULL. */
    uint64_t (*on_taken)(void *exchange, struct leg *leg);
};

struct leg {
    const struct leg_ops *ops;       /* static */
    const struct leg_events *events; /* static; NULL while no exchange holds this leg */
    void *exchange;                  /* weak: set and cleared by leg_tie / leg_untie */
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

/* Checks that a leg is of some kind, and that nobody is its exchange without being told. */
static inline void leg_check(const struct leg *leg)
{
    CHECK_THAT(leg->ops);
    CHECK_THAT(leg->events || !leg->exchange);
}

static inline char *leg_place(struct leg *leg, size_t bytes)
{
    return leg->ops->place ? leg->ops->place(leg, bytes) : NULL;
}

static inline uint64_t leg_taken(struct leg *leg)
{
    return leg->ops->taken ? leg->ops->taken(leg) : 0;
}

/* What the leg is given from here on is as urgent as @hint says. */
static inline void leg_hint(struct leg *leg, enum leg_hint hint)
{
    if (leg->ops->hint)
        leg->ops->hint(leg, hint);
}

/* Says how the next head is framed. Holds until the next message begins. */
static inline void leg_reply(struct leg *leg, const struct leg_reply *how)
{
    if (leg->ops->reply)
        leg->ops->reply(leg, how);
}

/* From here on the bytes are opaque in both directions: on_body and body carry them, `end` is the
 * end of one direction. Nobody may look at the head any more. */
static inline void leg_upgrade(struct leg *leg)
{
    if (leg->ops->upgrade)
        leg->ops->upgrade(leg);
}

#endif
