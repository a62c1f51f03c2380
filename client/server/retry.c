/* SPDX-License-Identifier: MIT */
/* retry.c - see retry.h. */
#include "client/server/retry.h"

#include <unistd.h>

static uint32_t roll_dice(void)
{
    uint32_t dice = 0;
    if (getentropy(&dice, sizeof dice) < 0)
        return UINT32_MAX / 2;
    return dice;
}

void retry_init(struct retry *r, struct loop *l, void (*run)(void *user), void *user)
{
    *r = (struct retry){.backoff = {0}};
    timer_init(&r->timer, l, run, user);
}

void retry_worked(struct retry *r)
{
    backoff_up(&r->backoff, loop_now_us(r->timer.loop));
}

bool retry_skip(struct retry *r)
{
    return backoff_skip(&r->backoff, loop_now_us(r->timer.loop));
}

uint64_t retry_later(struct retry *r, uint64_t at_least_ms)
{
    uint64_t ms = backoff_next_ms(&r->backoff, loop_now_us(r->timer.loop), roll_dice());
    ms = ms > at_least_ms ? ms : at_least_ms;
    timer_arm(&r->timer, ms);
    return ms;
}

void retry_stop(struct retry *r)
{
    timer_stop(&r->timer);
}
