/* test_alloc.c - memory for libraries: what of a large block is resident. */
#include "h2mux/base/alloc.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_large_blocks_begin_untouched),
        cmocka_unit_test(test_small_blocks_are_plain),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
