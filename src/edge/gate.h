/* SPDX-License-Identifier: MIT */
/* gate.h - a fresh connection until it is known what it is: TLS (first byte 0x16, RFC 8446 5.1) or
 * plain HTTP. */
#ifndef SRC_EDGE_GATE_H
#define SRC_EDGE_GATE_H

#include "h2mux/io/sock.h"
#include "src/worker/worker.h"

/* Takes @sock; becomes an edge, or goes when nothing sensible comes within --head-timeout or
 * --attach-timeout (the handshake). */
void gate_new(struct worker *w, struct sock *sock);
void gate_stop(struct list_node *node); /* of worker->gates */

#endif
