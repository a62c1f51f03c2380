/* SPDX-License-Identifier: MIT */
/* register.h - answers a register call with a name, a URL and a ticket, as JSON.
 * protocol.md#register */
#ifndef SRC_TUNNELS_REGISTER_H
#define SRC_TUNNELS_REGISTER_H

#include "src/http/answer.h"
#include "src/names/call.h"
#include "src/worker/worker.h"

/* Answers the register call @c, whose viewer is set: gives a name, renews the hold on a name, or
 * refuses. Makes @a the answer in each case. */
void register_answer(struct worker *w, struct call *c, struct answer *a);

#endif
