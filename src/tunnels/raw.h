/* SPDX-License-Identifier: MIT */
/* raw.h - serves the sockets of an old client, `wave share` of H2O Wave from 1.0 on, as one backend
 * of the tunnel of their name. Each socket carries one HTTP/1.1 exchange at a time, and a WebSocket
 * keeps its socket to itself. protocol.md#old-clients, http-rules.md#old-clients
 *
 * The client joins each socket to a connection of its own to the service. It opens a socket anew
 * that ends by RST, with a new connection to the service, and loses one for good that ends by FIN.
 * It does not pass on that the service has closed its end. So a socket that may have lost its
 * service is closed by RST when no answer is under way on it: one at a time, and no more when one
 * does not come back, since the service is down then. Behind a front end RST becomes FIN, so such
 * sockets are never closed first: empty lines make the client notice that its service is gone, and
 * end the socket itself.
 *
 * Invariants:
 * - A raw has a socket, or waits for one that it has reset.
 * - A socket is idle, busy or worn. An idle one has nothing under way; a busy one has an exchange,
 *   or what is left of one; a worn one serves no more.
 * - The thread of its worker alone touches a raw. */

/* draw: a socket
 *
 *   joins ──▶ IDLE ──open──▶ BUSY ──both complete──▶ IDLE ──rests 1 s──▶ WORN ──its turn──▶ RST
 *                              │ Connection: close, WebSocket over, cut, silent   ▲
 *                              └──────────────────────────────────────────────────┘ */
#ifndef SRC_TUNNELS_RAW_H
#define SRC_TUNNELS_RAW_H

#include "h2mux/io/sock.h"
#include "src/http/trust.h"
#include "src/limits/bans.h"
#include "src/worker/worker.h"

/* Makes @sock, whose client has said that it serves @name, a socket of that name. @peer describes
 * the other end. Returns NULL, and owns @sock from then on; or static text for the log that says
 * why the name is not served by that client, and leaves @sock to the caller. */
const char *raw_join(struct worker *w, struct sock *sock, struct slice name,
                     const struct peer *peer) MUSTCHECK;

/* Serves no new requests. The sockets are reset at the end (raw_stop), when a successor may listen:
 * a client that finds nobody then gives them up. @node is of worker->raws. */
void raw_drain(struct list_node *node);

/* Resets all sockets at once. @node is of worker->raws. */
void raw_stop(struct list_node *node);

/* Resets the sockets of all whom @ban shuts out. Returns how many names those had. */
size_t raw_shut_out(struct worker *w, const struct ban *ban);

/* Resets the sockets of names that the tokens permit to nobody without a token any more. The server
 * has tokens. */
void raw_revoke(struct worker *w);

#endif
