/* SPDX-License-Identifier: MIT */
/* address.h - finds the address by which a limit counts a peer or a viewer: the whole address of
 * IPv4, and the first 64 bits of IPv6, since a household gets a /64. protocol.md#trust */
#ifndef SRC_LIMITS_ADDRESS_H
#define SRC_LIMITS_ADDRESS_H

#include "src/http/trust.h"

/* An address as limits count it. `network` has the first 64 bits of an IPv6 address; the last 64
 * are left out (`host` is 0), since one household has a whole /64. An IPv4 address is stored as
 * ::ffff:a.b.c.d, with all its bits. The struct has no padding, so its bytes can be the key of a
 * map. */
struct address {
    uint64_t network, host;
};

/* Fills @out with the address of @peer. Returns false when @peer has no internet address. */
bool address_of_peer(const struct sockaddr *peer, struct address *out);

/* Fills @out with the address of @v. Returns false when no limit applies to @v: its peer is trusted
 * (unix sockets and loopback are) and names no viewer, so the viewer's own address is not known. */
bool address_of_viewer(const struct viewer *v, struct address *out);

bool address_eq(const struct address *a, const struct address *b);

/* Writes @a to @out as text that address_parse reads: "192.0.2.1", or "2001:db8::" for a /64. */
void address_text(const struct address *a, char out[static TRUST_ADDRESS_MAX]);

/* Reads an address of either family, as it is counted, into @out. Returns 0, or ERR_SYNTAX. */
int address_parse(struct slice text, struct address *out) MUSTCHECK;

#endif
