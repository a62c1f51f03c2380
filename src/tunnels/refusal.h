/* SPDX-License-Identifier: MIT */
/* refusal.h - makes the refusals that register and attach have in common. A refusal on account of
 * the viewer's address is logged at most once a second. protocol.md#register-refusals,
 * protocol.md#attach-refusals */
#ifndef SRC_TUNNELS_REFUSAL_H
#define SRC_TUNNELS_REFUSAL_H

#include "src/http/answer.h"
#include "src/http/trust.h"
#include "src/worker/worker.h"

/* Refuses a bad ticket with 403 and @message. @forged says that the ticket is not merely expired:
 * it counts against the viewer's address then, and beyond that address's quota the answer is 429.
 */
void refusal_bad_ticket(struct answer *a, struct worker *w, const struct viewer *v, bool forged,
                        const char *message);

/* Refuses, with 429, one more name for an address that holds as many as it may. */
void refusal_too_many_names(struct answer *a, struct worker *w, const struct viewer *v);

/* Refuses, with 429, a register call of an address that has made too many. */
void refusal_too_many_registers(struct answer *a, struct worker *w, const struct viewer *v,
                                unsigned retry_after_s);

/* Refuses, with 503, a name because the process holds as many as it can. */
void refusal_full(struct answer *a, unsigned retry_after_s);

#endif
