/* SPDX-License-Identifier: MIT */
/* sleep_watch.h - notices that the machine has slept. The monotonic clock stands still meanwhile,
 * and so do all timers; the clock CLOCK_BOOTTIME goes on. */
#ifndef H2MUX_IO_SLEEP_WATCH_H
#define H2MUX_IO_SLEEP_WATCH_H

#include "h2mux/io/loop.h"

/* A shorter sleep is no news to anybody. */
enum { SLEEP_LEAST_MS = 5000, SLEEP_LOOK_MS = 1000 };

struct sleep_watch {
    struct loop *loop;  /* borrowed: outlives the watch */
    uint64_t asleep_us; /* how long the machine had slept since its start, at the last look */
    void (*on_wake)(void *user, uint64_t slept_ms);
    void *user; /* borrowed: outlives the watch */
    struct timer timer;
};

/* Begins to look once a second. @on_wake is called within a second of the end of a sleep. */
void sleep_watch_start(struct sleep_watch *w, struct loop *l,
                       void (*on_wake)(void *user, uint64_t slept_ms), void *user);
/* Does nothing on a zeroed watch. */
void sleep_watch_stop(struct sleep_watch *w);

/* Returns how long (milliseconds) the machine has slept since the last look, or 0 if that is less
 * than SLEEP_LEAST_MS; short sleeps then add up. @monotonic_us and @boot_us are the two clocks. */
uint64_t sleep_watch_look(struct sleep_watch *w, uint64_t monotonic_us, uint64_t boot_us);

#endif
