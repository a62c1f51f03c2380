/* SPDX-License-Identifier: MIT */
/* test_client_dial_queue.c - the order of those who wait for a descriptor, and the end of a wait.
 */
#include "client/origin/dial_queue.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include <sys/resource.h>

#include "tests/unit/turns.h"

struct world {
    struct loop *loop;
    struct dial_queue queue;
    struct dial_waiter waiters[3];
    int served, late;
    struct dial_waiter *was_late;
};

static void serve(void *user)
{
    struct world *w = user;
    w->served++;
}

static void late(void *user, struct dial_waiter *waiter)
{
    struct world *w = user;
    w->late++;
    w->was_late = waiter;
}

static const struct dial_queue_ops ops = {.serve = serve, .late = late};

static int set_up(void **state)
{
    struct world *w = xcalloc(1, sizeof *w);
    w->loop = loop_new();
    dial_queue_init(&w->queue, w->loop, 8, &ops, w);
    *state = w;
    return 0;
}

static int tear_down(void **state)
{
    struct world *w = *state;
    for (size_t i = 0; i < 3; i++)
        dial_queue_leave(&w->waiters[i]);
    dial_queue_deinit(&w->queue);
    loop_free(w->loop);
    free(w);
    return 0;
}

/* F25: who comes back after a dial that failed has the place that it had. */
static void test_order(void **state)
{
    struct world *w = *state;
    w->waiters[0].since_us = 100;
    w->waiters[1].since_us = 200;
    w->waiters[2].since_us = 300;
    assert_null(dial_queue_first(&w->queue));
    for (int i = 0; i < 3; i++)
        dial_queue_enter(&w->queue, &w->waiters[i]);
    dial_queue_leave(&w->waiters[1]);
    dial_queue_leave(&w->waiters[0]);
    dial_queue_enter(&w->queue, &w->waiters[1]);
    assert_ptr_equal(dial_queue_first(&w->queue), &w->waiters[1]);
    dial_queue_enter(&w->queue, &w->waiters[0]);
    dial_queue_check(&w->queue);
    for (int i = 0; i < 3; i++) {
        assert_ptr_equal(dial_queue_first(&w->queue), &w->waiters[i]);
        dial_queue_leave(&w->waiters[i]);
    }
}

static bool was_served_twice(void *user)
{
    struct world *w = user;
    return w->served >= 2;
}

/* F25: what is short may be another program's, so the queue looks by itself. */
static void test_looks_again(void **state)
{
    struct world *w = *state;
    dial_queue_wake(&w->queue); /* nobody waits */
    dial_queue_enter(&w->queue, &w->waiters[0]);
    assert_true(w->waiters[0].since_us > 0);
    turns_until(w->loop, was_served_twice, w);
    assert_int_equal(w->late, 0);
}

static bool was_late(void *user)
{
    struct world *w = user;
    return w->late > 0;
}

/* F25: only those who have waited for 30 s leave. */
static void test_late(void **state)
{
    struct world *w = *state;
    uint64_t now = loop_now_us(w->loop);
    w->waiters[0].since_us = now - (uint64_t)DIAL_QUEUE_MAX_MS * 1000 - 1;
    w->waiters[1].since_us = now;
    dial_queue_enter(&w->queue, &w->waiters[0]);
    dial_queue_enter(&w->queue, &w->waiters[1]);
    turns_until(w->loop, was_late, w);
    assert_int_equal(w->late, 1);
    assert_ptr_equal(w->was_late, &w->waiters[0]);
    assert_ptr_equal(dial_queue_first(&w->queue), &w->waiters[1]);
}

/* F25: some descriptors are not for dials, but never most of them. */
static void test_room(void **state)
{
    struct world *w = *state;
    struct rlimit before, few;
    struct dial_queue q;
    assert_true(dial_queue_has_room(&w->queue, 1));
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
    few = (struct rlimit){.rlim_cur = 24, .rlim_max = before.rlim_max};
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &few), 0);
    dial_queue_init(&q, w->loop, 100, &ops, w);
    assert_int_equal(q.below, 18);
    assert_true(dial_queue_has_room(&q, 1));
    assert_false(dial_queue_has_room(&q, 18));
    dial_queue_deinit(&q);
    few.rlim_cur = 3;
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &few), 0);
    assert_false(dial_queue_has_room(&q, 1));
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_order, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_looks_again, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_late, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_room, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
