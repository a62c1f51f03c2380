/* SPDX-License-Identifier: MIT */
/* listener.h - accepts connections on one listening socket and gives each to a gate.
 *
 * Invariant: the socket is polled, but for a moment after accept has failed, as when the process is
 * short of descriptors. main binds the sockets before the workers run, and each worker polls its
 * own sockets. */
#ifndef SRC_EDGE_LISTENER_H
#define SRC_EDGE_LISTENER_H

#include "src/worker/worker.h"

enum { LISTENER_REASON_MAX = 256 };

/* Binds and listens at the address @text, once for each worker. Returns 0 and fills @fds with
 * @count descriptors. Returns -1, with all descriptors closed and a text like "Address already in
 * use" in @reason, when that fails. The kernel spreads connections over several sockets
 * (SO_REUSEPORT); a unix socket is bound once and its descriptor duplicated. The file of a unix
 * socket on which no process listens any more is replaced. */
int listener_bind(const char *text, int *fds, unsigned count,
                  char reason[static LISTENER_REASON_MAX]) MUSTCHECK;

/* Closes the descriptors that listener_bind made and no listener has taken, and removes the file of
 * a unix socket. */
void listener_unbind(int *fds, unsigned count);

/* Logs `listening addr=…` with the address of @fd, including a port that the system chose. */
void listener_announce(int fd);

/* Makes a listener in worker->listeners, which owns @fd and polls it. Must be called before the
 * worker's loop runs. */
void listener_start(struct worker *w, int fd);

/* Closes a listener and removes the file of a unix socket. @node is of worker->listeners. */
void listener_stop(struct list_node *node);

#endif
