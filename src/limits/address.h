/* SPDX-License-Identifier: MIT */
/* address.h - whose address something counts for: IPv4 as a whole, IPv6 by /64, which is what one
 * household has. protocol.md#trust */
#ifndef SRC_LIMITS_ADDRESS_H
#define SRC_LIMITS_ADDRESS_H

#include "src/http/trust.h"

/* Two are equal iff all their bytes are; there is no padding. */
struct address {
    uint64_t network, host; /* of IPv6; its host part counts for mapped IPv4 only */
};

/* false: it is no internet address. */
bool address_of_peer(const struct sockaddr_storage *peer, struct address *out);
/* false: whose it is is not known, or it is nobody who is limited: a trusted peer, loopback among
 * them, that names no viewer; a unix socket. */
bool address_of_viewer(const struct viewer *v, struct address *out);
bool address_eq(const struct address *a, const struct address *b);

#endif
