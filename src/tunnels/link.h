/* SPDX-License-Identifier: MIT */
/* link.h - one attached client connection: its session, its slot in a tunnel, its end.
 * contract.md 3.
 *
 * Invariant: joined to its tunnel iff UP or DRAINING. Only its own worker touches it. Does not
 * know: HTTP/1.1, other names. */

/* draw: a link
 *
 *   ATTACHING ──first SETTINGS──▶ UP ──replaced, taken over, GOAWAY, SIGTERM──▶ DRAINING
 *       │ --attach-timeout        │ keepalive lost, I/O error                   │ last stream
 *       └─────────────────────────┴─────────────────────────────────────────────┴──▶ DEAD */
#ifndef SRC_TUNNELS_LINK_H
#define SRC_TUNNELS_LINK_H

#include "h2mux/h2/h2.h"
#include "src/tunnels/tunnel.h"
#include "src/worker/worker.h"

enum link_state { LINK_ATTACHING, LINK_UP, LINK_DRAINING, LINK_DEAD };

struct link {
    struct list_node in_tunnel; /* linked iff UP or DRAINING */
    struct list_node in_worker; /* linked until DEAD */
    struct worker *worker;      /* borrowed: outlives its links */
    struct tunnel *tunnel;      /* weak: NULL when not joined or the name was dropped */
    struct h2_session *session; /* owned until on_closed */
    enum link_state state;
    char name[NAME_MAX_LEN + 1];
    uint8_t owner[OWNER_LEN];
    char instance[INSTANCE_LEN + 1]; /* hex; empty: software that names none */
    unsigned slot;
    bool pool;                /* shares the name with other instances */
    bool replaced;            /* another link has its slot: no new streams */
    bool goodbye;             /* the client sent GOAWAY: it leaves for good */
    size_t websockets;        /* of its open streams */
    uint64_t begun_us, up_us; /* monotonic: attached, joined */
    struct task wake;         /* a stream has closed: who waits for one may go on */
    struct reap reap;
};

/* Takes @sock, from which the 101 was already queued. */
struct link *link_new(struct worker *w, struct sock *sock, const struct ticket *t,
                      const struct place *p) MUSTCHECK;

/* Takes new streams of that kind: up, not draining, not replaced, below its limits (5 % are kept
 * for what is no WebSocket). */
bool link_can_open(const struct link *l, bool websocket);
bool link_usable(
    const struct link *l); /* the same without the limits: it is where new streams would go */
uint32_t link_load(const struct link *l); /* open streams */
struct leg *link_open(struct link *l, const struct message *m, bool end,
                      const struct leg_events *events, void *exchange) MUSTCHECK;

/* A stream of link_open is over, whatever way. */
void link_stream_done(struct link *l, bool websocket);
/* A request waits. Has no byte come from the client for @quiet_ms, it is to show within @ms that
 * it is alive: 0. Else in how many milliseconds that may be so. */
uint64_t link_probe(struct link *l, uint64_t quiet_ms, uint64_t ms) MUSTCHECK;

/* By tunnel_join. */
void link_replace(struct link *l); /* its slot has a newcomer: pinged at once, dead after 2 s
                                      without a byte unless draining */
void link_take_over(
    struct link *l);             /* another instance came: GOAWAY with debug data "taken_over" */
void link_drain(struct link *l); /* GOAWAY "draining" */
void link_close(struct link *l, uint32_t h2_code);

#endif
