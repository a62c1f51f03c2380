/* SPDX-License-Identifier: MIT */
/* link.h - serves one attached client over one HTTP/2 session, as a backend of the tunnel of its
 * name. protocol.md#attach
 *
 * Invariants:
 * - A link joins its tunnel when it enters UP. While it is DRAINING it may stay joined; in other
 *   states it is not joined.
 * - A link has its session until it is DEAD.
 * - The thread of its worker alone touches a link.
 *
 * A link does not know HTTP/1.1, viewers, or names other than its own. */

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
    struct backend backend;     /* the link as its tunnel and exchanges see it */
    struct list_node in_worker; /* linked until DEAD */
    struct worker *worker;      /* borrowed: outlives its links */
    struct seat descriptor;     /* in server->descriptors until DEAD */
    struct h2_session *session; /* owned; NULL once DEAD */
    enum link_state state;
    char name[NAME_MAX_LEN + 1];
    uint8_t owner_id[OWNER_LEN];
    char token[TOKEN_ID_MAX + 1];   /* of its ticket; empty: none */
    uint8_t policy[TICKET_POL_LEN]; /* the hash that its ticket has */
    int64_t rev;                    /* the time of its ticket */
    uint64_t streams_max;           /* that the token permits; 0: no limit of its own */
    bool goodbye;                   /* the client sent GOAWAY: it leaves for good */
    size_t websockets;              /* open streams that are WebSockets */

    struct shares *viewers; /* owned: the streams of viewers, none of which is idle */
    uint64_t up_us;         /* monotonic: when it joined its tunnel */
    struct task wake;       /* wakes the tunnel after a stream has closed */
    struct reap reap;
};

/* Makes a link of the connection @sock, on which the 101 is queued already. @t is the ticket of the
 * attach request, and @p the place that it asks for. The link owns @sock, is in worker->links, and
 * frees itself when its session ends or link_close is called. */
struct link *link_new(struct worker *w, struct sock *sock, const struct ticket *t,
                      const struct place *p) MUSTCHECK;

/* Sends GOAWAY with the debug text "draining", and opens no new streams. Open streams may finish. A
 * link without open streams ends at once. */
void link_drain(struct link *l);

/* Sends a PING at once, since the machine has slept. */
void link_wake(struct link *l);

/* Sends GOAWAY with the debug text "name_lost" and ends the link at once, because its token is not
 * good any more. */
void link_revoke(struct link *l);

/* Sends GOAWAY with @h2_code and ends the link at once. Its open streams break. */
void link_close(struct link *l, uint32_t h2_code);

#endif
