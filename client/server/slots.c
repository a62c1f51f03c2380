/* SPDX-License-Identifier: MIT */
/* slots.c - see slots.h. */
#include "client/server/slots.h"

#include <stdlib.h>

void slots_init(struct slots *all, unsigned count, const struct link_options *o,
                const struct slot_ops *ops, void *user)
{
    struct link_options of = *o;
    *all = (struct slots){.first = xcalloc(count, sizeof *all->first), .count = count};
    of.slot = 0;
    FOREACH_SLOT (s, all) {
        slot_init(s, &of, ops, user);
        of.slot++;
    }
}

void slots_deinit(struct slots *all)
{
    slots_close(all);
    free(all->first);
}

bool slots_are_up(const struct slots *all)
{
    FOREACH_SLOT (s, all)
        if (slot_is_up(s))
            return true;
    return false;
}

bool slots_are_idle(const struct slots *all)
{
    FOREACH_SLOT (s, all)
        if (!slot_is_idle(s))
            return false;
    return true;
}

void slots_close(struct slots *all)
{
    FOREACH_SLOT (s, all)
        slot_close(s);
}

void slots_leave(struct slots *all)
{
    FOREACH_SLOT (s, all)
        slot_leave(s);
}

void slots_wake(struct slots *all)
{
    FOREACH_SLOT (s, all)
        slot_wake(s);
}

struct slots_look slots_look(const struct slots *all)
{
    struct slots_look look = {.links = 0};
    FOREACH_SLOT (s, all) {
        uint64_t us = slot_round_trip_us(s), ms = slot_pause_left_ms(s);
        look.links += slot_is_up(s);
        if (us > 0 && (look.round_trip_us == 0 || us < look.round_trip_us))
            look.round_trip_us = us;
        if (ms > 0 && (look.pause_ms == 0 || ms < look.pause_ms))
            look.pause_ms = ms;
    }
    return look;
}
