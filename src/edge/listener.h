/* SPDX-License-Identifier: MIT */
/* listener.h - one listening socket: made by main, polled by a worker, each connection given to a
 * gate. */
#ifndef SRC_EDGE_LISTENER_H
#define SRC_EDGE_LISTENER_H

#include "src/worker/worker.h"

enum { LISTENER_REASON_MAX = 256 };

/* Binds and listens at @text, once per worker: @fds gets @count descriptors. -1: @reason ("address
 * already in use"), nothing is left open. With several, the kernel spreads connections over them
 * (SO_REUSEPORT); a unix socket is one descriptor, duplicated. A unix socket that nobody listens on
 * is replaced. */
int listener_bind(const char *text, int *fds, unsigned count,
                  char reason[static LISTENER_REASON_MAX]) MUSTCHECK;

/* Logs `listening addr=…` with the port that the system chose. */
void listener_announce(int fd);

/* Takes @fd. Lives in worker->listeners. Before the worker's loop runs. */
void listener_start(struct worker *w, int fd);
void listener_stop(struct list_node *node); /* closes it; a unix socket's path goes too */

#endif
