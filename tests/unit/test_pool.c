/* SPDX-License-Identifier: MIT */
/* test_pool.c - small blocks: their sizes, reuse, threads, how many are kept. What is asked of the
 * allocator itself, and reuse, is left out where a sanitizer has its own. pool.h. */
#include "h2mux/base/pool.h"

#include <malloc.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define COUNT(rows) (sizeof rows / sizeof((rows)[0]))

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define SANITIZED 1
#elif defined(__has_feature)
#define SANITIZED (__has_feature(address_sanitizer) || __has_feature(thread_sanitizer))
#else
#define SANITIZED 0
#endif

enum { MANY = 600 };

static int reset(void **state)
{
    pool_drain();
    return 0;
}

/* Every byte that was asked for may be written, and none is another block's. */
static void test_sizes(void **state)
{
    static const size_t sizes[] = {0, 1, 63, 64, 65, 127, 128, 129, 1984, 1985, 2047, POOL_MAX};
    char *blocks[2][COUNT(sizes)];
    for (int round = 0; round < 3; round++) {
        for (size_t i = 0; i < COUNT(sizes); i++)
            for (int k = 0; k < 2; k++) {
                blocks[k][i] = pool_take(sizes[i]);
                assert_non_null(blocks[k][i]);
                assert_int_equal((uintptr_t)blocks[k][i] % sizeof(void *), 0);
                memset(blocks[k][i], (int)(2 * i) + k, sizes[i]);
            }
        for (size_t i = 0; i < COUNT(sizes); i++)
            for (int k = 0; k < 2; k++) {
                for (size_t n = 0; n < sizes[i]; n++)
                    assert_int_equal(blocks[k][i][n], (int)(2 * i) + k);
                pool_give(blocks[k][i], sizes[i]);
            }
    }
    pool_give(NULL, 64);
}

static const struct {
    const char *name;
    size_t given, taken;
    bool same;
} reuses[] = {
    {"same size", 100, 100, true},
    {"same class", 65, 128, true},
    {"nothing is the smallest", 0, 64, true},
    {"next class", 64, 65, false},
    {"class below", 129, 128, false},
    {"largest", POOL_MAX, POOL_MAX - 63, true},
    {"below the largest", POOL_MAX, POOL_MAX - 64, false},
};

static void test_reuse(void **state)
{
    if (SANITIZED)
        skip();
    for (size_t i = 0; i < COUNT(reuses); i++) {
        void *first = pool_take(reuses[i].given);
        pool_give(first, reuses[i].given);
        void *second = pool_take(reuses[i].taken);
        if ((first == second) != reuses[i].same)
            fail_msg("%s", reuses[i].name);
        pool_give(second, reuses[i].taken);
        pool_drain();
    }
}

static void test_zeroed(void **state)
{
    static const size_t sizes[] = {1, 64, 100, POOL_MAX};
    for (size_t i = 0; i < COUNT(sizes); i++) {
        char *dirty = pool_take(sizes[i]);
        memset(dirty, 'x', sizes[i]);
        pool_give(dirty, sizes[i]);
        char *clean = pool_take_zeroed(sizes[i]);
        for (size_t n = 0; n < sizes[i]; n++)
            assert_int_equal(clean[n], 0);
        pool_give(clean, sizes[i]);
    }
}

/* ---- threads */

static void *run_give(void *blocks)
{
    for (size_t i = 0; i < MANY; i++)
        pool_give(((void **)blocks)[i], 200);
    pool_drain();
    return NULL;
}

static void *run_take(void *blocks)
{
    for (size_t i = 0; i < MANY; i++)
        ((void **)blocks)[i] = memset(pool_take(200), 'y', 200);
    pool_drain();
    return NULL;
}

static void on_a_thread(void *(*run)(void *), void *blocks)
{
    pthread_t t;
    assert_int_equal(pthread_create(&t, NULL, run, blocks), 0);
    assert_int_equal(pthread_join(t, NULL), 0);
}

/* A block goes where it is given back, whoever took it; what is free is nobody else's. */
static void test_threads(void **state)
{
    static void *blocks[MANY];
    for (size_t i = 0; i < MANY; i++)
        blocks[i] = memset(pool_take(200), 'x', 200);
    on_a_thread(run_give, blocks);
    on_a_thread(run_take, blocks);
    for (size_t i = 0; i < MANY; i++) {
        assert_int_equal(((char *)blocks[i])[199], 'y');
        pool_give(blocks[i], 200);
    }
    if (!SANITIZED) {
        void *mine = pool_take(200);
        pool_give(mine, 200);
        on_a_thread(run_take, blocks);
        for (size_t i = 0; i < MANY; i++) {
            assert_ptr_not_equal(blocks[i], mine);
            pool_give(blocks[i], 200);
        }
    }
}

/* ---- what is kept */

static size_t allocated(void)
{
    return mallinfo2().uordblks;
}

/* A burst does not stay: 256 KiB a class, and nothing once it is drained. */
static void test_kept(void **state)
{
    static void *blocks[MANY];
    const size_t most = 256 * 1024, overhead = 64 * 1024;
    if (SANITIZED)
        skip();
    size_t before = allocated();
    for (size_t i = 0; i < MANY; i++)
        blocks[i] = pool_take(POOL_MAX);
    assert_in_range(allocated() - before, MANY * POOL_MAX, MANY * (POOL_MAX + 64));
    for (size_t i = 0; i < MANY; i++)
        pool_give(blocks[i], POOL_MAX);
    assert_in_range(allocated() - before, most, most + overhead);
    for (size_t i = 0; i < most / POOL_MAX; i++)
        blocks[i] = pool_take(POOL_MAX);
    assert_in_range(allocated() - before, most, most + overhead);
    for (size_t i = 0; i < most / POOL_MAX; i++)
        pool_give(blocks[i], POOL_MAX);
    pool_drain();
    assert_int_equal(allocated(), before);
    pool_drain();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_sizes, reset),  cmocka_unit_test_setup(test_reuse, reset),
        cmocka_unit_test_setup(test_zeroed, reset), cmocka_unit_test_setup(test_threads, reset),
        cmocka_unit_test_setup(test_kept, reset),
    };
    int failed = cmocka_run_group_tests_name("pool", tests, NULL, NULL);
    pool_drain();
    return failed;
}
