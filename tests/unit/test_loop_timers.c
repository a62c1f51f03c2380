/* SPDX-License-Identifier: MIT */
/* test_loop_timers.c - when the timers of a loop and of its wheel fire. loop.h. */
#include "turns.h"

#include "h2mux/base/clock.h"
#include "h2mux/io/wheel.h"

static void run_stop(void *user)
{
    loop_stop(user);
}

struct clocked {
    struct timer timer;
    struct loop *loop;
    int fired;
    uint64_t at_us;
};

static void run_clocked(void *user)
{
    struct clocked *c = user;
    c->fired++;
    c->at_us = clock_now_us();
    loop_stop(c->loop);
}

static void test_timers(void **state)
{
    struct loop *l = loop_new();
    struct clocked a = {.loop = l}, b = {.loop = l};
    timer_stop(&a.timer); /* fine before init */
    assert_false(timer_armed(&a.timer));
    timer_init(&a.timer, l, run_clocked, &a);
    timer_init(&b.timer, l, run_clocked, &b);
    assert_false(timer_armed(&a.timer));
    uint64_t begun = clock_now_us();
    timer_arm(&a.timer, 600000);
    timer_arm(&a.timer, 20); /* replaces */
    timer_arm(&b.timer, 5);
    timer_stop(&b.timer);
    assert_true(timer_armed(&a.timer));
    assert_false(timer_armed(&b.timer));
    loop_run(l);
    assert_int_equal(a.fired, 1);
    assert_int_equal(b.fired, 0);
    assert_in_range(a.at_us - begun, 10000, 2000000);
    assert_false(timer_armed(&a.timer)); /* one-shot */
    timer_arm(&b.timer, 0);
    loop_run(l);
    assert_int_equal(b.fired, 1);
    loop_free(l);
}

static void run_count(void *user)
{
    struct clocked *c = user;
    c->fired++;
    c->at_us = clock_now_us();
}

enum { OPS = 4, WATCHED_MS = 45, NEVER = -1, REST = -2, STOP = -3 };

static void apply(struct timer *t, int op)
{
    if (op == REST)
        timer_rest(t);
    else if (op == STOP)
        timer_stop(t);
    else
        timer_arm(t, (uint64_t)op);
}

static const struct {
    const char *name;
    int ops[OPS]; /* milliseconds to arm it for, REST, STOP; 0 ends them */
    int due_ms;
    bool pending; /* an event is left in the kernel's queue */
} lazy[] = {
    {"moved later", {5, 25}, 25, true},
    {"moved later twice", {5, 15, 25}, 25, true},
    {"moved earlier", {600000, 5}, 5, true},
    {"there and back", {5, 600000, 25}, 25, true},
    {"earlier, then later", {25, 5, 25}, 25, true},
    {"at rest", {5, REST}, NEVER, true},
    {"at rest, then the same", {5, REST, 5}, 5, true},
    {"at rest, then later", {5, REST, 25}, 25, true},
    {"at rest, then earlier", {25, REST, 5}, 5, true},
    {"at rest without ever", {REST}, NEVER, false},
    {"stopped", {5, STOP}, NEVER, false},
    {"moved later, then stopped", {5, 25, STOP}, NEVER, false},
    {"at rest, then stopped", {5, REST, STOP}, NEVER, false},
    {"stopped, then armed", {5, STOP, 25}, 25, true},
    {"far away", {5, 600000}, NEVER, true},
};

/* However it was moved about, it comes once, at the time that was said last. */
static void test_timers_are_lazy(void **state)
{
    for (size_t i = 0; i < sizeof lazy / sizeof *lazy; i++) {
        struct loop *l = loop_new();
        struct clocked c = {.loop = l};
        struct timer end;
        timer_init(&c.timer, l, run_count, &c);
        timer_init(&end, l, run_stop, l);
        uint64_t begun = clock_now_us();
        for (size_t k = 0; k < OPS && lazy[i].ops[k] != 0; k++)
            apply(&c.timer, lazy[i].ops[k]);
        assert_int_equal((c.timer.event && evtimer_pending(c.timer.event, NULL)), lazy[i].pending);
        timer_arm(&end, WATCHED_MS);
        loop_run(l);
        bool fires = lazy[i].due_ms != NEVER;
        if (c.fired != fires)
            fail_msg("%s: %d times", lazy[i].name, c.fired);
        if (fires && c.at_us - begun < (uint64_t)lazy[i].due_ms * 1000 - 1000)
            fail_msg("%s: after %d us", lazy[i].name, (int)(c.at_us - begun));
        timer_stop(&c.timer);
        assert_false(timer_armed(&c.timer));
        assert_null(c.timer.event);
        loop_free(l);
    }
}

struct on_wheel {
    struct wheel_timer timer;
    struct loop *loop;
    bool last;
    uint64_t at_us;
};

static void run_on_wheel(void *user)
{
    struct on_wheel *o = user;
    o->at_us = clock_now_us();
    if (o->last)
        loop_stop(o->loop);
}

/* The loop wakes its wheel for the first timer, also when that is armed after a later one. */
static void test_wheel(void **state)
{
    struct loop *l = loop_new();
    struct on_wheel later = {.loop = l, .last = true}, sooner = {.loop = l};
    wheel_timer_init(&later.timer, run_on_wheel, &later);
    wheel_timer_init(&sooner.timer, run_on_wheel, &sooner);
    for (int i = 0; i < 2; i++) { /* again, after the wheel has rested */
        uint64_t begun = clock_now_us();
        later.at_us = sooner.at_us = 0;
        loop_arm_on_wheel(l, &later.timer, 90);
        loop_arm_on_wheel(l, &sooner.timer, 10);
        loop_run(l);
        assert_in_range(sooner.at_us - begun, 10000, 2000000);
        assert_in_range(later.at_us - begun, 90000, 2000000);
        assert_true(sooner.at_us <= later.at_us);
    }
    loop_free(l);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_timers),
        cmocka_unit_test(test_timers_are_lazy),
        cmocka_unit_test(test_wheel),
    };
    return cmocka_run_group_tests_name("loop timers", tests, NULL, NULL);
}
