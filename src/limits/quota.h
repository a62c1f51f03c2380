/* SPDX-License-Identifier: MIT */
/* quota.h - how often an address may register, and be wrong about a ticket: 429. Rules O23, O24,
 * row 19.
 *
 * - A register costs one where it makes a new owner: a name that was asked for without a ticket, or
 *   any random one. Who renews (a good ticket, and the name is that owner's or nobody's) costs
 *   nothing and is never refused by this: after a restart of the server, or when tickets expire,
 * all clients behind one address may register again at once, and each has proved who it is. Such
 * calls make nothing new; how many names they may bring back is directory.h's limit.
 * - A bad ticket (signature, other name or domain; not one that has merely expired) costs one, at
 *   register and at attach alike. With none left the next bad one is told 429 in place of 403. A
 *   good ticket is let in all the same: a MAC of 256 bits is not found by trying, so nothing would
 *   be won by keeping it out, and whoever shares an office's address with an owner could keep the
 *   owner from coming back with five bad tickets a minute. Links that are up are never touched.
 * - 403 and 429 take the same time: a ticket is judged first, always, and no answer sleeps. The MAC
 *   is compared in constant time and before anything is read (ticket.h), so the time tells how long
 *   a ticket was and whether it has a ticket's form, which its sender knows, and nothing of the
 *   keys; another name or domain is seen only in what we signed ourselves.
 *
 * One object a process, under its own lock; bounded. Who address_of_viewer does not know does not
 * count: loopback and other trusted peers that name no viewer. Time is an argument. */
#ifndef SRC_LIMITS_QUOTA_H
#define SRC_LIMITS_QUOTA_H

#include "src/limits/address.h"

struct quota;
/* @registers: a minute, twice as many at once; 0: no limit. @seed: as in buckets.h. */
struct quota *quota_new(uint64_t seed, uint64_t registers) MUSTCHECK;
void quota_free(struct quota *q);

/* @v makes a new owner. 0: it may; else in how many seconds, which is for Retry-After. */
unsigned quota_take_register(struct quota *q, const struct viewer *v, uint64_t now_us) MUSTCHECK;
/* @v came with a bad ticket. 0: tell it so; else it has been wrong too often, and in how many
 * seconds it will be told again. */
unsigned quota_take_bad_ticket(struct quota *q, const struct viewer *v, uint64_t now_us) MUSTCHECK;

#endif
