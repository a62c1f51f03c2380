/* SPDX-License-Identifier: MIT */
/* quota.h - limits how often an address may register new names, and how often it may present bad
 * tickets. A call over the limit is answered 429. Rules O23, O24; row 19 of the fault table.
 *
 * A register call counts when it makes a new owner: when it asks for a name without a ticket, or
 * for a random name. A renewal does not count and is never refused here: it has a good ticket for a
 * name that is free or that the ticket's owner holds. After a restart of the server all clients at
 * one address may register again at once, and each has proved its identity. directory.h limits the
 * number of names that an address may hold.
 *
 * A ticket is bad when its signature, name or domain is wrong. Bad tickets count at register and at
 * attach alike; expired tickets do not count. When an address has used up its limit, its next bad
 * ticket is answered 429 in place of 403, but a good ticket is accepted even then. Nobody finds a
 * MAC of 256 bits by trying, so refusing a good ticket would win nothing; and a neighbour at the
 * same address could lock an owner out by five bad tickets a minute. Links that are up are never
 * touched.
 *
 * The time until a 403 or a 429 says nothing about the keys: a ticket is always judged first, its
 * MAC is compared in constant time before its claims are read (ticket.h), and no answer is delayed.
 *
 * The process has one quota, which any thread may use: the quota has its own lock. Its size is
 * bounded. Viewers to whom no limit applies (address_of_viewer) do not count. The caller passes the
 * time. */
#ifndef SRC_LIMITS_QUOTA_H
#define SRC_LIMITS_QUOTA_H

#include "src/limits/address.h"

struct quota;
/* Makes a quota. An address may register @registers new names a minute, and twice that number at
 * once; with 0 there is no limit. @seed: as in address_buckets.h. */
struct quota *quota_new(uint64_t seed, uint64_t registers) MUSTCHECK;
void quota_free(struct quota *q);

/* Counts a new owner of the viewer @v. Returns 0 when the call may go on, otherwise the Retry-After
 * in seconds for a 429. */
unsigned quota_take_register(struct quota *q, const struct viewer *v, uint64_t now_us) MUSTCHECK;
/* Counts a bad ticket of the viewer @v. Returns 0 when the answer is 403, otherwise the Retry-After
 * in seconds for a 429. */
unsigned quota_take_bad_ticket(struct quota *q, const struct viewer *v, uint64_t now_us) MUSTCHECK;

#endif
