/* SPDX-License-Identifier: MIT */
/* gather.h - lists slices of a loop's scratch (the buffer into which the loop's socks read) that
 * one sock will send in one system call, without a copy. Short texts of the sock itself, such as
 * the heads of chunks, may stand between the slices.
 *
 * A loop has one gather, and at most one sock owns the gather. The owner settles the gather at the
 * end of the turn, before another sock gathers, and before the next read into the scratch. To
 * settle means to send the slices, and to queue copies of the bytes that the kernel does not
 * take. */
#ifndef H2MUX_IO_GATHER_H
#define H2MUX_IO_GATHER_H

#include <sys/uio.h>

#include "h2mux/base/slice.h"

enum { GATHER_SLICES = 32, GATHER_OWN = 256 };

struct gather {
    /* Weak: the owner clears the gather before its own end. NULL while nothing is gathered. */
    void *owner;
    void (*settle)(void *owner);       /* sends or queues all, and empties the gather */
    struct iovec v[1 + GATHER_SLICES]; /* v[0] is the owner's queue, which `settle` sets */
    size_t count;                      /* slices after v[0] */
    size_t bytes;                      /* bytes in the slices after v[0] */
    size_t own;                        /* bytes used of `text` */
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

/* Adds @data to the list without a copy: the bytes must stay unchanged until the owner settles.
 * Returns false if the list has GATHER_SLICES slices already. */
static inline bool gather_lend(struct gather *g, struct slice data)
{
    if (g->count == GATHER_SLICES)
        return false;
    g->v[++g->count] = (struct iovec){(void *)(uintptr_t)data.ptr, data.len};
    g->bytes += data.len;
    return true;
}

/* Copies @data and adds the copy to the list. Returns false if the list has GATHER_SLICES slices
 * already, or if all copies together would exceed GATHER_OWN bytes. */
static inline bool gather_copy(struct gather *g, struct slice data)
{
    if (data.len > GATHER_OWN - g->own || g->count == GATHER_SLICES)
        return false;
    char *kept = memcpy(g->text + g->own, data.ptr, data.len);
    g->own += data.len;
    return gather_lend(g, slice_make(kept, data.len));
}

#endif
