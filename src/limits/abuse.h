/* SPDX-License-Identifier: MIT */
/* abuse.h - limits how often the viewers of one address may abort requests that are not answered
 * yet: 100 times a second, and 1,000 times at once (http-rules.md#addresses). An address over the
 * limit is answered 429.
 *
 * The reason for the limit: each abort costs a RST_STREAM on a link, and a client accepts only a
 * certain rate of these frames. Each worker has one table of a bounded size. While no viewer
 * aborts, abuse_blocks costs one comparison. The caller passes the time. */
#ifndef SRC_LIMITS_ABUSE_H
#define SRC_LIMITS_ABUSE_H

#include "src/http/trust.h"

struct abuse;
/* @seed: as in address_buckets.h. */
struct abuse *abuse_new(uint64_t seed) MUSTCHECK;
void abuse_free(struct abuse *a);

/* Counts an abort: the viewer @v left before its answer was complete. Does nothing when no limit
 * applies to @v (address_of_viewer). */
void abuse_note(struct abuse *a, const struct viewer *v, uint64_t now_us);

/* Returns whether the address of @v has used up its aborts, so that its request must get 429.
 * Returns false when no limit applies to @v. */
bool abuse_blocks(struct abuse *a, const struct viewer *v, uint64_t now_us);

#endif
