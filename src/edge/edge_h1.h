/* SPDX-License-Identifier: MIT */
/* edge_h1.h - one viewer's HTTP/1.1 connection: its requests in order, one at a time.
 * http-rules.md#requests-line-and-framing, http-rules.md#websockets */

/* draw: a connection
 *
 *   IDLE ──first byte──▶ HEAD ──complete──▶ BUSY ──answered──▶ IDLE
 *     │ keep-alive over    │ too slow: 408    │ broken, or the answer says close
 *     └────────────────────┴──────────────────┴──────────────▶ DEAD
 *
 *   BUSY ──101──▶ RAW ──both ends──▶ DEAD */
#ifndef SRC_EDGE_EDGE_H1_H
#define SRC_EDGE_EDGE_H1_H

#include "h2mux/io/sock.h"
#include "src/worker/worker.h"

/* Takes @sock, which is open (and through TLS if it is TLS). The connection lives by itself, in
 * worker->edges. */
void edge_h1_new(struct worker *w, struct sock *sock);

/* The functions below take a node of worker->edges. */

/* Returns whether an answer is still on its way to the viewer. */
bool edge_h1_is_busy(const struct list_node *node);

/* Closes the connection if no request is under way; otherwise it closes behind the answer. */
void edge_h1_drain(struct list_node *node);

/* Ends the connection at once: a WebSocket gets its 1012, all else is cut. */
void edge_h1_stop(struct list_node *node);

#endif
