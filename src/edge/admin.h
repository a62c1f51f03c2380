/* SPDX-License-Identifier: MIT */
/* admin.h - read-only built-ins of the base domain: landing page, status, health. */
#ifndef SRC_EDGE_ADMIN_H
#define SRC_EDGE_ADMIN_H

#include "src/http/answer.h"
#include "src/worker/worker.h"

void admin_landing(struct worker *w, struct answer *a);
void admin_status(struct worker *w, struct answer *a);
void admin_tunnel_status(struct worker *w, struct slice name, struct answer *a);
void admin_health(struct worker *w, struct answer *a);

#endif
