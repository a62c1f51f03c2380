/* SPDX-License-Identifier: MIT */
/* gate.h - holds a new connection until its first byte tells TLS (0x16, RFC 8446 5.1) from plain
 * HTTP. With TLS it waits for the whole ClientHello (client_hello.h), which stays in the sock for
 * TLS to read, moves the connection to the worker that has the name in it, and waits for the end of
 * the handshake. Then the gate makes an edge_h1 of the connection, or an edge_h2 if TLS has agreed
 * on h2. Before all that, a connection of an address of --accept-proxy has a header of the PROXY
 * protocol, which says who the peer is. http-rules.md#the-gate
 *
 * Invariants: a gate owns its sock and is in worker->gates until it ends. A gate reads no HTTP. A
 * connection moves before its TLS begins, and once at most. */

/* draw: a connection that comes in
 *
 *   header of the PROXY protocol, from --accept-proxy alone
 *       │
 *   first byte ──0x16──▶ hello ──whole──▶ TLS, here or at the name's worker ──▶ edge_h1 or _h2
 *       └──any other──────────────────────────────────────────────────────────▶ edge_h1 */
#ifndef SRC_EDGE_GATE_H
#define SRC_EDGE_GATE_H

#include "h2mux/io/sock.h"
#include "src/worker/worker.h"

struct seat;

/* Makes a gate for the connection @fd of @peer. The gate owns @fd. It closes the connection when no
 * byte comes within --head-timeout, when a header must come that is malformed or not whole by then,
 * or when the hello or the handshake after it fails or takes longer than --attach-timeout. Returns
 * false, and leaves @fd to the caller, when there is no place for the connection (entry_take). A
 * connection that gets redirects to https alone (@redirects) speaks no TLS. */
bool gate_new(struct worker *w, int fd, const struct sockaddr *peer, bool redirects) MUSTCHECK;

/* Closes the connection of the gate whose handshake has lost its place to another one. @handshake
 * is of server->handshakes. */
void gate_evict(struct seat *handshake);

/* Closes the connection of a gate. @node is of worker->gates. */
void gate_stop(struct list_node *node);

#endif
