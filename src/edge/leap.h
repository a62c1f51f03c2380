/* SPDX-License-Identifier: MIT */
/* leap.h - recognizes the sockets of an old client, `wave share` of H2O Wave, which begin with the
 * line `__h2o_leap__ ID`, and gives them to the backend of the name ID (raw.h). It keeps those
 * quiet that serve no name here: their client opens a socket again as soon as one ends, so they are
 * closed after a while only. http-rules.md#old-clients, rules L1 and Q51
 *
 * Invariant: a leap owns its sock, is in worker->leaps and has a place of server->leaps until it
 * ends. A leap reads nothing. */
#ifndef SRC_EDGE_LEAP_H
#define SRC_EDGE_LEAP_H

#include "h2mux/io/sock.h"
#include "src/worker/worker.h"

enum {
    LEAP_WAIT_MS = 2000, /* until the connection is closed */
    LEAPS_MAX = 256      /* that wait in the whole server */
};

struct peer;
struct seat;

/* Returns whether @line, the first bytes of a connection, begins a leap line. */
bool leap_is(struct slice line);

/* Takes the connection @sock, whose first unread bytes are a leap line. Gives it to the worker that
 * has the name, where @deliver gets it with these bytes; or to the backend of the name; or keeps it
 * for LEAP_WAIT_MS and closes it then, and at once when there is no place for its peer. */
void leap_take(struct worker *w, struct sock *sock, const struct peer *peer,
               void (*deliver)(struct worker *w, struct sock *sock, const struct peer *peer));

/* Closes the connection of the leap that has lost its place to another one. @seat is of
 * server->leaps. */
void leap_evict(struct seat *seat);

/* Closes the connection of a leap. @node is of worker->leaps. */
void leap_stop(struct list_node *node);

#endif
