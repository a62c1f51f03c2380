/* SPDX-License-Identifier: MIT */
/* handoff.h - moves a connection to another worker: its descriptor, its TLS state, and the bytes
 * that were not read yet.
 *
 * A connection moves before its TLS begins (gate.h), or between two requests. The head of the next
 * request is put back unread, and the new worker parses it again. So only the sock goes from one
 * thread to another, with what is known of its peer. The bytes count in the memory budget all the
 * way (rule F62). */
#ifndef SRC_WORKER_HANDOFF_H
#define SRC_WORKER_HANDOFF_H

#include "h2mux/io/sock.h"
#include "src/http/trust.h"
#include "src/worker/worker.h"

/* Moves @sock from the worker @from, whose thread must be the calling thread, to the worker with
 * the index @to, where @deliver gets the sock, and a copy of @peer. The caller must not use @sock
 * any more. The sock leaves its old loop when none of its callbacks is on the stack. When one of
 * the two workers stops before, @sock is closed and @deliver is not called. */
void handoff_send(struct worker *from, unsigned to, struct sock *sock, const struct peer *peer,
                  void (*deliver)(struct worker *w, struct sock *sock, const struct peer *peer));

#endif
