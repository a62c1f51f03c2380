/* SPDX-License-Identifier: MIT */
/* handoff.h - moves a connection to another worker: descriptor, TLS state, bytes not read yet.
 *
 * A connection moves between exchanges only. Its head is put back unread and parsed again by the
 * new worker, so nothing but the sock crosses threads. */
#ifndef SRC_WORKER_HANDOFF_H
#define SRC_WORKER_HANDOFF_H

#include "h2mux/io/sock.h"
#include "src/worker/worker.h"

/* Moves @sock, which no reader holds any more, from @from to the worker number @to, where
 * @deliver(worker, @sock) takes it. Leaves the old loop once none of its callbacks is on the stack.
 * When either worker stops first, @sock is closed and @deliver is not called. */
void handoff_send(struct worker *from, unsigned to, struct sock *sock,
                  void (*deliver)(struct worker *w, struct sock *sock));

#endif
