/* SPDX-License-Identifier: MIT */
/* abuse.h - viewers that ask and leave, again and again: how many aborts an address has left.
 * http-rules.md#addresses: 100 a second, burst 1,000; IPv6 by /64.
 *
 * Each abort costs a RST_STREAM, and those are paced, for peers limit the ones they take. One table
 * a worker, bounded; while nobody aborts it does not exist and asking costs a comparison. Time is
 * an argument. */
#ifndef SRC_LIMITS_ABUSE_H
#define SRC_LIMITS_ABUSE_H

#include "src/http/trust.h"

struct abuse;
struct abuse *abuse_new(uint64_t seed) MUSTCHECK; /* @seed: not to be guessed by viewers */
void abuse_free(struct abuse *a);

/* @v left before its answer was complete. A trusted peer that names no viewer is none: whose
 * requests it carries is not known. */
void abuse_note(struct abuse *a, const struct viewer *v, uint64_t now_us);
/* Its aborts are used up: it gets 429 until some are back. */
bool abuse_blocks(struct abuse *a, const struct viewer *v, uint64_t now_us);

#endif
