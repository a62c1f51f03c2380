/* SPDX-License-Identifier: MIT */
/* edge_h1.h - serves one viewer's HTTP/1.1 connection: reads its requests in order and hands them,
 * one at a time, to request.h. http-rules.md#requests-line-and-framing, http-rules.md#websockets
 *
 * Invariants: a connection is in worker->edges until it is DEAD. An exchange runs in BUSY and RAW
 * only. The thread of its worker alone touches a connection. A connection does not know which
 * module answers a request. */

/* draw: a connection
 *
 *   IDLE ──first byte──▶ HEAD ──complete──▶ BUSY ──answered──▶ IDLE
 *     │ keep-alive over    │ too slow: 408    │ broken, or the answer says close
 *     └────────────────────┴──────────────────┴──────────────▶ DEAD
 *
 *   BUSY ──101──▶ RAW ──both ends──▶ DEAD
 *
 * A viewer that sends FIN in BUSY may still read; rule Q46 says for how long. */
#ifndef SRC_EDGE_EDGE_H1_H
#define SRC_EDGE_EDGE_H1_H

#include "h2mux/io/sock.h"
#include "src/http/trust.h"
#include "src/worker/worker.h"

/* Makes an HTTP/1.1 connection of @sock, whose TLS handshake, if any, is done, and whose other end
 * is
 * @peer. The connection owns @sock, is in worker->edges, and frees itself when it ends. */
void edge_h1_new(struct worker *w, struct sock *sock, const struct peer *peer);

/* The functions below take a node of worker->edges. */

/* Returns whether a request other than an open WebSocket is under way. */
bool edge_h1_is_busy(const struct list_node *node);

/* Closes the connection if it is idle. Otherwise the connection closes after its next answer, since
 * the server is draining. */
void edge_h1_drain(struct list_node *node);

/* Ends the connection at once. A WebSocket gets close code 1012; a request without an answer gets
 * 503; any other connection is cut. */
void edge_h1_stop(struct list_node *node);

#endif
