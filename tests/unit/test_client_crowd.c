/* SPDX-License-Identifier: MIT */
/* test_client_crowd.c - idle connections that keep an origin from serving others. Rule D18. */
#include "client/origin/crowd.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

enum { MS = 1000, START_MS = 1000000 };

static uint64_t at(uint64_t ms)
{
    return (START_MS + ms) * MS;
}

/* A request waits since 0 ms behind connections that are idle since @idle_ms. */
static struct crowd_view behind(size_t idle, uint64_t idle_ms, uint64_t now_ms)
{
    return (struct crowd_view){.now_us = at(now_ms),
                               .asked_us = at(0),
                               .idle_us = at(idle_ms),
                               .waiting = 1,
                               .idle = idle,
                               .held = idle};
}

/* What is open when the answer of that request comes, with @held other connections. */
static struct crowd_view beside(size_t held, uint64_t now_ms)
{
    return (struct crowd_view){.now_us = at(now_ms), .held = held, .idle = held};
}

static void close_now(struct crowd *c, const struct crowd_view *v, size_t want)
{
    assert_int_equal(crowd_due_ms(c, v), 0);
    assert_int_equal(crowd_close(c, v), want);
}

/* D18: nothing is closed for nobody, nor before 100 ms. */
static void test_when(void **state)
{
    struct crowd c;
    crowd_init(&c);
    struct crowd_view v = behind(1, 0, 0);
    assert_int_equal(crowd_due_ms(&c, &v), 100);
    v = behind(1, 0, 60);
    assert_int_equal(crowd_due_ms(&c, &v), 40);
    v = behind(0, 0, 200);
    assert_int_equal(crowd_due_ms(&c, &v), CROWD_NEVER);
    v = behind(2, 0, 200);
    v.waiting = 0;
    assert_int_equal(crowd_due_ms(&c, &v), CROWD_NEVER);
    v.waiting = 1;
    close_now(&c, &v, 2);
}

/* D18: two closes that help, the second one later, make the origin one of few. */
static void learn(struct crowd *c)
{
    crowd_init(c);
    struct crowd_view v = behind(1, 0, 100), none = beside(0, 101);
    close_now(c, &v, 1);
    crowd_answered(c, &none, at(0));
    assert_false(c->few);
    v = behind(1, 102, 103);
    assert_int_equal(crowd_due_ms(c, &v), 149);
    v = behind(1, 102, 252);
    close_now(c, &v, 1);
    none.now_us = at(260);
    crowd_answered(c, &none, at(0));
    assert_true(c->few);
}

static void test_one_thread(void **state)
{
    struct crowd c;
    learn(&c);
    struct crowd_view v = beside(0, 261);
    assert_true(crowd_keeps(&c, &v));
    v.waiting = 1;
    assert_false(crowd_keeps(&c, &v)); /* it would keep that one waiting */
    v = beside(1, 261);
    assert_false(crowd_keeps(&c, &v));
    v = behind(1, 0, 99);
    assert_int_equal(crowd_due_ms(&c, &v), 1);
}

/* D18: an answer beside an idle connection shows that the origin serves both. */
static void test_several(void **state)
{
    struct crowd c;
    learn(&c);
    struct crowd_view v = beside(1, 300);
    crowd_answered(&c, &v, at(290));
    assert_false(c.few);
    v = behind(1, 0, 5000);
    assert_int_equal(crowd_due_ms(&c, &v), CROWD_NEVER);
    v = behind(2, 0, 5000); /* more than were ever served: one goes, and then none for 10 s */
    close_now(&c, &v, 1);
    v = behind(2, 0, 5101);
    assert_int_equal(crowd_due_ms(&c, &v), 10000);
    v = behind(1, 0, 62000); /* it may be another program by now */
    assert_int_equal(crowd_due_ms(&c, &v), 0);
}

/* D18: a younger request was answered while an older one waits. */
static void test_not_in_order(void **state)
{
    struct crowd c;
    crowd_init(&c);
    struct crowd_view v = {.now_us = at(201), .asked_us = at(0), .waiting = 1};
    crowd_answered(&c, &v, at(200));
    v = behind(1, 201, 400);
    assert_int_equal(crowd_due_ms(&c, &v), CROWD_NEVER);
}

/* D18: a service that is slow by itself is never one of few, and waits longer each time. */
static void test_slow(void **state)
{
    for (uint64_t slow_ms = 101; slow_ms < 1500; slow_ms += 7) {
        struct crowd c;
        crowd_init(&c);
        for (uint64_t start_ms = 0; start_ms < 200000; start_ms += 10000) {
            struct crowd_view v = behind(1, start_ms, start_ms);
            v.asked_us = v.now_us;
            for (uint64_t ms = 0; ms < slow_ms && v.idle > 0; ms++) {
                v.now_us = at(start_ms + ms);
                if (crowd_due_ms(&c, &v) == 0)
                    v.idle -= crowd_close(&c, &v);
            }
            struct crowd_view open = beside(v.idle, start_ms + slow_ms);
            crowd_answered(&c, &open, v.asked_us);
            assert_false(c.few);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_when),    cmocka_unit_test(test_one_thread),
        cmocka_unit_test(test_several), cmocka_unit_test(test_not_in_order),
        cmocka_unit_test(test_slow),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
