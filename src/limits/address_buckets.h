/* SPDX-License-Identifier: MIT */
/* address_buckets.h - keeps a token bucket for each address that has taken tokens lately, in a
 * table. The buckets are all alike. The table has a bounded size, and it exists only while somebody
 * has taken something; until then a question costs one comparison. It has no lock and no clock: its
 * owner locks, and passes the time. */
#ifndef SRC_LIMITS_ADDRESS_BUCKETS_H
#define SRC_LIMITS_ADDRESS_BUCKETS_H

#include "src/limits/address.h"

struct address_buckets;
/* Each bucket has @burst tokens at first and at most, and gets @rate tokens back a second; @rate is
 * not 0. @seed places addresses in the table; it must be secret, or somebody could choose addresses
 * that push a certain other one out. */
struct address_buckets *address_buckets_new(uint64_t seed, uint64_t burst, uint64_t rate) MUSTCHECK;
void address_buckets_free(struct address_buckets *b);

/* Returns whether each address surely has all its tokens: nobody has taken any lately. */
bool address_buckets_all_full(const struct address_buckets *b);

/* Takes @tokens from the bucket of @of. Returns false, and takes none, when there are fewer. */
bool address_buckets_take(struct address_buckets *b, const struct address *of, uint64_t tokens,
                          uint64_t now_us);
/* Returns how much the bucket of @of holds, in millionths of a token. */
uint64_t address_buckets_left(struct address_buckets *b, const struct address *of, uint64_t now_us);

#endif
