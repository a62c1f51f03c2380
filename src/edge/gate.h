/* SPDX-License-Identifier: MIT */
/* gate.h - holds a fresh connection until it is known whether it speaks TLS (its first byte is
 * 0x16, RFC 8446 5.1) or plain HTTP, and until its TLS handshake is done. Then it becomes an
 * edge_h1.
 *
 * Invariant: a gate owns its sock and is in worker->gates until it ends. It reads no HTTP. */
#ifndef SRC_EDGE_GATE_H
#define SRC_EDGE_GATE_H

#include "h2mux/io/sock.h"
#include "src/worker/worker.h"

/* Makes a gate for @sock, which it takes. The gate closes the connection when no byte comes within
 * --head-timeout, or when the handshake fails or takes longer than --attach-timeout. */
void gate_new(struct worker *w, struct sock *sock);

/* Closes the connection of a gate. @node is of worker->gates. */
void gate_stop(struct list_node *node);

#endif
