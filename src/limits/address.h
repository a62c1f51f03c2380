/* SPDX-License-Identifier: MIT */
/* address.h - finds the address that a limit counts for: the whole address of IPv4, the first 64
 * bits of IPv6, since a household gets a /64. protocol.md#trust */
#ifndef SRC_LIMITS_ADDRESS_H
#define SRC_LIMITS_ADDRESS_H

#include "src/http/trust.h"

/* The two halves of an IPv6 address. An IPv4 address is ::ffff:a.b.c.d; of any other the host part
 * is 0. The struct has no padding, so its bytes can be a key. */
struct address {
    uint64_t network, host;
};

/* Fills @out. Returns false when @peer has no internet address. */
bool address_of_peer(const struct sockaddr_storage *peer, struct address *out);

/* Fills @out. Returns false when @v is not limited: its peer is a unix socket, or a trusted address
 * (loopback is one) that names no viewer, so that it is not known whose requests come from there.
 */
bool address_of_viewer(const struct viewer *v, struct address *out);

bool address_eq(const struct address *a, const struct address *b);

#endif
