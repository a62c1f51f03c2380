/* SPDX-License-Identifier: MIT */
/* presence.h - tells whether somebody listens at the origin, by the system's own tables: a
 * connection to find out would disturb services that take one at a time. */
#ifndef CLIENT_ORIGIN_PRESENCE_H
#define CLIENT_ORIGIN_PRESENCE_H

#include "client/origin/origin_address.h"

enum presence {
    PRESENCE_LISTENS,
    PRESENCE_NOBODY,
    PRESENCE_UNKNOWN /* another machine's, or the system does not tell */
};

/* Asks the system about @a. */
enum presence presence_of(const struct origin_address *a);

#endif
