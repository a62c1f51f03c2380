/* SPDX-License-Identifier: MIT */
/* wheel.h - a timing wheel: many timers that may come a tick late.
 *
 * Keepalives are armed by the ten thousand and all wait for seconds. On a wheel (Varghese and Lauck
 * 1987, scheme 6) arming and stopping one is a list's push and remove, and what is due within the
 * same tick runs in the same turn: one wake-up for all of them. */
#ifndef H2MUX_IO_WHEEL_H
#define H2MUX_IO_WHEEL_H

#include "h2mux/io/loop.h"

enum {
    WHEEL_TICK_MS = 20,
    WHEEL_SLOTS = 1024 /* some 20 s; what waits for longer is passed over once in each round */
};

struct wheel {
    struct timer timer; /* armed for the first slot ahead that holds any */
    bool running;       /* it is armed when all that was due has run */
    uint64_t ran;       /* the last tick that was run; ticks count from the clock's zero */
    uint64_t next;      /* the tick that the timer waits for; meaningful while it is armed */
    uint64_t filled[WHEEL_SLOTS / 64]; /* a bit for each slot that may hold any */
    struct list_node slots[WHEEL_SLOTS];
};

/* One-shot, embedded; must be stopped before it is freed. */
struct wheel_timer {
    struct list_node node; /* linked iff armed */
    struct loop *loop;     /* borrowed: outlives every timer */
    uint64_t due;          /* its tick */
    void (*run)(void *user);
    void *user;
};

void wheel_init(struct wheel *w, struct loop *l);
void wheel_release(struct wheel *w); /* no timer is armed any more */

void wheel_timer_init(struct wheel_timer *t, struct loop *l, void (*run)(void *user), void *user);
/* Replaces what was armed. Comes @after_ms from now, never earlier, up to WHEEL_TICK_MS later. */
void wheel_timer_arm(struct wheel_timer *t, uint64_t after_ms);
void wheel_timer_stop(struct wheel_timer *t);
bool wheel_timer_armed(const struct wheel_timer *t);

#endif
