/* SPDX-License-Identifier: MIT */
/* test_file.c - whole files: what fits, what is one byte too much, and where there is nothing to
 * read or write. */
#include "h2mux/base/file.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

#include "h2mux/base/err.h"

static const struct {
    const char *name;
    size_t bytes, limit;
    int want;
} rows[] = {
    {"empty", 0, 10, 0},
    {"empty, no room", 0, 0, 0},
    {"short", 5, 10, 0},
    {"as much as there may be", 10, 10, 0},
    {"one too much", 11, 10, ERR_LIMIT},
    {"in several steps", 100000, 100000, 0},
    {"in several steps, one too much", 100001, 100000, ERR_LIMIT},
};

static void test_read_what_was_written(void **state)
{
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        FILE *f = tmpfile();
        char *data = xcalloc(1, rows[i].bytes + 1);
        size_t most = rows[i].bytes < rows[i].limit ? rows[i].bytes : rows[i].limit;
        struct buf got;
        assert_non_null(f);
        for (size_t at = 0; at < rows[i].bytes; at++)
            data[at] = (char)(at % 251);
        assert_int_equal(file_write_all(fileno(f), slice_make(data, rows[i].bytes)), 0);
        assert_int_equal(lseek(fileno(f), 0, SEEK_SET), 0);
        buf_init(&got, rows[i].limit);
        if (file_read_all(fileno(f), &got) != rows[i].want)
            fail_msg("%s", rows[i].name);
        assert_true(slice_eq(buf_slice(&got), slice_make(data, most)));
        buf_release(&got);
        free(data);
        fclose(f);
    }
}

static void test_no_file(void **state)
{
    struct buf got;
    buf_init(&got, 10);
    assert_int_equal(file_read_all(-1, &got), ERR_IO);
    assert_int_equal(file_write_all(-1, SLICE("x")), ERR_IO);
    assert_int_equal(file_write_all(-1, SLICE("")), 0);
    buf_release(&got);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_read_what_was_written),
        cmocka_unit_test(test_no_file),
    };
    return cmocka_run_group_tests_name("file", tests, NULL, NULL);
}
