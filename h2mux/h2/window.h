/* SPDX-License-Identifier: MIT */
/* window.h - how large a stream's receive window should be: pure arithmetic over a `now` it is
 * given. RFC 9113 6.9.
 *
 * A window that was used up within one round trip was the limit, so it doubles; never beyond its
 * maximum, and not while the link's memory budget is half used (http-rules.md#memory). */
#ifndef H2MUX_H2_WINDOW_H
#define H2MUX_H2_WINDOW_H

#include <stdbool.h>
#include <stdint.h>

enum {
    WINDOW_INITIAL = 64 * 1024,
    WINDOW_MAX = 8 * 1024 * 1024,
    WINDOW_LEARNED_MAX = 1024 * 1024, /* what a new body starts with at most */
    WINDOW_LINE = 2500000,            /* bytes a second: less is not expected of a line */
    WINDOW_LINE_BEST = 1250,   /* bytes a microsecond: more is not expected of one, 10 Gbit/s */
    WINDOW_BUSY = 1024 * 1024, /* all of them, where only a busy peer asks for more */
    WINDOW_CONNECTION = 16 * 1024 * 1024
};

struct window {
    uint32_t size;
    uint64_t round_us;    /* when the current measurement began; 0: none */
    uint64_t round_bytes; /* returned since then */
};

void window_init(struct window *w, uint32_t size);
/* @bytes of credit go back at @now_us on a link with this round trip. The new size when it should
 * grow, else 0. */
uint32_t window_credit(struct window *w, uint64_t bytes, uint64_t now_us, uint64_t rtt_us,
                       bool may_grow);

/* What a stream begins with while @requests are open: the more there are, the less, so that all of
 * them together may stand still within half of a link's budget. It falls at once, and rises again
 * when there are half as many as it is for. @now: what it is now. */
uint32_t window_initial(uint32_t now, uint32_t requests);

/* Bytes of window for each of @bodies and one more: no window grows past it, so that all have the
 * same. */
uint64_t window_share(uint64_t bodies, uint64_t budget);
/* What a new body's window starts with where others have grown to @learned, and where one round
 * trip of @rtt_us on a line of WINDOW_LINE would take so much; as long as @bodies of the size take
 * no more than a quarter of the budget. */
uint32_t window_start(uint32_t learned, uint64_t rtt_us, uint64_t bodies, uint64_t budget);

#endif
