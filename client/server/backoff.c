/* SPDX-License-Identifier: MIT */
/* backoff.c - see backoff.h. */
#include "client/server/backoff.h"

#include <stddef.h>

enum { FLOOR_MS = 10 }; /* without it an instant refusal would make a busy loop */

void backoff_up(struct backoff *b, uint64_t now_us)
{
    b->up_us = now_us;
}

static bool is_steady(const struct backoff *b, uint64_t now_us)
{
    return b->up_us != 0 && now_us - b->up_us >= (uint64_t)BACKOFF_STEADY_MS * 1000;
}

/* Forgets failures at the end of a connection: all of them if the connection was steady, otherwise
 * the part of the bound that is above BACKOFF_BRIEF_MS, since the server can be reached. */
static void forget(struct backoff *b, uint64_t now_us)
{
    if (is_steady(b, now_us)) {
        b->failures = 0;
        b->bound_ms = 0;
    } else if (b->up_us != 0 && b->bound_ms > BACKOFF_BRIEF_MS) {
        b->bound_ms = BACKOFF_BRIEF_MS;
    }
    b->up_us = 0;
}

bool backoff_skip(struct backoff *b, uint64_t now_us)
{
    if (!is_steady(b, now_us))
        return false;
    forget(b, now_us);
    return true;
}

/* The bound grows by 8/5, not by 2: the longest pause then stays shorter than the outage so far, so
 * that after a restart of the server the link is back while requests are still held. */
uint64_t backoff_next_ms(struct backoff *b, uint64_t now_us, uint32_t dice)
{
    forget(b, now_us);
    if (b->bound_ms == 0)
        b->bound_ms = BACKOFF_FIRST_MS;
    uint64_t span = b->bound_ms - FLOOR_MS;
    uint64_t delay = FLOOR_MS + (span * dice) / UINT32_MAX;

    if (b->failures < UINT32_MAX)
        b->failures++;
    b->bound_ms = b->bound_ms * 8 / 5;
    if (b->bound_ms > BACKOFF_CAP_MS)
        b->bound_ms = BACKOFF_CAP_MS;
    return delay;
}
