/* SPDX-License-Identifier: MIT */
/* backend.h - the interface by which a tunnel and its exchanges use one attached client.
 *
 * A tunnel chooses among its backends, and an exchange opens a stream on the one that it is given.
 * Neither of the two knows which protocol carries the stream. An HTTP/2 link of a client (link.h)
 * is a backend, and so are the sockets of an old client (raw.h); another node and a cache would be
 * others.
 *
 * Invariants: a backend is embedded in the object that implements it, and leaves its tunnel
 * (tunnel_leave) before that object is freed. Only the thread of its worker touches a backend. */
#ifndef SRC_TUNNELS_BACKEND_H
#define SRC_TUNNELS_BACKEND_H

#include "h2mux/base/list.h"
#include "h2mux/http/leg.h"
#include "src/limits/shares.h"

struct backend;
struct tunnel;

enum { INSTANCE_LEN = 32 };

/* What a stream is wanted for. */
enum stream_kind { STREAM_REQUEST, STREAM_WEBSOCKET };

/* Says how well a backend suits a new stream of one kind. A later value is better. */
enum fitness {
    FITNESS_NONE,          /* the backend takes no new streams */
    FITNESS_NO_SERVICE,    /* the client is there, and what it shares is not */
    FITNESS_NO_WEBSOCKETS, /* the stream is for a WebSocket, and the client carries none */
    FITNESS_FULL,          /* the backend has no room for a stream of this kind now */
    FITNESS_ROOM           /* the backend can open the stream */
};

/* Says why a tunnel gives a backend up. A retired backend gets no new streams. Its open streams may
 * finish while its client gives signs of life. */
enum retire_reason {
    RETIRE_REPLACED,   /* a newcomer has taken its slot */
    RETIRE_TAKEN_OVER, /* another instance of the client has taken the name */
    RETIRE_DRAINING    /* the server stops, or the backend has used up its stream ids */
};

struct backend_ops {
    /* Returns how well the backend suits a new stream of @kind. */
    enum fitness (*fitness)(const struct backend *b, enum stream_kind kind);

    /* Takes a place among the streams of the backend for the viewer @who, before open(). Returns
     * false when the viewer has as many streams as it may have. */
    bool (*admit)(struct backend *b, const struct who *who, struct share *place);

    /* Gives the place back. Does nothing when it is not taken. */
    void (*dismiss)(struct backend *b, struct share *place);

    /* Returns the number of open streams. */
    uint32_t (*load)(const struct backend *b);

    /* Opens a stream for the request @m and ties its leg to @events and @exchange. @end says that
     * no body follows. @beside is an open stream of the backend that the same viewer has, or NULL
     * when there is none. Returns the leg, or NULL when no stream can be opened. @m is as before
     * then, but may change in between. */
    struct leg *(*open)(struct backend *b, struct message *m, bool end, struct leg *beside,
                        const struct leg_events *events, void *exchange);

    /* Tells the backend that the exchange has given up a stream of @kind which open() returned. */
    void (*done)(struct backend *b, enum stream_kind kind);

    /* Asks the client for a sign of life if no byte has come from the client for @quiet_ms. The
     * backend ends when the client does not answer within @ms milliseconds. Returns 0 when the
     * client was asked, otherwise the number of milliseconds after which the caller may try
     * again. */
    uint64_t (*probe)(struct backend *b, uint64_t quiet_ms, uint64_t ms);

    /* Gives the backend up because of @why. This backend and others may leave the tunnel before the
     * call returns. */
    void (*retire)(struct backend *b, enum retire_reason why);

    /* Ends the backend at once and breaks its streams. A client that speaks HTTP/2 gets a GOAWAY
     * with @h2_code. */
    void (*close)(struct backend *b, uint32_t h2_code);
};

/* Describes the place in a tunnel that a client asks for. An instance is one run of a client, and a
 * slot is the number of one of its links. protocol.md#who-may-attach */
struct place {
    struct slice instance; /* INSTANCE_LEN hex digits; empty: a new instance */
    unsigned slot;         /* Oneport-Link */
    bool pool;             /* Oneport-Pool: shares the name with other pool instances */
    bool asks_who;         /* Oneport-Viewer-Connection */
    bool asks_party;       /* Oneport-Party */
};

struct backend {
    const struct backend_ops *ops;   /* static */
    struct tunnel *tunnel;           /* weak: NULL while not joined, or when the name was dropped */
    struct list_node in_tunnel;      /* linked iff joined */
    char instance[INSTANCE_LEN + 1]; /* hex digits; empty: a new instance for each link */
    unsigned slot;
    bool pool;

    /* The client is oneport, so the server believes its REFUSED_STREAM. */
    bool ours;

    /* The client is oneport and asks by which connection of a viewer each request came (H20). */
    bool asks_who;

    /* The client asks which requests are of one viewer (F92). */
    bool asks_party;

    /* The streams that it can carry at one time, each on a socket of its own; 0: as many as the
     * limits allow. A request waits for a socket as long as for a client that is away. */
    size_t sockets;

    bool up;           /* attached and not leaving */
    bool replaced;     /* a newcomer has its slot */
    uint64_t begun_us; /* monotonic: when the attach request was accepted */
};

/* Initialises @b at the place @p. The backend is not joined to a tunnel yet. */
static inline void backend_init(struct backend *b, const struct backend_ops *ops,
                                const struct place *p, uint64_t now_us)
{
    size_t len = p->instance.len < INSTANCE_LEN ? p->instance.len : INSTANCE_LEN;
    *b = (struct backend){.ops = ops, .slot = p->slot, .pool = p->pool, .begun_us = now_us};
    b->ours = len > 0;
    b->asks_who = b->ours && p->asks_who;
    b->asks_party = p->asks_party;
    if (len > 0)
        memcpy(b->instance, p->instance.ptr, len);
}

/* Returns the place that @b has. The place borrows the instance from @b. */
static inline struct place backend_place(const struct backend *b)
{
    return (struct place){slice_str(b->instance), b->slot, b->pool, b->asks_who, b->asks_party};
}

#endif
