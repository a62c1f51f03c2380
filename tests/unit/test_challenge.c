/* SPDX-License-Identifier: MIT */
/* test_challenge.c - which files of --acme-dir are answers to a challenge; rule O202. */
#include "src/edge/challenge.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

static char dir[] = "/tmp/challenge-XXXXXX";

static void write_file(const char *name, size_t size)
{
    char path[100];
    snprintf(path, sizeof path, "%s/%s", dir, name);
    FILE *f = fopen(path, "w");
    assert_non_null(f);
    for (size_t i = 0; i < size; i++)
        fputc('a' + (int)(i % 26), f);
    fclose(f);
}

static int make_files(void **state)
{
    char path[100], other[100];
    if (!mkdtemp(dir))
        return -1;
    write_file("small", 87);
    write_file("largest", CHALLENGE_MAX);
    write_file("larger", CHALLENGE_MAX + 1);
    write_file("empty", 0);
    snprintf(other, sizeof other, "%s/small", dir);
    snprintf(path, sizeof path, "%s/link", dir);
    assert_int_equal(symlink(other, path), 0);
    snprintf(path, sizeof path, "%s/folder", dir);
    assert_int_equal(mkdir(path, 0700), 0);
    snprintf(path, sizeof path, "%s/fifo", dir);
    assert_int_equal(mkfifo(path, 0600), 0);
    return 0;
}

static int remove_files(void **state)
{
    char command[100];
    snprintf(command, sizeof command, "rm -rf %s", dir);
    return system(command);
}

static const struct {
    const char *what, *token;
    size_t size; /* 0: nothing is found */
} rows[] = {
    {"O202 a file", "small", 87},
    {"O202 the largest", "largest", CHALLENGE_MAX},
    {"O202 a larger one", "larger", 0},
    {"O202 an empty one", "empty", 0},
    {"O202 a symbolic link", "link", 0},
    {"O202 a folder", "folder", 0},
    {"O202 a FIFO without a writer", "fifo", 0},
    {"O202 no file", "none", 0},
};

static void test_files(void **state)
{
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct buf out;
        buf_init(&out, CHALLENGE_MAX);
        print_message("%s\n", rows[i].what);
        int err = challenge_read(dir, slice_str(rows[i].token), &out);
        assert_int_equal(err, rows[i].size > 0 ? 0 : ERR_NOT_FOUND);
        assert_int_equal(buf_len(&out), rows[i].size);
        buf_release(&out);
    }
    struct buf out;
    buf_init(&out, CHALLENGE_MAX);
    assert_int_equal(challenge_read("/nowhere", SLICE("small"), &out), ERR_NOT_FOUND);
    buf_release(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_files),
    };
    return cmocka_run_group_tests(tests, make_files, remove_files);
}
