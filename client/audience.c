/* SPDX-License-Identifier: MIT */
/* audience.c - see audience.h. */
#include "client/audience.h"

void audience_note(struct audience *a, uint64_t viewer, uint64_t now_us)
{
    size_t at = (size_t)(viewer % AUDIENCE_PLACES);
    if (viewer == 0)
        return;
    a->place[at].viewer = viewer;
    a->place[at].seen_us = now_us;
}

size_t audience_count(const struct audience *a, uint64_t now_us)
{
    size_t n = 0;
    for (size_t i = 0; i < AUDIENCE_PLACES; i++)
        if (a->place[i].viewer != 0 && now_us - a->place[i].seen_us <= (uint64_t)AUDIENCE_MS * 1000)
            n++;
    return n;
}
