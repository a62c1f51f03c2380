/* SPDX-License-Identifier: MIT */
/* test_alloc.c - memory for libraries: what of a large block is resident. */
#include "h2mux/base/alloc.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cmocka.h>

enum { SIZE = 16394 /* of the buffer that nghttp2 begins with */ };

/* Whole pages within the block. */
static size_t resident_within(const char *block)
{
    size_t page = (size_t)sysconf(_SC_PAGESIZE), count = 0;
    uintptr_t at = ((uintptr_t)block + page - 1) / page * page;
    for (; at + page <= (uintptr_t)block + SIZE; at += page) {
        unsigned char in_core = 0;
        assert_int_equal(mincore((void *)at, page, &in_core), 0);
        count += in_core & 1;
    }
    return count;
}

static void dirty_the_heap(void)
{
    char *used = xmalloc(4 * SIZE);
    memset(used, 0xaa, 4 * SIZE);
    free(used);
}

static void test_large_blocks_begin_untouched(void **state)
{
    dirty_the_heap();
    char *block = library_realloc(NULL, SIZE, NULL);
    assert_non_null(block);
    assert_int_equal(resident_within(block), 0);
    memset(block, 0x55, SIZE);
    assert_true(resident_within(block) >= 2);
    block = library_realloc(block, (size_t)2 * SIZE, NULL);
    for (size_t i = 0; i < SIZE; i++)
        assert_int_equal(block[i], 0x55);
    library_free(block, NULL);
}

static void test_small_blocks_are_plain(void **state)
{
    char *block = library_malloc(100, NULL);
    assert_non_null(block);
    memset(block, 1, 100);
    library_free(block, NULL);
    unsigned char *zeroed = library_calloc(10, 10, NULL);
    assert_non_null(zeroed);
    for (size_t i = 0; i < 100; i++)
        assert_int_equal(zeroed[i], 0);
    library_free(zeroed, NULL);
    library_free(NULL, NULL);
}

static size_t resident(void)
{
    unsigned long pages = 0;
    FILE *statm = fopen("/proc/self/statm", "r");
    assert_non_null(statm);
    assert_int_equal(fscanf(statm, "%*u %lu", &pages), 1);
    fclose(statm);
    return pages * (size_t)sysconf(_SC_PAGESIZE);
}

/* What is still in use lies all over what a burst has left, so that nothing goes by itself. */
static void test_a_burst_does_not_stay(void **state)
{
    enum { COUNT = 10000, EACH = 8000, KEPT_EVERY = 100 };
    static char *blocks[COUNT];
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
    skip(); /* their allocator is not libc's */
#endif
    alloc_tune();
    for (size_t i = 0; i < COUNT; i++)
        blocks[i] = memset(xmalloc(EACH), 1, EACH);
    size_t most = resident();
    alloc_settle();
    assert_in_range(resident(), most - most / 10, SIZE_MAX);
    for (size_t i = 0; i < COUNT; i++)
        if (i % KEPT_EVERY != 0)
            free(blocks[i]);
    assert_in_range(resident(), most - most / 5, SIZE_MAX);
    alloc_settle();
    assert_in_range(resident(), 0, most / 2);
    for (size_t i = 0; i < COUNT; i += KEPT_EVERY) {
        assert_int_equal(blocks[i][EACH - 1], 1);
        free(blocks[i]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_burst_does_not_stay),
        cmocka_unit_test(test_large_blocks_begin_untouched),
        cmocka_unit_test(test_small_blocks_are_plain),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
