/* SPDX-License-Identifier: MIT */
/* leap.h - keeps connections of an older protocol quiet, which this server does not speak. A client
 * of it, such as `wave share` of H2O Wave, opens a connection, sends the line `__h2o_leap__ ID`,
 * and opens the next one as soon as that ends. So such a connection is closed after a while only.
 * http-rules.md#requests-line-and-framing, rule Q51
 *
 * Invariant: a leap owns its sock, is in worker->leaps and has a place of server->leaps until it
 * ends. A leap reads nothing. */
#ifndef SRC_EDGE_LEAP_H
#define SRC_EDGE_LEAP_H

#include "h2mux/io/sock.h"
#include "src/worker/worker.h"

enum {
    LEAP_WAIT_MS = 10000, /* until the connection is closed */
    LEAPS_MAX = 256       /* that wait in the whole server */
};

struct seat;

/* Returns whether @line, the first bytes of a connection, begins a leap line. */
bool leap_is(struct slice line);

/* Makes a leap, which owns @sock and closes it after LEAP_WAIT_MS; at once when there is no place
 * for its peer. */
void leap_new(struct worker *w, struct sock *sock);

/* Closes the connection of the leap that has lost its place to another one. @seat is of
 * server->leaps. */
void leap_evict(struct seat *seat);

/* Closes the connection of a leap. @node is of worker->leaps. */
void leap_stop(struct list_node *node);

#endif
