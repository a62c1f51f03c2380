/* SPDX-License-Identifier: MIT */
/* sleep_watch.c - see sleep_watch.h. */
#include "h2mux/io/sleep_watch.h"

#include "h2mux/base/clock.h"
#include "h2mux/base/kernel.h"

uint64_t sleep_watch_look(struct sleep_watch *w, uint64_t monotonic_us, uint64_t boot_us)
{
    uint64_t asleep = boot_us > monotonic_us ? boot_us - monotonic_us : 0;
    uint64_t ms = asleep > w->asleep_us ? (asleep - w->asleep_us) / 1000 : 0;
    if (asleep > w->asleep_us && ms < SLEEP_LEAST_MS)
        return 0;
    w->asleep_us = asleep;
    return ms;
}

static void on_timer(void *user)
{
    struct sleep_watch *w = user;
    uint64_t ms = sleep_watch_look(w, clock_now_us(), kernel_boot_us());
    timer_arm(&w->timer, SLEEP_LOOK_MS);
    if (ms > 0)
        w->on_wake(w->user, ms);
}

void sleep_watch_start(struct sleep_watch *w, struct loop *l,
                       void (*on_wake)(void *user, uint64_t slept_ms), void *user)
{
    *w = (struct sleep_watch){.loop = l, .on_wake = on_wake, .user = user};
    uint64_t monotonic_us = clock_now_us(), boot_us = kernel_boot_us();
    w->asleep_us = boot_us > monotonic_us ? boot_us - monotonic_us : 0;
    timer_init(&w->timer, l, on_timer, w);
    timer_arm(&w->timer, SLEEP_LOOK_MS);
}

void sleep_watch_stop(struct sleep_watch *w)
{
    timer_stop(&w->timer);
}
