/* SPDX-License-Identifier: MIT */
/* turns.h - runs a loop until a condition holds, with a deadline: what tests of event-driven
 * modules wait by. */
#ifndef TESTS_UNIT_TURNS_H
#define TESTS_UNIT_TURNS_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "h2mux/io/loop.h"

enum { TURNS_DEADLINE_MS = 5000, TURNS_LOOK_MS = 1, TURNS_BUSY_US = 2000 };

struct turns {
    struct loop *loop;
    bool (*done)(void *user);
    void *user;
    uint64_t busy_us, deadline_us;
    struct task task;
    struct timer timer;
    bool late;
};

/* After every turn for a moment, as most things are a matter of turns; then now and then. */
static void turns_look(void *user)
{
    struct turns *t = user;
    uint64_t now = loop_now_us(t->loop);
    t->late = now > t->deadline_us;
    if (t->late || t->done(t->user))
        loop_stop(t->loop);
    else if (now < t->busy_us)
        loop_defer(t->loop, &t->task);
    else
        timer_arm(&t->timer, TURNS_LOOK_MS);
}

/* Fails the test when @done does not come true in time. */
static inline void turns_until(struct loop *l, bool (*done)(void *user), void *user)
{
    uint64_t now = loop_now_us(l);
    struct turns t = {.loop = l,
                      .done = done,
                      .user = user,
                      .busy_us = now + TURNS_BUSY_US,
                      .deadline_us = now + TURNS_DEADLINE_MS * 1000};
    timer_init(&t.timer, l, turns_look, &t);
    task_init(&t.task, turns_look, &t);
    loop_defer(l, &t.task);
    loop_run(l);
    timer_stop(&t.timer);
    assert_false(t.late);
}

#endif
