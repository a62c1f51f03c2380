/* SPDX-License-Identifier: MIT */
/* schedule.h - a constant rate that does not wait for anyone: the n-th firing is due at start + n /
 * rate, and what cannot be taken then stays due. Latency counted from the due time therefore holds
 * the waiting (no coordinated omission). */
#ifndef TESTS_BENCH_SCHEDULE_H
#define TESTS_BENCH_SCHEDULE_H

#include <event2/event.h>
#include <event2/event_struct.h>
#include <stdbool.h>
#include <stdint.h>

struct schedule {
    struct event timer;
    /* false: nobody can take it now, schedule_resume() when that changes. */
    bool (*fire)(void *user, uint64_t due_us);
    void (*over)(
        void *user); /* the last one was taken, or the grace is up: `next` says how many were */
    void *user;      /* borrowed */
    double rate;     /* firings a second */
    uint64_t start_us, end_us, count, next;
    bool running, firing;
};

enum {
    SCHEDULE_GRACE_US = 5000000
}; /* what is late for longer than this behind the end is given up */

/* @fire, @over and @user are set by the caller. */
void schedule_start(struct schedule *s, struct event_base *base, double rate, double seconds);
void schedule_resume(struct schedule *s);
void schedule_stop(struct schedule *s);

/* An event base whose timers are exact to microseconds rather than milliseconds. */
struct event_base *schedule_base_new(void);

#endif
