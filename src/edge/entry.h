/* SPDX-License-Identifier: MIT */
/* entry.h - counts the descriptor of a viewer's connection. The descriptors that the process may
 * have are a pool, in which a connection is idle while it waits for a request
 * (http-rules.md#pools).
 *
 * Some descriptors are kept for links and the base domain. A connection that finds no place in the
 * pool is let in at the door: it has one of these, in a small pool of its own, and may ask for the
 * base domain only, unless the pool has a place when its request comes.
 *
 * An entry is embedded in the object that owns the connection. Only the thread of its worker
 * touches it. */
#ifndef SRC_EDGE_ENTRY_H
#define SRC_EDGE_ENTRY_H

#include "h2mux/io/sock.h"
#include "src/worker/commons.h"
#include "src/worker/server.h"

struct entry {
    struct seat seat;
    struct worker *worker; /* borrowed */
    bool at_door;          /* its place is in server->door; false: in server->descriptors */
    bool known;            /* its place is somebody's; false: nobody's, and is never given up */
    bool idle;             /* as entry_set_idle said last */

    /* Ends the connection, whose place is given up. A connection that is not idle any more is
     * counted again by entry_keep. */
    void (*evict)(struct entry *e);
};

/* Makes the pools of descriptors of the server. Their size follows from the process's limit, from
 * the descriptors that it has open, and from the @more that it is about to open for itself. */
void entry_open(struct server *s, size_t more);
void entry_close(struct server *s);

/* Makes room because the system has refused a descriptor: looks at the limit of the process again,
 * and gives idle connections up. Returns whether a descriptor will be free soon. */
bool entry_make_room(struct server *s) MUSTCHECK;

/* Counts a connection of @peer that was just accepted. @evict as in struct entry. Returns false
 * when there is no place even at the door. */
bool entry_take(struct entry *e, struct worker *w, const struct sockaddr *peer,
                void (*evict)(struct entry *e)) MUSTCHECK;

/* Counts a connection of @peer that entry_take has let in, and that has another owner now. */
void entry_keep(struct entry *e, struct worker *w, const struct sockaddr *peer,
                void (*evict)(struct entry *e));

/* Gives the place back. Does nothing when the entry is not counted. */
void entry_give(struct entry *e);

/* Counts the connection @sock of the worker @w, on which sock_finish was called in this turn, until
 * it is closed. It may be closed at once for another connection. */
void entry_finish(struct worker *w, struct sock *sock);

/* Says whether the connection waits for a request, and may be ended for another one. */
void entry_set_idle(struct entry *e, bool idle);

/* Lets a connection at the door into the pool. Returns false when there is no place. */
bool entry_pass_door(struct entry *e, const struct sockaddr *peer) MUSTCHECK;

#endif
