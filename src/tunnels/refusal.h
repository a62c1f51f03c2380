/* SPDX-License-Identifier: MIT */
/* refusal.h - refusals that register and attach give in the same words. Each is counted against the
 * viewer's address by limits/quota.h, and a refusal for an address's sake is logged at most once a
 * second. protocol.md#register-refusals, protocol.md#attach-refusals */
#ifndef SRC_TUNNELS_REFUSAL_H
#define SRC_TUNNELS_REFUSAL_H

#include "src/http/answer.h"
#include "src/http/trust.h"
#include "src/worker/worker.h"

/* Refuses a bad ticket: 403, or 429 when the address has come with too many. @forged: the ticket is
 * more than merely expired, so it counts against its address. */
void refusal_bad_ticket(struct answer *a, struct worker *w, const struct viewer *v, bool forged,
                        const char *message);

/* Refuses one more name for an address that holds as many as it may: 429. */
void refusal_too_many_names(struct answer *a, struct worker *w, const struct viewer *v);

/* Refuses one more registration for an address that has made too many: 429. */
void refusal_too_many_registers(struct answer *a, struct worker *w, const struct viewer *v,
                                unsigned retry_after_s);

/* Refuses a name because the process holds as many as it can: 503. */
void refusal_full(struct answer *a, unsigned retry_after_s);

#endif
