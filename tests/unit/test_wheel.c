/* SPDX-License-Identifier: MIT */
/* test_wheel.c - timers on the wheel: never early, one call for a tick, stopped and armed from
 * within each other, later rounds. The clock is the test's own. wheel.h. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#include "h2mux/io/wheel.h"

enum { TICK_US = WHEEL_TICK_MS * 1000, CROWD = 500 };

struct world {
    struct wheel wheel;
    uint64_t now_us;
    unsigned calls; /* of wheel_run */
    unsigned ran;   /* timers, of all */
};

struct one {
    struct wheel_timer timer;
    struct world *world;
    uint64_t earliest_us;
    unsigned ran, call;
    struct one *stops, *arms; /* what its run does to others; NULL: nothing */
};

static struct world *open_world(void)
{
    struct world *w = xcalloc(1, sizeof *w);
    w->now_us = 12345678901;
    wheel_init(&w->wheel);
    assert_int_equal(wheel_wake_us(&w->wheel), 0);
    return w;
}

static void close_world(struct world *w)
{
    free(w);
}

static void arm(struct one *o, uint64_t ms)
{
    struct world *w = o->world;
    uint64_t before = wheel_wake_us(&w->wheel);
    o->earliest_us = w->now_us + ms * 1000;
    bool moved = wheel_timer_arm(&w->wheel, &o->timer, ms, w->now_us);
    assert_int_equal(moved, wheel_wake_us(&w->wheel) != before);
}

static void run_one(void *user)
{
    struct one *o = user;
    struct world *w = o->world;
    assert_false(wheel_timer_armed(&o->timer));
    assert_true(w->now_us >= o->earliest_us);
    o->ran++;
    o->call = w->calls;
    w->ran++;
    if (o->stops)
        wheel_timer_stop(&o->stops->timer);
    if (o->arms)
        arm(o->arms, 0);
}

static void init(struct world *w, struct one *o)
{
    *o = (struct one){.world = w};
    wheel_timer_init(&o->timer, run_one, o);
}

/* Runs the wheel at @late_us past each of its times until @runs timers have run. */
static void run_late(struct world *w, unsigned runs, uint64_t late_us)
{
    for (w->ran = 0; w->ran < runs; w->calls++) {
        uint64_t at = wheel_wake_us(&w->wheel);
        assert_true(at > 0);
        assert_true(at + TICK_US > w->now_us);
        w->now_us = (at > w->now_us ? at : w->now_us) + late_us;
        wheel_run(&w->wheel, w->now_us);
    }
    assert_int_equal(w->ran, runs);
}

static void run_until(struct world *w, unsigned runs)
{
    run_late(w, runs, 0);
}

/* Up to a tick later, whatever was asked for. */
static void test_due(void **state)
{
    static const uint64_t ms[] = {0, 1, 19, 20, 21, 15000, 20480, 20481, 3600000, 4000000000u};
    struct world *w = open_world();
    struct one o;
    init(w, &o);
    for (size_t i = 0; i < sizeof ms / sizeof *ms; i++) {
        uint64_t asked = w->now_us + ms[i] * 1000;
        arm(&o, ms[i]);
        assert_true(wheel_timer_armed(&o.timer));
        assert_in_range(o.timer.due * TICK_US, asked, asked + TICK_US);
        wheel_timer_stop(&o.timer);
        assert_false(wheel_timer_armed(&o.timer));
    }
    close_world(w);
}

/* One wake-up for a tick, and one that is armed from within it waits for the next. */
static void test_one_turn(void **state)
{
    struct world *w = open_world();
    struct one first, second, third;
    init(w, &first);
    init(w, &second);
    init(w, &third);
    first.arms = &third;
    arm(&first, 30);
    arm(&second, 30);
    run_until(w, 3);
    assert_int_equal(first.ran + second.ran + third.ran, 3);
    assert_int_equal(first.call, second.call);
    assert_true(third.call > first.call);
    close_world(w);
}

static void test_stopped_by_neighbour(void **state)
{
    struct world *w = open_world();
    struct one first, second, last;
    init(w, &first);
    init(w, &second);
    init(w, &last);
    first.stops = &second;
    arm(&first, 5);
    arm(&second, 5);
    arm(&last, 60);
    run_until(w, 2);
    assert_int_equal(first.ran, 1);
    assert_int_equal(second.ran, 0);
    assert_int_equal(last.ran, 1);
    close_world(w);
}

