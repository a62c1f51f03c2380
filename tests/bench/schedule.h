/* SPDX-License-Identifier: MIT */
/* schedule.h - fires at a constant rate that waits for nobody. Firing n is due at start + n / rate
 * and stays due until it is taken. So a latency that counts from that time includes the waiting (no
 * coordinated omission). */
#ifndef TESTS_BENCH_SCHEDULE_H
#define TESTS_BENCH_SCHEDULE_H

#include <event2/event.h>
#include <event2/event_struct.h>
#include <stdbool.h>
#include <stdint.h>

struct schedule {
    struct event timer;
    /* Returns false if nobody can take it now; schedule_resume() is called when somebody can. */
    bool (*fire)(void *user, uint64_t due_us);
    /* The last firing was taken, or the grace is over; `next` is the number of those taken. */
    void (*over)(void *user);
    void *user;  /* borrowed */
    double rate; /* firings a second */
    uint64_t start_us, end_us, count, next;
    bool running, firing;
};

enum { SCHEDULE_GRACE_US = 5000000 }; /* grace for late firings after the end */

/* Starts the schedule. The caller has set @fire, @over and @user. */
void schedule_start(struct schedule *s, struct event_base *base, double rate, double seconds);
void schedule_resume(struct schedule *s);
void schedule_stop(struct schedule *s);

/* Returns an event base whose timers are exact to microseconds. */
struct event_base *schedule_base_new(void);

#endif
