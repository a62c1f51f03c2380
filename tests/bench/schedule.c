/* SPDX-License-Identifier: MIT */
/* schedule.c - see schedule.h. */
#include "tests/bench/schedule.h"

#include "h2mux/base/clock.h"

static uint64_t due_us(const struct schedule *s, uint64_t number)
{
    return s->start_us + (uint64_t)((double)number * 1e6 / s->rate);
}

static void arm(struct schedule *s, uint64_t at_us)
{
    uint64_t now = clock_now_us(), wait = at_us > now ? at_us - now : 0;
    struct timeval after = {.tv_sec = (time_t)(wait / 1000000),
                            .tv_usec = (suseconds_t)(wait % 1000000)};
    event_add(&s->timer, &after);
}

static void finish(struct schedule *s)
{
    schedule_stop(s);
    s->over(s->user);
}

/* Fires all that is due. Then sleeps until the next firing or, if nobody took the last one, until
 * the grace is over. */
static void turn(struct schedule *s)
{
    uint64_t now = clock_now_us();
    bool taken = true;
    s->firing = true;
    while (s->next < s->count && due_us(s, s->next) <= now &&
           (taken = s->fire(s->user, due_us(s, s->next))))
        s->next++;
    s->firing = false;
    if (s->next == s->count || now > s->end_us + SCHEDULE_GRACE_US)
        finish(s);
    else
        arm(s, taken ? due_us(s, s->next) : s->end_us + SCHEDULE_GRACE_US + 1);
}

static void on_timer(evutil_socket_t fd, short what, void *user)
{
    turn(user);
}

void schedule_start(struct schedule *s, struct event_base *base, double rate, double seconds)
{
    s->rate = rate;
    s->count = (uint64_t)(rate * seconds + 0.5);
    s->next = 0;
    s->start_us = clock_now_us();
    s->end_us = s->start_us + (uint64_t)(seconds * 1e6);
    s->running = true;
    evtimer_assign(&s->timer, base, on_timer, s);
    arm(s, s->start_us);
}

void schedule_resume(struct schedule *s)
{
    if (s->running && !s->firing)
        turn(s);
}

void schedule_stop(struct schedule *s)
{
    if (s->running)
        event_del(&s->timer);
    s->running = false;
}

struct event_base *schedule_base_new(void)
{
    struct event_config *config = event_config_new();
    struct event_base *base = NULL;
    if (config) {
        event_config_set_flag(config, EVENT_BASE_FLAG_PRECISE_TIMER);
        base = event_base_new_with_config(config);
        event_config_free(config);
    }
    return base;
}
