/* SPDX-License-Identifier: MIT */
/* address_buckets.h - a token bucket for each address that has taken something lately. One table,
 * bounded; while nobody takes anything it does not exist and asking costs a comparison. Not locked.
 * Time is an argument. */
#ifndef SRC_LIMITS_ADDRESS_BUCKETS_H
#define SRC_LIMITS_ADDRESS_BUCKETS_H

#include "src/limits/address.h"

struct address_buckets;
/* All alike: @burst tokens at first and at most, @rate of them a second come back (not 0). @seed:
 * not to be guessed by those who are counted. */
struct address_buckets *address_buckets_new(uint64_t seed, uint64_t burst, uint64_t rate) MUSTCHECK;
void address_buckets_free(struct address_buckets *b);

bool address_buckets_all_full(
    const struct address_buckets *b); /* everybody's, for all that is remembered */
/* false: there are not so many; nothing is taken. */
bool address_buckets_take(struct address_buckets *b, const struct address *of, uint64_t tokens,
                          uint64_t now_us);
/* What is there, in millionths of a token. */
uint64_t address_buckets_left(struct address_buckets *b, const struct address *of, uint64_t now_us);

#endif
