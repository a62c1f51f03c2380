/* SPDX-License-Identifier: MIT */
/* revoke.h - ends the links of a worker whose token is not good any more: it is gone from the file,
 * its time is over, or it does not permit the name. Each worker looks twice a second whether any
 * token has changed (tokens_epoch), and then judges all its links. protocol.md#tokens */
#ifndef SRC_TUNNELS_REVOKE_H
#define SRC_TUNNELS_REVOKE_H

#include "src/worker/worker.h"

struct revoke;

/* Starts to look after the links of @w, whose server has tokens. Returns NULL for a server without
 * tokens. */
struct revoke *revoke_new(struct worker *w) MUSTCHECK;

/* NULL is fine. */
void revoke_free(struct revoke *r);

/* Judges all links of the worker now. */
void revoke_look(struct revoke *r);

#endif
