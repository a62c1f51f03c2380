/* SPDX-License-Identifier: MIT */
/* register.h - answers a register call: a name, a URL and a ticket as JSON. protocol.md#register */
#ifndef SRC_TUNNELS_REGISTER_H
#define SRC_TUNNELS_REGISTER_H

#include "src/http/answer.h"
#include "src/names/call.h"
#include "src/worker/worker.h"

/* Answers the register call @c, whose viewer is set: gives or renews a name, or refuses. Always
 * makes @a. */
void register_answer(struct worker *w, struct call *c, struct answer *a);

#endif
