/* SPDX-License-Identifier: MIT */
/* window.h - says how large a stream's receive window should be: pure arithmetic over a clock that
 * the caller reads. RFC 9113 6.9; docs/flow-control.md#windows
 *
 * A window that was used up within two round trips was the limit of its stream, so it doubles. It
 * never grows beyond WINDOW_MAX, nor while the caller says that it may not. */
#ifndef H2MUX_H2_WINDOW_H
#define H2MUX_H2_WINDOW_H

#include <stdbool.h>
#include <stdint.h>

enum {
    WINDOW_INITIAL = 64 * 1024,
    WINDOW_MAX = 8 * 1024 * 1024,
    WINDOW_LEARNED_MAX = 1024 * 1024, /* what a new body starts with at most */
    WINDOW_LINE = 2500000,            /* bytes a second that every line is expected to carry */
    WINDOW_LINE_BEST = 1250,          /* bytes a microsecond, 10 Gbit/s: no line carries more */
    WINDOW_BUSY = 1024 * 1024, /* all windows of a link, where only a busy peer asks for more */
    WINDOW_CONNECTION = 16 * 1024 * 1024
};

struct window {
    uint32_t size;
    uint64_t round_us;    /* when the round that runs began; 0: none */
    uint64_t round_bytes; /* credited since then */
};

void window_init(struct window *w, uint32_t size);

/* Counts @bytes of credit that go back at @now_us, on a link with a round trip of @rtt_us. Returns
 * the new size if the window is to grow, otherwise 0. */
uint32_t window_credit(struct window *w, uint64_t bytes, uint64_t now_us, uint64_t rtt_us,
                       bool may_grow);

/* Returns the window that a stream begins with while @requests are open; @now is the present one.
 * The more requests, the smaller the window, so that all of them together may stand still within
 * half of a link's budget. The window falls at once, and rises when only half as many requests are
 * open as it is for. */
uint32_t window_initial(uint32_t now, uint32_t requests);

/* Returns the share of one among @bodies others: a quarter of @budget divided by all. No window
 * grows past its share, so that all have the same. */
uint64_t window_share(uint64_t bodies, uint64_t budget);

/* Returns the window that a new body starts with among @bodies others: what others have grown to
 * (@learned), or what a line of WINDOW_LINE carries in @rtt_us, whichever is more, but not more
 * than the body's share of @budget. */
uint32_t window_start(uint32_t learned, uint64_t rtt_us, uint64_t bodies, uint64_t budget);

#endif
