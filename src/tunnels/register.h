/* SPDX-License-Identifier: MIT */
/* register.h - answers a register call with a name, a URL and a ticket, as JSON.
 * protocol.md#register */
#ifndef SRC_TUNNELS_REGISTER_H
#define SRC_TUNNELS_REGISTER_H

#include "src/http/answer.h"
#include "src/names/call.h"
#include "src/worker/worker.h"

/* Writes to @out what the call @c should have named as the server: --host of oneport. The port is
 * left out where it is that of https. */
enum { REGISTER_HOST_MAX = 256 + 8 };
void register_host(const struct server *s, const struct call *c,
                   char out[static REGISTER_HOST_MAX]);

/* Answers the register call @c, whose viewer is set: gives a name, renews the hold on a name, or
 * refuses. Makes @a the answer in each case. */
void register_answer(struct worker *w, struct call *c, struct answer *a);

#endif
