/* SPDX-License-Identifier: MIT */
/* test_commons.c - tests pools whose places belong to objects on several workers:
 * http-rules.md#pools */
#include "turns.h"

#include <stdlib.h>

#include "src/worker/commons.h"
#include "src/worker/worker.h"

enum { OBJECTS = 8 };

/* Two workers, both of this thread, and objects that have seats. */
struct object {
    struct seat seat;
    bool evicted;
};

struct world {
    struct config config;
    struct server server;
    struct worker *worker[2];
    struct commons *commons;
    struct object object[OBJECTS];
};

static void evict(struct seat *seat)
{
    CONTAINER_OF(seat, struct object, seat)->evicted = true;
}

static struct world *world_new(size_t capacity)
{
    struct world *w = calloc(1, sizeof *w);
    w->server.config = &w->config;
    budget_init(&w->server.budget, 1 << 20);
    for (unsigned i = 0; i < 2; i++)
        w->worker[i] = worker_new(&w->server, i);
    w->commons = commons_new(capacity, 1, evict);
    return w;
}

static void world_free(struct world *w)
{
    for (int i = 0; i < OBJECTS; i++)
        commons_give(w->commons, &w->object[i].seat);
    for (int i = 0; i < 2; i++)
        worker_free(w->worker[i]);
    commons_free(w->commons);
    free(w);
}

static struct who who_of(uint64_t number)
{
    struct address a = {.host = UINT64_C(0xffff00000000) + number};
    return who_of_address(&a);
}

static bool take(struct world *w, int object, int worker, uint64_t number)
{
    struct who who = who_of(number);
    return commons_take(w->commons, w->worker[worker], &who, &w->object[object].seat, true);
}

static bool is_evicted(void *object)
{
    return ((struct object *)object)->evicted;
}

/* F51: the object of the greediest is ended by the loop of its own worker. */
static void test_f51_eviction_on_its_own_worker(void **state)
{
    struct world *w = world_new(4);
    for (int i = 0; i < 3; i++)
        assert_true(take(w, i, i % 2, 1));
    assert_true(take(w, 3, 0, 2));
    assert_true(take(w, 4, 0, 3)); /* object 0 of worker 0 goes */
    assert_true(take(w, 5, 0, 4)); /* object 1 of worker 1 goes */
    assert_int_equal(commons_count(w->commons), 4);
    assert_false(w->object[0].evicted || w->object[1].evicted);
    turns_until(w->worker[1]->loop, is_evicted, &w->object[1]);
    assert_false(w->object[0].evicted);
    turns_until(w->worker[0]->loop, is_evicted, &w->object[0]);
    assert_false(w->object[2].evicted);
    world_free(w);
}

/* F51: an object that ends before its eviction is delivered is not evicted. */
static void test_f51_gone_before_its_eviction(void **state)
{
    struct world *w = world_new(4);
    for (int i = 0; i < 3; i++)
        assert_true(take(w, i, 0, 1));
    assert_true(take(w, 3, 1, 2));
    assert_true(take(w, 4, 1, 3)); /* object 0 goes */
    assert_true(take(w, 5, 1, 4)); /* object 1 goes */
    commons_give(w->commons, &w->object[0].seat);
    turns_until(w->worker[0]->loop, is_evicted, &w->object[1]);
    assert_false(w->object[0].evicted);
    world_free(w);
}

/* F51: an object that has become busy before its eviction is counted again, over the capacity. */
static void test_f51_kept_in_spite_of_its_eviction(void **state)
{
    struct world *w = world_new(4);
    struct who who = who_of(1);
    for (int i = 0; i < 4; i++)
        assert_true(take(w, i, 0, (uint64_t)i / 3 + 1));
    assert_true(take(w, 4, 1, 3));
    turns_until(w->worker[0]->loop, is_evicted, &w->object[0]);
    commons_hold(w->commons, w->worker[0], &who, &w->object[0].seat);
    assert_int_equal(commons_count(w->commons), 5);
    assert_true(take(w, 5, 1, 4)); /* object 1: object 0 is busy */
    turns_until(w->worker[0]->loop, is_evicted, &w->object[1]);
    world_free(w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_f51_eviction_on_its_own_worker),
        cmocka_unit_test(test_f51_gone_before_its_eviction),
        cmocka_unit_test(test_f51_kept_in_spite_of_its_eviction),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
