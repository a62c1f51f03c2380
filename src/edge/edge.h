/* SPDX-License-Identifier: MIT */
/* edge.h - one public HTTP/1.1 connection: its requests in order, each to a tunnel or to a
 * built-in. http-rules.md#requests-line-and-framing and http-rules.md#websockets */

/* draw: a connection
 *
 *   IDLE ──first byte──▶ HEAD ──complete──▶ BUSY ──answered──▶ IDLE
 *     │ keep-alive over    │ too slow: 408    │ broken, or the answer says close
 *     └────────────────────┴──────────────────┴──────────────▶ DEAD
 *
 *   BUSY ──101──▶ RAW ──both ends──▶ DEAD */
#ifndef SRC_EDGE_EDGE_H
#define SRC_EDGE_EDGE_H

#include "h2mux/io/sock.h"
#include "src/worker/worker.h"

struct edge;

/* Takes @sock: open, through TLS if it is TLS. It lives by itself, in worker->edges. */
void edge_new(struct worker *w, struct sock *sock);

/* An answer is still on its way to the viewer. */
bool edge_is_busy(struct list_node *node);
/* SIGTERM: closes it if no request is under way; else it closes behind the answer. */
void edge_drain(struct list_node *node);
/* At once: WebSockets get their 1012, all else is cut. */
void edge_stop(struct list_node *node);

#endif
