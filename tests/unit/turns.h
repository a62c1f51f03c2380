/* turns.h - runs a loop until a condition holds, with a deadline: what tests of event-driven modules wait by. */
#ifndef TESTS_UNIT_TURNS_H
#define TESTS_UNIT_TURNS_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "h2mux/loop.h"

enum { TURNS_DEADLINE_MS = 5000, TURNS_LOOK_MS = 1 };

struct turns {
    struct loop *loop;
    bool (*done)(void *user);
    void *user;
    uint64_t deadline_us;
    struct timer timer;
    bool late;
};

static void turns_look(void *user)
{
    struct turns *t = user;
    t->late = loop_now_us(t->loop) > t->deadline_us;
    if (t->late || t->done(t->user))
        loop_stop(t->loop);
    else
        timer_arm(&t->timer, TURNS_LOOK_MS);
}

/* Fails the test when @done does not come true in time. */
static inline void turns_until(struct loop *l, bool (*done)(void *user), void *user)
{
    struct turns t = {.loop = l, .done = done, .user = user, .deadline_us = loop_now_us(l) + TURNS_DEADLINE_MS * 1000};
    timer_init(&t.timer, l, turns_look, &t);
    timer_arm(&t.timer, 0);
    loop_run(l);
    timer_stop(&t.timer);
    assert_false(t.late);
}

#endif
