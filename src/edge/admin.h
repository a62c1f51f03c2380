/* SPDX-License-Identifier: MIT */
/* admin.h - answers the calls of the base domain that change nothing: landing page, status, health.
 * protocol.md#other-calls */
#ifndef SRC_EDGE_ADMIN_H
#define SRC_EDGE_ADMIN_H

#include "src/http/answer.h"
#include "src/names/call.h"
#include "src/worker/worker.h"

/* Makes @a the landing page for the viewer of @call, or a redirect to the page of --landing. */
void admin_landing(struct worker *w, const struct call *call, struct answer *a);

/* Makes @a the server's counters, summed over all workers. */
void admin_status(struct worker *w, struct answer *a);

/* Makes @a the state of the tunnel @name, or a 404 when this worker has no such tunnel. Upper case
 * in @name makes no difference. */
void admin_tunnel_status(struct worker *w, struct slice name, struct answer *a);

/* Makes @a a 200, or a 503 while the server drains. */
void admin_health(struct worker *w, struct answer *a);

#endif
