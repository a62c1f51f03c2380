/* SPDX-License-Identifier: MIT */
/* handoff.h - moves a viewer's connection to the worker that has the name it asks for: descriptor,
 * TLS state, unread bytes.
 *
 * Between exchanges only. The head is put back unread and parsed again there, so nothing but the
 * sock crosses threads. */
#ifndef SRC_EDGE_HANDOFF_H
#define SRC_EDGE_HANDOFF_H

#include "h2mux/io/sock.h"
#include "src/http/route.h"
#include "src/names/directory.h"
#include "src/worker/worker.h"

/* The worker that has the name a request is about: the tunnel's for a viewer, the one in the path
 * or the ticket for the base domain's calls. DIRECTORY_NOBODY: any worker will do. */
int handoff_home(const struct worker *w, const struct message *m, enum route_kind kind,
                 struct slice name);

/* Takes @sock, which no reader holds any more. */
void handoff_send(struct worker *from, unsigned to, struct sock *sock);

#endif
