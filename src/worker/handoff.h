/* SPDX-License-Identifier: MIT */
/* handoff.h - moves a connection to another worker: its descriptor, its TLS state, and the bytes
 * that were not read yet.
 *
 * A connection moves between two requests only. The head of the next request is put back unread,
 * and the new worker parses it again. So nothing but the sock goes from one thread to another. */
#ifndef SRC_WORKER_HANDOFF_H
#define SRC_WORKER_HANDOFF_H

#include "h2mux/io/sock.h"
#include "src/worker/worker.h"

/* Moves @sock from @from, on whose thread it is called, to the worker with the index @to, where
 * @deliver gets it. The caller lets go of @sock, which leaves the old loop when none of its
 * callbacks is on the stack any more. If one of the workers stops before, @sock is closed and
 * @deliver is not called. */
void handoff_send(struct worker *from, unsigned to, struct sock *sock,
                  void (*deliver)(struct worker *w, struct sock *sock));

#endif
