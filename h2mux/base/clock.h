/* SPDX-License-Identifier: MIT */
/* clock.h - monotonic time for every timer, wall-clock time for dates that people and peers read.
 */
#ifndef H2MUX_BASE_CLOCK_H
#define H2MUX_BASE_CLOCK_H

#include <stdint.h>

uint64_t clock_now_us(void); /* CLOCK_MONOTONIC, microseconds */
int64_t clock_wall_s(void);  /* seconds since the epoch */

enum {
    CLOCK_ISO_MAX = sizeof "2026-12-22T10:00:00.000Z",
    CLOCK_HTTP_MAX = sizeof "Sun, 06 Nov 1994 08:49:37 GMT"
};
void clock_iso(int64_t wall_s, char out[static CLOCK_ISO_MAX]);   /* 2026-12-22T10:00:00Z */
void clock_http(int64_t wall_s, char out[static CLOCK_HTTP_MAX]); /* RFC 9110 5.6.7 IMF-fixdate */

#endif
