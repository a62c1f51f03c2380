/* SPDX-License-Identifier: MIT */
/* handshakes.h - TLS handshakes that are not through yet, of each address and in all.
 * http-rules.md#addresses: 512, of which one address may have 64; IPv6 by /64. Addresses that are
 * trusted, loopback among them, do not count: whose handshakes a proxy makes is not known.
 *
 * One table a process, bounded, under its own lock: a handshake costs thousands of times as much as
 * a look at it. */
#ifndef SRC_LIMITS_HANDSHAKES_H
#define SRC_LIMITS_HANDSHAKES_H

#include "src/http/trust.h"

enum { HANDSHAKES_MAX = 512, HANDSHAKE_REFUSED = -1, HANDSHAKE_UNCOUNTED = -2 };

struct handshakes;
struct handshakes *handshakes_new(uint64_t per_address) MUSTCHECK; /* 0: nothing is counted */
void handshakes_free(struct handshakes *h);

/* @peer begins one: a place, to be given back by handshakes_end, or HANDSHAKE_UNCOUNTED, which may
 * be given back too, or HANDSHAKE_REFUSED: it has as many as it may, or all have. */
int handshakes_begin(struct handshakes *h, const struct trust *t,
                     const struct sockaddr_storage *peer) MUSTCHECK;
void handshakes_end(struct handshakes *h, int place);

#endif
