/* SPDX-License-Identifier: MIT */
/* handshakes.h - limits the TLS handshakes that are under way: 512 in all, and by default 64 of one
 * address (http-rules.md#addresses). Trusted addresses, loopback among them, do not count, since a
 * proxy makes handshakes for many viewers.
 *
 * The process has one table, which any thread may use: the table has its own lock. Compared to a
 * handshake the lock costs nothing. */
#ifndef SRC_LIMITS_HANDSHAKES_H
#define SRC_LIMITS_HANDSHAKES_H

#include "src/http/trust.h"

enum { HANDSHAKES_MAX = 512, HANDSHAKE_REFUSED = -1, HANDSHAKE_UNCOUNTED = -2 };

struct handshakes;
/* Makes an empty table. @per_address is the number of handshakes that one address may have under
 * way. With 0 there is no limit at all, and nothing is counted. */
struct handshakes *handshakes_new(uint64_t per_address) MUSTCHECK;
void handshakes_free(struct handshakes *h);

/* Counts a handshake that @peer begins. Returns a place (0 or more), which the caller must give
 * back by handshakes_end; HANDSHAKE_UNCOUNTED when @peer does not count; or HANDSHAKE_REFUSED when
 * the address of @peer or the whole process has reached its limit. */
int handshakes_begin(struct handshakes *h, const struct trust *t,
                     const struct sockaddr_storage *peer) MUSTCHECK;
/* Gives @place back. Does nothing when @place is HANDSHAKE_UNCOUNTED or HANDSHAKE_REFUSED. */
void handshakes_end(struct handshakes *h, int place);

#endif
