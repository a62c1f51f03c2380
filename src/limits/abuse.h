/* SPDX-License-Identifier: MIT */
/* abuse.h - limits how often the viewers at an address may give requests up before they are
 * answered: 100 times a second, 1,000 times at once (http-rules.md#addresses). An address over the
 * limit is answered 429.
 *
 * The reason is that each such abort costs a RST_STREAM on a link, which must be paced, because a
 * client takes only so many. Each worker has one table, of a bounded size; while nobody aborts, a
 * question costs one comparison. The caller passes the time. */
#ifndef SRC_LIMITS_ABUSE_H
#define SRC_LIMITS_ABUSE_H

#include "src/http/trust.h"

struct abuse;
/* @seed: as in address_buckets.h. */
struct abuse *abuse_new(uint64_t seed) MUSTCHECK;
void abuse_free(struct abuse *a);

/* Counts that @v left before its answer was complete. Viewers without an address
 * (address_of_viewer) do not count. */
void abuse_note(struct abuse *a, const struct viewer *v, uint64_t now_us);

/* Returns whether the address of @v has no abort left, so that it gets 429. */
bool abuse_blocks(struct abuse *a, const struct viewer *v, uint64_t now_us);

#endif
