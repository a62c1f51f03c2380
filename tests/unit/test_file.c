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
#include <sys/stat.h>
#include <sys/wait.h>
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

/* Runs in a process of its own. Closes the descriptors of the set @closed. Returns whether all
 * three are there afterwards, those that were open being what they were, and the next descriptor is
 * none of them. */
static bool ensured(unsigned closed)
{
    struct stat before[3], null, st;
    bool good = stat("/dev/null", &null) == 0;
    for (int fd = 0; fd < 3; fd++)
        good = fstat(fd, &before[fd]) == 0 && good;
    for (int fd = 0; fd < 3; fd++)
        if (closed >> fd & 1)
            close(fd);
    good = file_ensure_standard() == 0 && good;
    for (int fd = 0; fd < 3; fd++) {
        const struct stat *want = closed >> fd & 1 ? &null : &before[fd];
        good =
            fstat(fd, &st) == 0 && st.st_rdev == want->st_rdev && st.st_ino == want->st_ino && good;
        good = (fd == 0 || !(closed >> fd & 1) || write(fd, "x", 1) == 1) && good;
    }
    return dup(0) > 2 && good;
}

/* O26 */
static void test_standard_descriptors(void **state)
{
    for (unsigned closed = 0; closed < 8; closed++) {
        int status = 0;
        pid_t child = fork();
        assert_true(child >= 0);
        if (child == 0)
            _exit(ensured(closed) ? 0 : 1);
        assert_int_equal(waitpid(child, &status, 0), child);
        if (status != 0)
            fail_msg("with the set %u closed: %#x", closed, (unsigned)status);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_read_what_was_written),
        cmocka_unit_test(test_no_file),
        cmocka_unit_test(test_standard_descriptors),
    };
    return cmocka_run_group_tests_name("file", tests, NULL, NULL);
}
