/* SPDX-License-Identifier: MIT */
/* clock.c - see clock.h. */
#include "h2mux/base/clock.h"

#include <time.h>

static uint64_t read_us(clockid_t clock)
{
    struct timespec ts;
    clock_gettime(clock, &ts);
    return (uint64_t)ts.tv_sec * 1000000 + (uint64_t)ts.tv_nsec / 1000;
}

uint64_t clock_now_us(void)
{
    return read_us(CLOCK_MONOTONIC);
}

int64_t clock_wall_s(void)
{
    return (int64_t)time(NULL);
}

void clock_iso(int64_t wall_s, char out[static CLOCK_ISO_MAX])
{
    struct tm tm;
    time_t when = (time_t)wall_s;
    if (!gmtime_r(&when, &tm) || !strftime(out, CLOCK_ISO_MAX, "%Y-%m-%dT%H:%M:%SZ", &tm))
        out[0] = '\0';
}

void clock_http(int64_t wall_s, char out[static CLOCK_HTTP_MAX])
{
    struct tm tm;
    time_t when = (time_t)wall_s;
    if (!gmtime_r(&when, &tm) || !strftime(out, CLOCK_HTTP_MAX, "%a, %d %b %Y %H:%M:%S GMT", &tm))
        out[0] = '\0';
}
