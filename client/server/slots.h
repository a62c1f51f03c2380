/* SPDX-License-Identifier: MIT */
/* slots.h - all places of the client at its tunnel: --links of them. Knows nothing of what a slot
 * wants. */
#ifndef CLIENT_SERVER_SLOTS_H
#define CLIENT_SERVER_SLOTS_H

#include "client/server/slot.h"

/* Embedded in the tunnel. */
struct slots {
    struct slot *first; /* owned: an array */
    unsigned count;     /* at least 1 */
};

#define FOREACH_SLOT(s, slots)                                                                     \
    for (struct slot *s = (slots)->first; s < (slots)->first + (slots)->count; s++)

/* Makes @count slots with numbers from 0 on, as slot_init does. */
void slots_init(struct slots *all, unsigned count, const struct link_options *o,
                const struct slot_ops *ops, void *user);
void slots_deinit(struct slots *all);

/* Returns whether new requests come on a link of any slot. */
bool slots_are_up(const struct slots *all);
/* Returns whether no stream is open on any link, on links that drain either. */
bool slots_are_idle(const struct slots *all);

/* How the slots are at a moment, for a person to look at. */
struct slots_look {
    unsigned links;         /* that are up */
    uint64_t round_trip_us; /* the shortest of them; 0: none is known */
    uint64_t pause_ms;      /* until the next slot wants again; 0: none pauses */
};
struct slots_look slots_look(const struct slots *all);

/* Do to each slot what the function of slot.h does. */
void slots_close(struct slots *all);
void slots_leave(struct slots *all);
void slots_wake(struct slots *all);

#endif
