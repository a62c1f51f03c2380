/* SPDX-License-Identifier: MIT */
/* wheel.h - keeps many timers on a timing wheel. A timer may run one tick (20 ms) late. The caller
 * passes the time.
 *
 * A server has tens of thousands of keepalive timers, which all wait for seconds. On a wheel
 * (Varghese and Lauck 1987, scheme 6) a push to a list arms a timer, a removal stops the timer, and
 * all timers of the same tick run in one wake-up.
 *
 * A wheel does not wake itself: its owner (the loop) calls wheel_run at the time that wheel_wake_us
 * returns. The wheel knows neither the loop nor the system's clock.
 *
 * Invariants: an armed timer is in the slot of its tick, the bit of the slot is set, and the tick
 * is neither past nor before `next`; a wheel that rests (`next` is 0) holds no timer. */
#ifndef H2MUX_IO_WHEEL_H
#define H2MUX_IO_WHEEL_H

#include <stdint.h>

#include "h2mux/base/list.h"

enum {
    WHEEL_TICK_MS = 20,
    /* A round of the wheel takes some 20 s. A timer that waits for longer stays in its slot for
     * more than one round. */
    WHEEL_SLOTS = 1024
};

struct wheel {
    bool running;                      /* wheel_run is on the stack */
    uint64_t ran;                      /* last tick that was run; tick 0 is the zero of the clock */
    uint64_t next;                     /* tick of the next wake-up; 0: the wheel rests */
    uint64_t filled[WHEEL_SLOTS / 64]; /* one bit for each slot that may hold a timer */
    struct list_node slots[WHEEL_SLOTS];
};

/* A one-shot timer, embedded in an object. The owner stops the timer before the object is freed. */
struct wheel_timer {
    struct list_node node; /* linked iff armed */
    uint64_t due;          /* the tick it runs in */
    void (*run)(void *user);
    void *user; /* borrowed; the object around the timer */
};

void wheel_init(struct wheel *w);

/* Runs all timers that are due at @now_us. A timer that is armed meanwhile waits at least for the
 * next tick. */
void wheel_run(struct wheel *w, uint64_t now_us);

/* Returns the time (microseconds) at which the owner must call wheel_run next, or 0 if the wheel
 * rests. */
uint64_t wheel_wake_us(const struct wheel *w);

/* Checks the invariants (check.h) by a look at every timer. */
void wheel_check(const struct wheel *w);

void wheel_timer_init(struct wheel_timer *t, void (*run)(void *user), void *user);

/* Arms @t to run @after_ms milliseconds after @now_us, never earlier and up to WHEEL_TICK_MS later.
 * Replaces the time for which @t was armed before. Returns true if wheel_wake_us has changed. */
bool wheel_timer_arm(struct wheel *w, struct wheel_timer *t, uint64_t after_ms, uint64_t now_us);

void wheel_timer_stop(struct wheel_timer *t);
bool wheel_timer_armed(const struct wheel_timer *t);

#endif
