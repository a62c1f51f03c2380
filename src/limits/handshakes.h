/* SPDX-License-Identifier: MIT */
/* handshakes.h - limits the TLS handshakes that are under way: 512 in all, and by default 64 of one
 * address (http-rules.md#addresses). Trusted addresses, loopback among them, do not count, since a
 * proxy makes handshakes for many.
 *
 * The process has one table, with its own lock, which any thread may use: compared to a handshake
 * the lock costs nothing. */
#ifndef SRC_LIMITS_HANDSHAKES_H
#define SRC_LIMITS_HANDSHAKES_H

#include "src/http/trust.h"

enum { HANDSHAKES_MAX = 512, HANDSHAKE_REFUSED = -1, HANDSHAKE_UNCOUNTED = -2 };

struct handshakes;
/* @per_address: how many one address may have; 0: no limit at all, and nothing is counted. */
struct handshakes *handshakes_new(uint64_t per_address) MUSTCHECK;
void handshakes_free(struct handshakes *h);

/* Counts a handshake that @peer begins. Returns a place (0 or more), which handshakes_end must give
 * back; or HANDSHAKE_UNCOUNTED, when @peer does not count; or HANDSHAKE_REFUSED, when its address
 * or all together have as many as they may. */
int handshakes_begin(struct handshakes *h, const struct trust *t,
                     const struct sockaddr_storage *peer) MUSTCHECK;
/* Gives a place back. Does nothing with the other results of handshakes_begin. */
void handshakes_end(struct handshakes *h, int place);

#endif
