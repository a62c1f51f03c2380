/* SPDX-License-Identifier: MIT */
/* test_wheel.c - timers on the wheel: never early, one turn for a tick, stopped and armed from
 * within each other, later rounds. wheel.h. */
#include "turns.h"

#include <stdlib.h>

#include "h2mux/base/alloc.h"
#include "h2mux/base/clock.h"
#include "h2mux/io/wheel.h"

enum { TICK_US = WHEEL_TICK_MS * 1000, CROWD = 500 };

struct world {
    struct loop *loop;
    unsigned left; /* the loop stops when as many have run */
    bool stuck;
    struct timer deadline;
};

struct one {
    struct wheel_timer timer;
    struct world *world;
    uint64_t earliest_us, turn;
    unsigned ran;
    struct one *stops, *arms; /* what its run does to others; NULL: nothing */
};

static void give_up(void *user)
{
    struct world *w = user;
    w->stuck = true;
    loop_stop(w->loop);
}

static struct world *open_world(void)
{
    struct world *w = xcalloc(1, sizeof *w);
    w->loop = loop_new();
    timer_init(&w->deadline, w->loop, give_up, w);
    return w;
}

static void close_world(struct world *w)
{
    timer_stop(&w->deadline);
    loop_free(w->loop);
    free(w);
}

static void arm(struct one *o, uint64_t ms)
{
    o->earliest_us = clock_now_us() + ms * 1000;
    wheel_timer_arm(&o->timer, ms);
}

static void run_one(void *user)
{
    struct one *o = user;
    struct world *w = o->world;
    assert_false(wheel_timer_armed(&o->timer));
    assert_true(clock_now_us() >= o->earliest_us);
    o->ran++;
    o->turn = loop_turns(w->loop);
    if (o->stops)
        wheel_timer_stop(&o->stops->timer);
    if (o->arms)
        arm(o->arms, 0);
    if (--w->left == 0)
        loop_stop(w->loop);
}

static void init(struct world *w, struct one *o)
{
    *o = (struct one){.world = w};
    wheel_timer_init(&o->timer, w->loop, run_one, o);
}

static void run_until(struct world *w, unsigned runs)
{
    w->left = runs;
    timer_arm(&w->deadline, 20000);
    loop_run(w->loop);
    timer_stop(&w->deadline);
    assert_false(w->stuck);
}

/* Up to a tick later, whatever was asked for. */
static void test_due(void **state)
{
    static const uint64_t ms[] = {0, 1, 19, 20, 21, 15000, 20480, 20481, 3600000, 4000000000u};
    struct world *w = open_world();
    struct one o;
    init(w, &o);
    for (size_t i = 0; i < sizeof ms / sizeof *ms; i++) {
        uint64_t before = clock_now_us();
        wheel_timer_arm(&o.timer, ms[i]);
        uint64_t asked = ms[i] * 1000;
        assert_true(wheel_timer_armed(&o.timer));
        assert_in_range(o.timer.due * TICK_US, before + asked, clock_now_us() + asked + TICK_US);
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
    second.timer.due = first.timer.due; /* whatever the clock said between the two */
    list_remove(&second.timer.node);
    list_insert_before(&first.timer.node, &second.timer.node);
    run_until(w, 3);
    assert_int_equal(first.ran + second.ran + third.ran, 3);
    assert_true(first.turn == second.turn);
    assert_true(third.turn > first.turn);
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
    second.timer.due = first.timer.due;
    list_remove(&second.timer.node);
    list_insert_before(first.timer.node.next, &second.timer.node);
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
    arm(&next_round, 10);
    next_round.timer.due = now.timer.due + WHEEL_SLOTS;
    run_until(w, 1);
    assert_int_equal(now.ran, 1);
    assert_int_equal(next_round.ran, 0);
    assert_true(wheel_timer_armed(&next_round.timer));
    arm(&now, 10); /* the wheel still turns for others */
    run_until(w, 1);
    assert_int_equal(next_round.ran, 0);
    wheel_timer_stop(&next_round.timer);
    close_world(w);
}

/* The turn of a loop that stood still for longer than a round runs all that is due, once. */
static void test_loop_stood_still(void **state)
{
    struct world *w = open_world();
    struct one o[3];
    for (size_t i = 0; i < 3; i++) {
        init(w, &o[i]);
        arm(&o[i], 10 + i * 300);
    }
    loop_wheel(w->loop)->ran -= 3 * WHEEL_SLOTS;
    run_until(w, 3);
    for (size_t i = 0; i < 3; i++)
        assert_int_equal(o[i].ran, 1);
    close_world(w);
}

/* With nothing armed it lets the loop sleep. */
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
    assert_false(timer_armed(&loop_wheel(w->loop)->timer));
    arm(&o, 3);
    assert_true(timer_armed(&loop_wheel(w->loop)->timer));
    run_until(w, 1);
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
        cmocka_unit_test(test_loop_stood_still),
        cmocka_unit_test(test_rests),
        cmocka_unit_test(test_crowd),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
