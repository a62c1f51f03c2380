/* SPDX-License-Identifier: MIT */
/* gather.h - lists what one sock will send of a loop's scratch in one call, without a copy: slices
 * in order, and the few bytes of its own between them (chunk heads).
 *
 * A loop has one gather, and at most one sock owns it. The owner settles (sends, and copies what
 * the kernel does not take) at the end of the turn, before another sock gathers, and before the
 * scratch is read into again. */
#ifndef H2MUX_IO_GATHER_H
#define H2MUX_IO_GATHER_H

#include <sys/uio.h>

#include "h2mux/base/slice.h"

enum { GATHER_SLICES = 32, GATHER_OWN = 256 };

struct gather {
    void *owner; /* weak: clears the gather when it goes; NULL while nothing is gathered */
    void (*settle)(void *owner);       /* empties the gather */
    struct iovec v[1 + GATHER_SLICES]; /* v[0] is the owner's queue, set when it settles */
    size_t count;                      /* of the others */
    size_t bytes;                      /* in the others */
    size_t own;                        /* used of text */
    char text[GATHER_OWN];
};

static inline void gather_clear(struct gather *g)
{
    g->owner = NULL;
    g->count = g->bytes = g->own = 0;
}

static inline void gather_settle(struct gather *g)
{
    if (g->owner)
        g->settle(g->owner);
}

/* Adds @data, which stays where it is until the owner settles. Returns false if no place is left.
 */
static inline bool gather_lend(struct gather *g, struct slice data)
{
    if (g->count == GATHER_SLICES)
        return false;
    g->v[++g->count] = (struct iovec){(void *)(uintptr_t)data.ptr, data.len};
    g->bytes += data.len;
    return true;
}

/* Adds a copy of @data; returns likewise. */
static inline bool gather_copy(struct gather *g, struct slice data)
{
    if (data.len > GATHER_OWN - g->own || g->count == GATHER_SLICES)
        return false;
    char *kept = memcpy(g->text + g->own, data.ptr, data.len);
    g->own += data.len;
    return gather_lend(g, slice_make(kept, data.len));
}

#endif
