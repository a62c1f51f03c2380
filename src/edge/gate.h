/* SPDX-License-Identifier: MIT */
/* gate.h - holds a new connection until its first byte tells TLS (0x16, RFC 8446 5.1) from plain
 * HTTP, and until its TLS handshake is done. Then the gate makes an edge_h1 of the connection.
 *
 * Invariant: a gate owns its sock and is in worker->gates until it ends. A gate reads no HTTP. */
#ifndef SRC_EDGE_GATE_H
#define SRC_EDGE_GATE_H

#include "h2mux/io/sock.h"
#include "src/worker/worker.h"

struct seat;

/* Makes a gate for the connection @fd of @peer. The gate owns @fd. It closes the connection when no
 * byte comes within --head-timeout, or when the handshake fails or takes longer than
 * --attach-timeout. Returns false, and leaves @fd to the caller, when there is no place for the
 * connection (entry_take). */
bool gate_new(struct worker *w, int fd, const struct sockaddr_storage *peer) MUSTCHECK;

/* Closes the connection of the gate whose handshake has lost its place to another one. @handshake
 * is of server->handshakes. */
void gate_evict(struct seat *handshake);

/* Closes the connection of a gate. @node is of worker->gates. */
void gate_stop(struct list_node *node);

#endif
