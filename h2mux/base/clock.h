/* SPDX-License-Identifier: MIT */
/* clock.h - reads the clocks and formats dates. Timers use monotonic time; dates that people
 * and peers read use wall-clock time. */
#ifndef H2MUX_BASE_CLOCK_H
#define H2MUX_BASE_CLOCK_H

#include <stdint.h>

/* Returns the present time of CLOCK_MONOTONIC in microseconds. */
uint64_t clock_now_us(void);
/* Returns the present wall-clock time in seconds since the epoch. */
int64_t clock_wall_s(void);

/* Writes the date of @wall_s (seconds since the epoch, UTC) to @out, as 2026-12-22T10:00:00Z and a
 * zero byte. Writes an empty text if the calendar has no date for @wall_s. */
enum { CLOCK_ISO_MAX = sizeof "2026-12-22T10:00:00.000Z" };
void clock_iso(int64_t wall_s, char out[static CLOCK_ISO_MAX]);

/* Writes a date in UTC for a field of HTTP (RFC 9110 5.6.7), as Tue, 22 Dec 2026 10:00:00 GMT, and
 * a zero byte. A time that no calendar holds gives an empty text. */
enum { CLOCK_HTTP_MAX = sizeof "Tue, 22 Dec 2026 10:00:00 GMT" };
void clock_http(int64_t wall_s, char out[static CLOCK_HTTP_MAX]);

#endif
