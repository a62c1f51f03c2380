/* SPDX-License-Identifier: MIT */
/* address_buckets.h - keeps a token bucket for each address that has taken tokens lately, in a
 * table. All buckets have the same size and rate. The table grows with the addresses up to
 * a bounded size and is allocated by the first take; without a table a query costs one comparison.
 * The table has no lock and no clock: the caller locks, and passes the time. */
#ifndef SRC_LIMITS_ADDRESS_BUCKETS_H
#define SRC_LIMITS_ADDRESS_BUCKETS_H

#include "src/limits/address.h"

struct address_buckets;
/* Makes buckets without a table. Each bucket begins with @burst tokens, holds @burst at most, and
 * gets @rate tokens back a second; @rate is not 0. @seed decides where an address is placed. The
 * seed must be secret, or an attacker could choose addresses that push a certain other address
 * out. */
struct address_buckets *address_buckets_new(uint64_t seed, uint64_t burst, uint64_t rate) MUSTCHECK;
void address_buckets_free(struct address_buckets *b);

/* Frees the table if all buckets are full by now, as each call that takes the time does. @b NULL is
 * fine, here and below. */
void address_buckets_tidy(struct address_buckets *b, uint64_t now_us);
/* Returns how large the table is, in bytes. */
size_t address_buckets_bytes(const struct address_buckets *b);

/* Returns true when all buckets are full, because nobody has taken tokens lately. May return false
 * a while after the last bucket has become full. */
bool address_buckets_all_full(const struct address_buckets *b);

/* Takes @tokens from the bucket of @of. Returns false, and takes nothing, when the bucket holds
 * fewer tokens. */
bool address_buckets_take(struct address_buckets *b, const struct address *of, uint64_t tokens,
                          uint64_t now_us);
/* Gives back @tokens that were taken from the bucket of @of, as far as it has room. */
void address_buckets_give(struct address_buckets *b, const struct address *of, uint64_t tokens,
                          uint64_t now_us);
/* Takes one token from the bucket of the viewer @v. Returns false when it is empty. Lets everybody
 * in for whom no limit applies (address_of_viewer), and always if @b is NULL. */
bool address_buckets_admit(struct address_buckets *b, const struct viewer *v, uint64_t now_us);
/* Returns the content of the bucket of @of, in millionths of a token. */
uint64_t address_buckets_left(struct address_buckets *b, const struct address *of, uint64_t now_us);

#endif
