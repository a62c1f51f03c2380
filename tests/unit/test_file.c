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

#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

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

/* ---- files that are ours */

static char dir[64];
static const char *why;

static int make_dir(void **state)
{
    snprintf(dir, sizeof dir, "/tmp/test_file.XXXXXX");
    return mkdtemp(dir) ? 0 : -1;
}

static int remove_dir(void **state)
{
    char command[128];
    snprintf(command, sizeof command, "rm -rf %s", dir);
    return system(command);
}

enum place { FILE_HERE, DIRECTORY_HERE, LINK_HERE, FIFO_HERE, NOTHING_HERE };

static const struct {
    const char *label;
    enum place place;
    unsigned mode;
    uid_t owner; /* 0: us, as the tests may run without root */
    gid_t group; /* likewise */
    int flags;
    int want; /* 0: a descriptor */
    const char *why;
} files[] = {
    {"O62 ours", FILE_HERE, 0600, 0, 0, O_RDONLY, 0, NULL},
    {"O62 everybody may read it", FILE_HERE, 0644, 0, 0, O_RDONLY, 0, NULL},
    {"O62 a group of ours may write", FILE_HERE, 0660, 0, 0, O_RDONLY, 0, NULL},
    {"O62 another group may write", FILE_HERE, 0660, 0, 4242, O_RDONLY, ERR_DENIED, "other users"},
    {"O62 another group may read", FILE_HERE, 0640, 0, 4242, O_RDONLY, 0, NULL},
    {"O62 everybody may write", FILE_HERE, 0602, 0, 0, O_RDONLY, ERR_DENIED, "other users"},
    {"O62 somebody else's", FILE_HERE, 0600, 4242, 0, O_RDONLY, ERR_DENIED, "another user"},
    {"O62 a link", LINK_HERE, 0, 0, 0, O_RDONLY, ERR_DENIED, "symbolic link"},
    {"O62 a link, made", LINK_HERE, 0, 0, 0, O_RDWR | O_CREAT, ERR_DENIED, "symbolic link"},
    {"O62 a FIFO", FIFO_HERE, 0600, 0, 0, O_RDONLY, ERR_DENIED, "no regular file"},
    {"O62 a directory", DIRECTORY_HERE, 0700, 0, 0, O_RDONLY, ERR_DENIED, "no regular file"},
    {"O62 nothing", NOTHING_HERE, 0, 0, 0, O_RDONLY, ERR_NOT_FOUND, "No such file"},
    {"O62 nothing, made", NOTHING_HERE, 0, 0, 0, O_RDWR | O_CREAT, 0, NULL},
    {"O62 our directory", DIRECTORY_HERE, 0755, 0, 0, O_RDONLY | O_DIRECTORY, 0, NULL},
    {"O62 everybody's directory", DIRECTORY_HERE, 0777, 0, 0, O_RDONLY | O_DIRECTORY, ERR_DENIED,
     "other users"},
    {"O62 sticky, but everybody's", DIRECTORY_HERE, 01777, 0, 0, O_RDONLY | O_DIRECTORY, ERR_DENIED,
     "other users"},
    {"O62 another group's directory", DIRECTORY_HERE, 0770, 0, 4242, O_RDONLY | O_DIRECTORY,
     ERR_DENIED, "other users"},
    {"O62 a link to a directory", LINK_HERE, 0, 0, 0, O_RDONLY | O_DIRECTORY, ERR_DENIED,
     "symbolic link"},
    {"O62 a file for a directory", FILE_HERE, 0600, 0, 0, O_RDONLY | O_DIRECTORY, ERR_IO,
     "Not a directory"},
};

static void place_at(const char *path, enum place place, unsigned mode)
{
    switch (place) {
    case FILE_HERE:
        close(open(path, O_WRONLY | O_CREAT, 0600));
        break;
    case DIRECTORY_HERE:
        assert_int_equal(mkdir(path, 0700), 0);
        break;
    case LINK_HERE:
        assert_int_equal(symlink("/tmp", path), 0);
        return;
    case FIFO_HERE:
        assert_int_equal(mkfifo(path, 0600), 0);
        break;
    case NOTHING_HERE:
        return;
    }
    assert_int_equal(chmod(path, mode), 0);
}

static void test_own(void **state)
{
    for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
        char path[96];
        snprintf(path, sizeof path, "%s/%zu", dir, i);
        if ((files[i].owner || files[i].group) && geteuid() != 0)
            continue;
        print_message("%s\n", files[i].label);
        place_at(path, files[i].place, files[i].mode);
        if (files[i].owner || files[i].group)
            assert_int_equal(chown(path, files[i].owner, files[i].group), 0);
        int fd = file_open_own(AT_FDCWD, path, files[i].flags, &why);
        assert_int_equal(fd < 0 ? fd : 0, files[i].want);
        if (files[i].why)
            assert_non_null(strstr(why, files[i].why));
        if (fd >= 0)
            close(fd);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_read_what_was_written),
        cmocka_unit_test(test_no_file),
        cmocka_unit_test(test_standard_descriptors),
        cmocka_unit_test_setup_teardown(test_own, make_dir, remove_dir),
    };
    return cmocka_run_group_tests_name("file", tests, NULL, NULL);
}
