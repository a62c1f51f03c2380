/* SPDX-License-Identifier: MIT */
/* line.h - learns how many bytes a second a line carries in one direction, at the end where bodies
 * arrive. The functions only calculate; the caller passes the time.
 * docs/flow-control.md#what-a-line-teaches
 *
 * A rate says something about the line only while the line was the limit. So the caller says of
 * each frame whether its sender has more to send and may send it, and the module finds out how much
 * of the time the line was idle: while nobody had more to send, before a frame that its sender
 * could not fill, and in pauses that are long for the line. A sample of two round trips counts if
 * the line was idle for a quarter of it at most, and if its second half was not faster by more than
 * a quarter than its first one: TCP and windows that are still growing double. To begin
 * with, two samples have to count that lie half a sample apart, as a slow beginning may look steady
 * for a moment.
 *
 * A sample that does not count can show nothing but that the line carries at least so much. No
 * sample has the first round trip of a run, in which bytes come that have waited. */
#ifndef H2MUX_H2_LINE_H
#define H2MUX_H2_LINE_H

#include <stdbool.h>
#include <stdint.h>

/* What was learned of one direction of a line. */
struct line_rate {
    uint64_t rate; /* bytes a second; 0: nothing */
    uint64_t us;   /* when a sample has shown it last */
};

/* Returns the rate (bytes a second) that is known at @now_us. Returns 0 if nothing was learned, or
 * if no sample has shown the rate for LINE_FORGET_US (10 min). */
uint64_t line_rate(const struct line_rate *r, uint64_t now_us);

/* A frame of a body. */
struct line_frame {
    uint64_t bytes;
    bool full; /* the sender had no more room in it */
    bool more; /* a sender has more to send than has come, and may send it */
};

/* Half of a sample: a round trip, or longer on a line that carries little in one. */
struct line_part {
    uint64_t begun_us; /* when the bytes before the first that count came; 0: no part */
    uint64_t us;       /* the length of a part that is over */
    uint64_t idle_us;
    uint64_t bytes;
    bool limit; /* the line was the limit of the sample that ended with this part */
};

struct line {
    struct line_rate learned;
    struct line_part before, now;
    uint64_t last_us; /* when bytes came last */
    unsigned parts;   /* that are over in this run, counted up to 2 */
    bool more;        /* the last frame's */
};

/* Counts the frame @f, which comes at @now_us over a line with a shortest round trip of @rtt_us.
 * Returns whether something was learned, or shown again a second or more after the last time. */
bool line_arrived(struct line *l, const struct line_frame *f, uint64_t now_us, uint64_t rtt_us);

#endif
