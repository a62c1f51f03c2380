/* SPDX-License-Identifier: MIT */
/* clock.h - reads the two clocks and formats dates. Timers use monotonic time; dates that people
 * and peers read use wall-clock time. */
#ifndef H2MUX_BASE_CLOCK_H
#define H2MUX_BASE_CLOCK_H

#include <stdint.h>

/* Returns the microseconds of CLOCK_MONOTONIC. */
uint64_t clock_now_us(void);
/* Returns the seconds since the epoch. */
int64_t clock_wall_s(void);

enum {
    CLOCK_ISO_MAX = sizeof "2026-12-22T10:00:00.000Z",
    CLOCK_HTTP_MAX = sizeof "Sun, 06 Nov 1994 08:49:37 GMT"
};
/* Both write a date in UTC and end the text with a zero byte; a time that no calendar holds gives
 * an empty text. clock_iso writes 2026-12-22T10:00:00Z, clock_http the IMF-fixdate of RFC
 * 9110 5.6.7. */
void clock_iso(int64_t wall_s, char out[static CLOCK_ISO_MAX]);
void clock_http(int64_t wall_s, char out[static CLOCK_HTTP_MAX]);

#endif
