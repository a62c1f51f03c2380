/* SPDX-License-Identifier: MIT */
/* who.h - says for whom a place of a pool is counted (shares.h): for an address, with the networks
 * around it, or for a tunnel. Nothing is counted for nobody: for a trusted peer that names no
 * viewer, since the places of a proxy are those of many viewers, and for a peer without an internet
 * address. http-rules.md#pools */
#ifndef SRC_LIMITS_WHO_H
#define SRC_LIMITS_WHO_H

#include "src/limits/address.h"

enum { WHO_DEPTH_MAX = 3 };

/* A path from the widest holder to the narrowest: the /48, the /56 and the /64 of an IPv6 address,
 * or a single holder for an IPv4 address and for a tunnel. Depth 0: nobody. */
struct who {
    unsigned depth;
    struct address at[WHO_DEPTH_MAX];
};

/* Returns the path of the address @a. */
struct who who_of_address(const struct address *a);

/* Returns the path of the peer of a connection, or nobody when @t has the peer (trust_has) or when
 * the peer has no internet address. */
struct who who_of_peer(const struct trust *t, const struct sockaddr *peer);

/* Returns the path of the viewer @v, or nobody when no limit applies to @v (address_of_viewer). */
struct who who_of_viewer(const struct viewer *v);

/* Returns the path of the object @object, such as a tunnel, which is told from other objects by its
 * place in memory. The object must outlive the places that are counted for it. */
struct who who_of_object(const void *object);

#endif
