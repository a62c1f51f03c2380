/* SPDX-License-Identifier: MIT */
/* quota.h - limits how often an address may register new names, and how often it may present bad
 * tickets: over the limit it is told 429. Rules O23, O24, row 19.
 *
 * A register call counts when it makes a new owner: when it asks for a name without a ticket, or
 * for a random name. A call that renews, with a good ticket for a name that its owner or nobody
 * holds, does not count and is never refused here. For after a restart of the server all clients
 * behind one address may register again at once, and each has proved who it is. directory.h limits
 * how many names an address may hold.
 *
 * A bad ticket counts, at register and at attach alike: its signature, name or domain is wrong. An
 * expired one does not count. When an address has none left, the next bad ticket is told 429 in
 * place of 403. A good ticket is accepted even then. Nobody finds a MAC of 256 bits by trying, so
 * refusing it would win nothing; and a neighbour behind the same address could lock an owner out
 * with five bad tickets a minute. Links that are up are never touched.
 *
 * 403 and 429 take the same time. A ticket is always judged first, its MAC is compared in constant
 * time before its claims are read (ticket.h), and no answer is delayed. So the time says nothing
 * about the keys.
 *
 * The process has one quota, of a bounded size and with its own lock, which any thread may use.
 * Viewers without an address (address_of_viewer) do not count. The caller passes the time. */
#ifndef SRC_LIMITS_QUOTA_H
#define SRC_LIMITS_QUOTA_H

#include "src/limits/address.h"

struct quota;
/* @registers: how many new names an address may register a minute; twice as many at once. 0: no
 * limit. @seed: as in address_buckets.h. */
struct quota *quota_new(uint64_t seed, uint64_t registers) MUSTCHECK;
void quota_free(struct quota *q);

/* Counts a new owner of @v. Returns 0 to go on, otherwise the Retry-After for a 429. */
unsigned quota_take_register(struct quota *q, const struct viewer *v, uint64_t now_us) MUSTCHECK;
/* Counts a bad ticket of @v. Returns 0 to answer 403, otherwise the Retry-After for a 429. */
unsigned quota_take_bad_ticket(struct quota *q, const struct viewer *v, uint64_t now_us) MUSTCHECK;

#endif
