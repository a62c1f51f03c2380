/* SPDX-License-Identifier: MIT */
/* address_buckets.h - a token bucket for each address that has taken something lately. One table,
 * bounded; while nobody takes anything it does not exist and asking costs a comparison. Not locked.
 * Time is an argument. */
#ifndef SRC_LIMITS_ADDRESS_BUCKETS_H
#define SRC_LIMITS_ADDRESS_BUCKETS_H

#include "src/limits/address.h"

struct buckets;
/* All alike: @burst tokens at first and at most, @rate of them a second come back (not 0). @seed:
 * not to be guessed by those who are counted. */
struct buckets *buckets_new(uint64_t seed, uint64_t burst, uint64_t rate) MUSTCHECK;
void buckets_free(struct buckets *b);

bool buckets_full(const struct buckets *b); /* everybody's, for all that is remembered */
/* false: there are not so many; nothing is taken. */
bool buckets_take(struct buckets *b, const struct address *of, uint64_t tokens, uint64_t now_us);
/* What is there, in millionths of a token. */
uint64_t buckets_left(struct buckets *b, const struct address *of, uint64_t now_us);

#endif
