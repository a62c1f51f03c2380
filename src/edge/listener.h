/* SPDX-License-Identifier: MIT */
/* listener.h - accepts connections on one listening socket and gives each to a gate.
 *
 * Invariant: the socket is polled, but for a moment after accept has failed, as when the process is
 * short of descriptors. main has the sockets bound (binding.h) before the workers run, and each
 * worker polls its own sockets. */
#ifndef SRC_EDGE_LISTENER_H
#define SRC_EDGE_LISTENER_H

#include "src/worker/worker.h"

/* Logs `listening addr=…` with the address of @fd, including a port that the system chose; if it
 * @redirects, `redirecting`. */
void listener_announce(int fd, bool redirects);

/* Removes the file of the unix socket @fd; does nothing for other sockets. */
void listener_remove_file(int fd);

/* Makes a listener in worker->listeners, which owns @fd and polls it. Its connections get redirects
 * to https alone if it @redirects (struct peer). Must be called before the worker's loop runs. */
void listener_start(struct worker *w, int fd, bool redirects);

/* Closes a listener and removes the file of a unix socket. @node is of worker->listeners. */
void listener_stop(struct list_node *node);

#endif
