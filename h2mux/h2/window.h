/* SPDX-License-Identifier: MIT */
/* window.h - computes how large a stream's receive window should be. The functions only calculate;
 * the caller passes the time. RFC 9113 6.9; docs/flow-control.md#windows
 *
 * A window that was used up within two round trips was the limit of its stream, so the window
 * doubles. A window never grows beyond WINDOW_MAX, nor while the caller forbids growth. */
#ifndef H2MUX_H2_WINDOW_H
#define H2MUX_H2_WINDOW_H

#include <stdbool.h>
#include <stdint.h>

enum {
    WINDOW_INITIAL = 64 * 1024,
    WINDOW_MAX = 8 * 1024 * 1024,
    WINDOW_LEARNED_MAX = 1024 * 1024, /* largest window that a new body starts with */
    WINDOW_LINE = 2500000,            /* bytes a second; every line is expected to carry this */
    WINDOW_LINE_BEST = 1250,          /* bytes a microsecond (10 Gbit/s); no line carries more */
    /* While all windows of a link together stay below this size, they count as small: they may grow
     * for a busy peer, although the line needs no larger window. */
    WINDOW_BUSY = 1024 * 1024,
    WINDOW_CONNECTION = 16 * 1024 * 1024
};

struct window {
    uint32_t size;
    uint64_t round_us;    /* when the present round began; 0: no round */
    uint64_t round_bytes; /* bytes credited in the round */
};

void window_init(struct window *w, uint32_t size);

/* Counts @bytes of credit that are given back at @now_us, on a link with a round trip of @rtt_us.
 * Returns the new size in bytes if the window grows, otherwise 0. */
uint32_t window_credit(struct window *w, uint64_t bytes, uint64_t now_us, uint64_t rtt_us,
                       bool may_grow);

/* Returns the window (bytes) that a stream begins with while @requests are open; @now is the
 * present value. More requests get smaller windows, so that the full windows of some 2,900 requests
 * fit into half of a link's budget. The value falls at once, but rises only when half as many
 * requests are open as the higher value allows. */
uint32_t window_initial(uint32_t now, uint32_t requests);

/* Returns the share (bytes) of one body among @bodies others: a quarter of @budget divided by all
 * of them. No window grows beyond its share, so that all can have the same. */
uint64_t window_share(uint64_t bodies, uint64_t budget);

/* Returns the window (bytes) that a new body starts with among @bodies others: the window to which
 * others have grown (@learned), or the bytes that a line of WINDOW_LINE carries in @rtt_us,
 * whichever is more, but at most WINDOW_LEARNED_MAX and the body's share of @budget. */
uint32_t window_start(uint32_t learned, uint64_t rtt_us, uint64_t bodies, uint64_t budget);

#endif
