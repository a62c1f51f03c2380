/* SPDX-License-Identifier: MIT */
/* edge_h2.h - serves one viewer's HTTP/2 connection: one session, with one request for each stream.
 * http-rules.md#viewers-over-http2
 *
 * Invariants: a connection is in worker->h2_edges until it is over. A request is in its
 * connection's list from its head until its answer is complete or its stream has broken; what an
 * answer has queued by then is the session's. The thread of its worker alone touches a connection.
 */

/* draw: a connection
 *
 *   WAITING ──first head──▶ BUSY ──last answer──▶ IDLE ──next head──▶ BUSY
 *      │ head-timeout         │ drained, and all     │ viewer-keepalive
 *      └──────────────────────┴── is answered ───────┴──▶ over */
#ifndef SRC_EDGE_EDGE_H2_H
#define SRC_EDGE_EDGE_H2_H

#include "h2mux/io/sock.h"
#include "src/http/trust.h"
#include "src/worker/worker.h"

/* Makes an HTTP/2 connection of @sock, whose TLS handshake has agreed on h2, and whose other end is
 * @peer. The connection owns @sock, is in worker->h2_edges, and frees itself when it ends. */
void edge_h2_new(struct worker *w, struct sock *sock, const struct peer *peer);

/* The functions below take a node of worker->h2_edges. */

/* Returns whether a request is under way, or an answer is still being sent. */
bool edge_h2_is_busy(const struct list_node *node);

/* Says that no request is taken any more (GOAWAY), since the server is draining. The connection
 * ends when the last answer has left. */
void edge_h2_drain(struct list_node *node);

/* Ends the connection at once. A request without an answer gets 503; any other is reset. */
void edge_h2_stop(struct list_node *node);

#endif
