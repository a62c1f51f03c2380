/* SPDX-License-Identifier: MIT */
/* wheel.h - keeps many timers that may come a tick late, on a timing wheel, over a clock that the
 * caller reads.
 *
 * Keepalives are armed by the ten thousand and all wait for seconds. On a wheel (Varghese and Lauck
 * 1987, scheme 6) arming and stopping a timer is a list's push and remove, and all timers that are
 * due within the same tick run in one call: one wake-up serves all of them.
 *
 * A wheel does not wake itself: its owner (the loop) calls wheel_run at wheel_wake_us. It knows
 * neither the loop nor the system's clock.
 *
 * Invariants: an armed timer is in the slot of its tick, the bit of that slot is set, and its tick
 * is neither past nor before `next`; a wheel that rests holds no timer. */
#ifndef H2MUX_IO_WHEEL_H
#define H2MUX_IO_WHEEL_H

#include <stdint.h>

#include "h2mux/base/list.h"

enum {
    WHEEL_TICK_MS = 20,
    WHEEL_SLOTS = 1024 /* some 20 s; a timer that waits for longer is passed over once a round */
};

struct wheel {
    bool running;  /* wheel_run is on the stack */
    uint64_t ran;  /* the last tick that was run; ticks count from the clock's zero */
    uint64_t next; /* the tick that the owner is to wake the wheel for; 0: the wheel rests */
    uint64_t filled[WHEEL_SLOTS / 64]; /* a bit for each slot that may hold any timer */
    struct list_node slots[WHEEL_SLOTS];
};

/* A one-shot timer, embedded in the object that it serves; must be stopped before that is freed. */
struct wheel_timer {
    struct list_node node; /* linked iff armed */
    uint64_t due;          /* the tick it runs in */
    void (*run)(void *user);
    void *user; /* borrowed: the object that it is embedded in */
};

void wheel_init(struct wheel *w);

/* Runs all timers that are due at @now_us. A timer that one of them arms waits for the next tick at
 * least. */
void wheel_run(struct wheel *w, uint64_t now_us);

/* Returns when wheel_run is to be called next, or 0 if the wheel rests. */
uint64_t wheel_wake_us(const struct wheel *w);

/* Checks the invariants: check.h. Looks at every timer. */
void wheel_check(const struct wheel *w);

void wheel_timer_init(struct wheel_timer *t, void (*run)(void *user), void *user);

/* Arms @t to run @after_ms from @now_us, never earlier and up to WHEEL_TICK_MS later; replaces what
 * was armed. Returns true if wheel_wake_us has changed. */
bool wheel_timer_arm(struct wheel *w, struct wheel_timer *t, uint64_t after_ms, uint64_t now_us);

void wheel_timer_stop(struct wheel_timer *t);
bool wheel_timer_armed(const struct wheel_timer *t);

#endif