/* Moved to an earlier time the wheel wakes up for it, to a later one it does not run before. */
static void test_moved(void **state)
{
    struct world *w = open_world();
    struct one sooner, later;
    init(w, &sooner);
    init(w, &later);
    arm(&sooner, 3600000);
    arm(&later, 10);
    arm(&sooner, 1);
    arm(&later, 100);
    run_until(w, 1);
    assert_int_equal(sooner.ran, 1);
    assert_int_equal(later.ran, 0);
    run_until(w, 1);
    assert_int_equal(later.ran, 1);
    close_world(w);
}

/* Its slot comes round before it does. */
static void test_later_round(void **state)
{
    struct world *w = open_world();
    struct one now, next_round;
    init(w, &now);
    init(w, &next_round);
    arm(&now, 10);
    arm(&next_round, 10 + WHEEL_SLOTS * WHEEL_TICK_MS);
    assert_int_equal(next_round.timer.due, now.timer.due + WHEEL_SLOTS);
    run_until(w, 1);
    assert_int_equal(now.ran, 1);
    assert_int_equal(next_round.ran, 0);
    assert_true(wheel_timer_armed(&next_round.timer));
    arm(&now, 10); /* the wheel still turns for others */
    run_until(w, 1);
    assert_int_equal(next_round.ran, 0);
    run_until(w, 1);
    assert_int_equal(next_round.ran, 1);
    close_world(w);
}

/* A call that comes rounds too late runs all that is due, once. */
static void test_called_late(void **state)
{
    struct world *w = open_world();
    struct one o[3];
    for (size_t i = 0; i < 3; i++) {
        init(w, &o[i]);
        arm(&o[i], 10 + i * 300);
    }
    run_late(w, 3, 3 * WHEEL_SLOTS * TICK_US);
    assert_int_equal(w->calls, 1);
    for (size_t i = 0; i < 3; i++)
        assert_int_equal(o[i].ran, 1);
    close_world(w);
}

/* With nothing armed it asks for no call. */
static void test_rests(void **state)
{
    struct world *w = open_world();
    struct one o, other;
    init(w, &o);
    init(w, &other);
    arm(&o, 10);
    arm(&other, 10);
    wheel_timer_stop(&o.timer);
    run_until(w, 1);
    assert_int_equal(wheel_wake_us(&w->wheel), 0);
    w->now_us += 3600 * UINT64_C(1000000); /* it has nothing to make up for */
    arm(&o, 3);
    assert_in_range(wheel_wake_us(&w->wheel), o.earliest_us, o.earliest_us + TICK_US);
    run_until(w, 1);
    assert_int_equal(wheel_wake_us(&w->wheel), 0);
    close_world(w);
}

/* Each runs once, none early; every third is stopped, every fifth moved. */
static void test_crowd(void **state)
{
    struct world *w = open_world();
    struct one *crowd = xcalloc(CROWD, sizeof *crowd);
    unsigned stopped = 0;
    srand(1);
    for (size_t i = 0; i < CROWD; i++) {
        init(w, &crowd[i]);
        arm(&crowd[i], (uint64_t)(rand() % 700));
    }
    for (size_t i = 0; i < CROWD; i++) {
        if (i % 3 == 0) {
            wheel_timer_stop(&crowd[i].timer);
            stopped++;
        } else if (i % 5 == 0) {
            arm(&crowd[i], (uint64_t)(rand() % 900));
        }
    }
    run_until(w, CROWD - stopped);
    for (size_t i = 0; i < CROWD; i++)
        assert_int_equal(crowd[i].ran, i % 3 == 0 ? 0 : 1);
    free(crowd);
    close_world(w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_due),
        cmocka_unit_test(test_one_turn),
        cmocka_unit_test(test_stopped_by_neighbour),
        cmocka_unit_test(test_moved),
        cmocka_unit_test(test_later_round),
        cmocka_unit_test(test_called_late),
        cmocka_unit_test(test_rests),
        cmocka_unit_test(test_crowd),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
