/* SPDX-License-Identifier: MIT */
/* window.h - computes how large a stream's receive window should be. The functions only calculate;
 * the caller passes the time. RFC 9113 6.9; docs/flow-control.md#windows
 *
 * A window that was used up within two round trips was the limit of its stream, so the window may
 * double. But credit shows only that a kernel has taken bytes, and a kernel takes much before it
 * waits for its peer. So growth has to be earned: the reader's own system acknowledges a whole
 * window within EARN_US (1 s), or within four round trips on a very long line. A reader whose
 * system acknowledges less than a window in SLOW_US (10 s), although bytes wait for it, is slow. */
#ifndef H2MUX_H2_WINDOW_H
#define H2MUX_H2_WINDOW_H

#include <stdbool.h>
#include <stdint.h>

enum {
    WINDOW_INITIAL = 64 * 1024,
    WINDOW_MAX = 8 * 1024 * 1024,
    WINDOW_LEARNED_MAX = 1024 * 1024,   /* largest window that a new body takes over from others */
    WINDOW_START_MAX = 4 * 1024 * 1024, /* largest start of all bodies, and of one that is alone */
    WINDOW_NEAR_US = 2000,              /* round trip up to which nothing is expected of the line */
    WINDOW_LINE_BEST = 1250,            /* bytes a microsecond (10 Gbit/s); no line carries more */
    /* While all windows of a link together stay below this size, they count as small: they may grow
     * for a busy peer, although the line needs no larger window. */
    WINDOW_BUSY = 1024 * 1024,
    WINDOW_ASKS_FROM = WINDOW_INITIAL / 2, /* bytes of a body; see window_asks */
    WINDOW_CONNECTION = 16 * 1024 * 1024,
    WINDOW_FEW = 32 /* requests that all begin with WINDOW_INITIAL; more of them are a crowd */
};

struct window {
    uint32_t size;
    uint64_t round_us;    /* when the present round began; 0: no round */
    uint64_t round_bytes; /* bytes credited in the round */
    uint64_t credited;    /* all bytes credited */
    uint64_t asked;       /* `credited` when the reader's system was asked last; 0: never */
    /* What the reader's system had acknowledged at a point in time; us is 0 before the first. */
    struct {
        uint64_t us, taken;
    } earns, waits;
};

void window_init(struct window *w, uint32_t size);

/* Counts @bytes of credit that are given back at @now_us, on a link with a round trip of @rtt_us.
 * Returns whether the window was used up within two round trips. */
bool window_credit(struct window *w, uint64_t bytes, uint64_t now_us, uint64_t rtt_us);

/* Returns the size that the window doubles to, or its size if that is WINDOW_MAX. */
uint32_t window_double(const struct window *w);

/* Sets the size, which ends the round. A new round begins at @now_us, or with the next credit if
 * that is 0. */
void window_resize(struct window *w, uint32_t size, uint64_t now_us);

/* Returns whether it is worth a system call to ask the reader's system how much it has
 * acknowledged: if @wanted, because the window is to grow, once for each quarter of a window that
 * is credited; otherwise once for each body that is longer than WINDOW_ASKS_FROM. */
bool window_asks(const struct window *w, bool wanted);

/* Takes the answer: the reader's system has acknowledged @taken bytes so far. Returns whether it
 * has acknowledged a whole window within the last second or the last four round trips. */
bool window_earned(struct window *w, uint64_t taken, uint64_t now_us, uint64_t rtt_us);

/* Looks at a window larger than WINDOW_INITIAL once a second. The reader @waits if bytes are held
 * for it. window_slow_asks returns whether the reader's system has to be asked now. window_slow
 * takes the answer, and returns whether the reader has waited for 10 s at every look, and
 * acknowledged less than a window in this time. */
bool window_slow_asks(struct window *w, bool waits, uint64_t now_us);
bool window_slow(struct window *w, uint64_t taken, uint64_t now_us);

/* Returns the window (bytes) that a stream begins with while @requests are open; @now is the
 * present value. On a long line up to four of all @streams have @first, which is WINDOW_INITIAL or
 * more, and up to 16 a quarter of it. More requests get smaller windows, so that the full windows
 * of some 2,900 requests fit into half of a link's budget. The value falls at once, but rises only
 * when half as many requests are open as the higher value allows. */
uint32_t window_initial(uint32_t now, uint32_t requests, uint32_t streams, uint32_t first);

/* Returns the share (bytes) of one body among @bodies others: a quarter of @budget divided by all
 * of them. No window grows beyond its share, so that all can have the same. */
uint64_t window_share(uint64_t bodies, uint64_t budget);

/* Returns the bytes that a line of @rate bytes a second carries in a round trip of @rtt_us, at most
 * WINDOW_START_MAX (4 MiB). Returns 0 if the round trip is not known or is at most WINDOW_NEAR_US
 * (2 ms): the window of a short line grows in no time. */
uint32_t window_line(uint64_t rtt_us, uint64_t rate);

/* Returns the window (bytes) that a new body starts with among @others: the window to which others
 * have grown (@learned, of which WINDOW_LEARNED_MAX counts), or the body's part of the bytes that
 * the @line carries (window_line), whichever is more. It is at most the body's part of
 * WINDOW_START_MAX and its share of @budget. The part of a body is a half, a quarter and so on,
 * small enough for all of them: beside 32 others it is at most WINDOW_INITIAL. */
uint32_t window_start(uint32_t learned, uint32_t line, uint64_t others, uint64_t budget);

#endif
