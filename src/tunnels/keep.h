/* SPDX-License-Identifier: MIT */
/* keep.h - knows of one tunnel whether its owner keeps the ticket, and tells the table of
 * reservations when such a name becomes live and when it ceases to be. protocol.md#reserved-names
 */
#ifndef SRC_TUNNELS_KEEP_H
#define SRC_TUNNELS_KEEP_H

#include "src/limits/address.h"
#include "src/names/reserve.h"

struct keep {
    bool said;  /* the owner keeps the ticket (Oneport-Keep), or did so in a former life */
    bool begun; /* the name is live, and the table knows that */
    bool known; /* `from` is the address of the owner's last call */
    struct address from;
    uint64_t live_since_us; /* monotonic; 0: not live */
};

/* Notes a call of the owner from the address @from, which is NULL when it is not known or not
 * counted. */
void keep_called(struct keep *k, const struct address *from);

/* Notes that the state of the tunnel with this name and owner may have changed, or that the owner
 * has said that it keeps the ticket. */
void keep_note(struct keep *k, struct reserve *r, struct slice name,
               const uint8_t owner[static OWNER_LEN], bool live);

#endif
