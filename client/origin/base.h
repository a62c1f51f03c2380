/* SPDX-License-Identifier: MIT */
/* base.h - tells whether a reference names a base, which is "scheme://authority" of the viewer's
 * side or of the local service, and what is behind it. Pure. RFC 3986 4.2, 4.3. */
#ifndef CLIENT_ORIGIN_BASE_H
#define CLIENT_ORIGIN_BASE_H

#include "h2mux/base/slice.h"

struct base {
    struct slice scheme, authority; /* borrowed */
};

/* Returns whether @value is @b, or begins with it, and sets @rest to what is behind it. The default
 * port of the scheme counts as no port. */
bool base_begins(const struct base *b, struct slice value, struct slice *rest) MUSTCHECK;

/* Returns whether @value is a network-path reference ("//authority/path") to the authority of @b,
 * and sets @rest to what is behind that. It has the scheme of what it stands in, which is that of
 * @b. */
bool base_begins_short(const struct base *b, struct slice value, struct slice *rest) MUSTCHECK;

/* Returns whether @value names the host of @viewer, but by the port or the scheme that the service
 * has, which is @origin: it knows that host from the Host field, and the rest from its own socket.
 * Sets @rest to what is behind the authority, and @is_short for a network-path reference. A step
 * from http up to https is never meant so, unless it names the service's port. */
bool base_is_mixed(const struct base *viewer, const struct base *origin, struct slice value,
                   struct slice *rest, bool *is_short) MUSTCHECK;

/* Returns @authority without its port. */
struct slice base_host(struct slice authority) MUSTCHECK;

#endif
