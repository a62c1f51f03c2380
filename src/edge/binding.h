/* SPDX-License-Identifier: MIT */
/* binding.h - makes the listening sockets of one value of --listen, once for each worker. */
#ifndef SRC_EDGE_BINDING_H
#define SRC_EDGE_BINDING_H

#include "src/edge/passed.h"

enum { BINDING_REASON_MAX = 256 };

/* Holds listening descriptors. */
struct binding {
    int *fds;       /* owned; those of one address follow each other, one for each worker */
    size_t n;       /* addresses that were bound: 1, or 2 of different families */
    unsigned count; /* workers */
    bool passed;    /* a socket of a supervisor's is among them */
};

/* Binds and listens at each address that @text names, once for each of @count workers. @all are all
 * values of --listen, since [::] must leave a port of IPv4 alone that another value names. Of two
 * addresses that one value names, one is enough where the machine lacks the family of the other.
 * Port 0 becomes one port that is free in both families.
 *
 * Returns 0, and then binding_deinit or binding_close frees @b. Returns -1, with all descriptors
 * closed and a text like "Address already in use" in @reason, when that fails. The kernel spreads
 * connections over several sockets (SO_REUSEPORT); a unix socket is bound once and its descriptor
 * duplicated. The file of a unix socket on which no process listens any more is replaced. An
 * address that a socket of @passed has is not bound again: the workers share that socket. NULL: no
 * socket was passed. */
int binding_open(struct binding *b, const char *text, const struct opt_list *all, unsigned count,
                 struct passed *passed, char reason[static BINDING_REASON_MAX]) MUSTCHECK;

/* Frees @b. Its descriptors belong to listeners now. */
void binding_deinit(struct binding *b);

/* Closes the descriptors, which no listener has taken, removes the file of a unix socket, and frees
 * @b. */
void binding_close(struct binding *b);

#endif
