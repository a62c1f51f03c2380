/* SPDX-License-Identifier: MIT */
/* backend.h - what a tunnel gives requests to: one attached client, whatever its wire.
 *
 * A tunnel chooses among its backends and an exchange opens a leg on the one that it is given;
 * neither knows what is behind. An HTTP/2 link of a client (link.h) is a backend. Raw sockets of
 * old clients, another node, or a cache would be others. A backend is embedded in the object that
 * implements it; it leaves its tunnel (tunnel_leave) before it is freed. One thread touches it. */
#ifndef SRC_TUNNELS_BACKEND_H
#define SRC_TUNNELS_BACKEND_H

#include "h2mux/base/list.h"
#include "h2mux/http/leg.h"

struct backend;
struct tunnel;

enum { INSTANCE_LEN = 32 };

/* What a stream is wanted for. */
enum stream_kind { STREAM_REQUEST, STREAM_WEBSOCKET };

/* How well a backend suits a new stream of one kind; the best comes last. */
enum fitness {
    FITNESS_NONE,          /* it takes no new streams */
    FITNESS_NO_WEBSOCKETS, /* its client cannot carry the WebSocket that is wanted */
    FITNESS_FULL,          /* it would take the stream, but has no room for this kind now */
    FITNESS_ROOM           /* it can open the stream */
};

/* Why a tunnel gives a backend up. New streams go elsewhere; what runs on it may finish, unless it
 * does not answer any more. */
enum retire_reason {
    RETIRE_REPLACED,   /* a newcomer has its slot */
    RETIRE_TAKEN_OVER, /* another instance of the client came */
    RETIRE_DRAINING    /* the server stops, or the backend is used up */
};

struct backend_ops {
    /* Returns how well a new stream of @kind would suit. */
    enum fitness (*fitness)(const struct backend *b, enum stream_kind kind);

    /* Returns how busy the backend is: its open streams. */
    uint32_t (*load)(const struct backend *b);

    /* Opens a stream for the request @m and ties its leg to @events and @exchange. @end: no body
     * follows. Returns NULL when none can be opened. */
    struct leg *(*open)(struct backend *b, const struct message *m, bool end,
                        const struct leg_events *events, void *exchange);

    /* Tells that a stream of @kind that open() gave is over. */
    void (*done)(struct backend *b, enum stream_kind kind);

    /* Asks for a sign of life while a request waits: when no byte has come for @quiet_ms, the
     * client has to answer within @ms, or the backend is given up. Returns 0 when the client was
     * asked, otherwise in how many milliseconds asking may be due. */
    uint64_t (*probe)(struct backend *b, uint64_t quiet_ms, uint64_t ms);

    /* Gives the backend up. It may leave its tunnel, and others with it, before this returns. */
    void (*retire)(struct backend *b, enum retire_reason why);

    /* Cuts the backend, whose streams break; @h2_code goes to a client that speaks HTTP/2. */
    void (*close)(struct backend *b, uint32_t h2_code);
};

/* The place that a client asked for in its tunnel. protocol.md#who-may-attach. */
struct place {
    struct slice instance; /* INSTANCE_LEN hex digits; empty: an instance of its own */
    unsigned slot;         /* Oneport-Link */
    bool pool;             /* Oneport-Pool: shares the name with other instances that say so too */
};

struct backend {
    const struct backend_ops *ops;   /* static */
    struct tunnel *tunnel;           /* weak: NULL while not joined, or when the name was dropped */
    struct list_node in_tunnel;      /* linked iff joined */
    char instance[INSTANCE_LEN + 1]; /* hex digits; empty: an instance of its own */
    unsigned slot;
    bool pool;
    bool ours;         /* the client is oneport: its word that nothing was done can be relied on */
    bool up;           /* takes part: attached, and not leaving */
    bool replaced;     /* another has its slot */
    uint64_t begun_us; /* monotonic: when its client was let in */
};

/* Initialises @b at the place @p, not joined to a tunnel. */
static inline void backend_init(struct backend *b, const struct backend_ops *ops,
                                const struct place *p, uint64_t now_us)
{
    size_t len = p->instance.len < INSTANCE_LEN ? p->instance.len : INSTANCE_LEN;
    *b = (struct backend){.ops = ops, .slot = p->slot, .pool = p->pool, .begun_us = now_us};
    b->ours = len > 0;
    if (len > 0)
        memcpy(b->instance, p->instance.ptr, len);
}

/* Returns the place that @b has; its instance is borrowed from @b. */
static inline struct place backend_place(const struct backend *b)
{
    return (struct place){slice_str(b->instance), b->slot, b->pool};
}

#endif
