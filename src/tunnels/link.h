/* SPDX-License-Identifier: MIT */
/* link.h - one attached client connection: its session, its slot in a tunnel, its end.
 * protocol.md#attach
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
#include "src/names/ticket.h"
#include "src/tunnels/tunnel.h"
#include "src/worker/worker.h"

enum link_state { LINK_ATTACHING, LINK_UP, LINK_DRAINING, LINK_DEAD };

struct link {
    struct backend backend;     /* as the tunnel and exchanges see it */
    struct list_node in_worker; /* linked until DEAD */
    struct worker *worker;      /* borrowed: outlives its links */
    struct h2_session *session; /* owned until on_closed */
    enum link_state state;
    char name[NAME_MAX_LEN + 1];
    uint8_t owner_id[OWNER_LEN];
    bool goodbye;      /* the client sent GOAWAY: it leaves for good */
    size_t websockets; /* how many of its open streams are WebSockets */
    uint64_t up_us;    /* monotonic: when it joined */
    struct task wake;  /* a stream has closed: requests that wait for one may go on */
    struct reap reap;
};

/* Makes a link of the connection @sock, on which the 101 is already queued, and takes @sock. The
 * link lives by itself, in worker->links, until its session ends or link_close. */
struct link *link_new(struct worker *w, struct sock *sock, const struct ticket *t,
                      const struct place *p) MUSTCHECK;

/* Sends GOAWAY "draining": no new streams; what runs may finish. */
void link_drain(struct link *l);

/* Ends the link at once, with a GOAWAY of @h2_code; its streams break. */
void link_close(struct link *l, uint32_t h2_code);

#endif
