/* SPDX-License-Identifier: MIT */
/* test_state.c - tests the files of the state directory, the server's name, and lines of the names
 * file: protocol.md#names-file */
#include "src/names/state.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "h2mux/base/err.h"
#include "h2mux/base/log.h"
#include "src/names/held_name.h"

static char dir[64];

static int make_dir(void **state)
{
    snprintf(dir, sizeof dir, "/tmp/test_state.XXXXXX");
    return mkdtemp(dir) ? 0 : -1;
}

static int remove_dir(void **state)
{
    char command[128];
    snprintf(command, sizeof command, "rm -rf %s", dir);
    return system(command);
}

static const char *why;

static void assert_content(const char *file, const char *want)
{
    struct buf b;
    buf_init(&b, 64);
    assert_int_equal(state_read(dir, file, &b, &why), 0);
    assert_true(slice_eq(buf_slice(&b), slice_str(want)));
    buf_release(&b);
}

static void test_files(void **state)
{
    struct buf small;
    buf_init(&small, 2);
    assert_int_equal(state_read(dir, "file", &small, &why), ERR_NOT_FOUND);
    assert_int_equal(state_create(dir, "file", SLICE("one"), &why), 0);
    assert_int_equal(state_create(dir, "file", SLICE("two"), &why), ERR_TAKEN);
    assert_content("file", "one");
    assert_int_equal(state_write(dir, "file", SLICE("three"), &why), 0);
    assert_content("file", "three");
    assert_int_equal(state_read(dir, "file", &small, &why), ERR_LIMIT);
    buf_release(&small);
    assert_int_equal(state_write("/dev/null", "file", SLICE("x"), &why), ERR_IO);
    assert_int_equal(errno, ENOTDIR);
}

static void test_exposed(void **state)
{
    char path[128];
    snprintf(path, sizeof path, "%s/file", dir);
    assert_int_equal(state_write(dir, "file", SLICE("x"), &why), 0);
    assert_false(state_is_exposed(dir, "file"));
    assert_int_equal(chmod(path, 0640), 0);
    assert_true(state_is_exposed(dir, "file"));
    assert_false(state_is_exposed(dir, "no-such-file"));
}

/* H9, O66: a file that holds no name is made anew. */
static void test_node(void **state)
{
    static const char *const broken[] = {"", "me\n", "oneport-0123456\n", "oneport-0123456X\n"};
    char node[STATE_NODE_MAX], again[STATE_NODE_MAX];
    bool unsaved = true;
    assert_int_equal(state_node(dir, node, &unsaved, &why), 0);
    assert_false(unsaved);
    assert_int_equal(strlen(node), 16);
    assert_int_equal(strspn(node + 8, "0123456789abcdef"), 8);
    assert_int_equal(state_node(dir, again, &unsaved, &why), 0);
    assert_string_equal(node, again);
    log_threshold = LOG_ERROR;
    for (size_t i = 0; i < sizeof broken / sizeof *broken; i++) {
        assert_int_equal(state_write(dir, STATE_NODE, slice_str(broken[i]), &why), 0);
        assert_int_equal(state_node(dir, node, &unsaved, &why), 0);
        assert_int_equal(state_node(dir, again, &unsaved, &why), 0);
        assert_string_equal(node, again);
        assert_int_equal(strspn(node + 8, "0123456789abcdef"), 8);
    }
}

#define OWNER "000102030405060708090a0b0c0d0e0f"

static const struct {
    const char *line;
    int64_t until;
    bool good, asked;
} lines[] = {
    {"my-app " OWNER " 0 1", 0, true, true},
    {"my-app " OWNER " 1800000000 0", 1800000000, true, false},
    {"my-app " OWNER " 9223372036854775807 0", INT64_MAX, true, false},
    {"my-app " OWNER " 9223372036854775808 0", 0, false, false},
    {"my-app " OWNER " -1 0", 0, false, false},
    {"my-app " OWNER " 0 2", 0, false, false},
    {"my-app " OWNER " 0", 0, false, false},
    {"my-app " OWNER " 0 1 ", 0, true, true},
    {"my-app " OWNER " 0 1 x", 0, false, false},
    {"my-app " OWNER " 0 1 0 - - called=192.0.2.1", 0, true, true},
    {"my-app " OWNER " 7 1 0 - - served=192.0.2.1", 7, true, true},
    {"my-app " OWNER " 0 1 0 - - served=2001:db8:1:2::", 0, true, true},
    {"my-app " OWNER " 0 1 0 - - policy={\"rate\":5}", 0, true, true},
    {"my-app " OWNER " 0 1 0 - - served=192.0.2.1 policy={\"rate\":5}", 0, true, true},
    {"my-app " OWNER " 0 1 0 - - policy=", 0, false, false},
    {"my-app " OWNER " 0 1 0 - - policy=a policy=b policy=c", 0, false, false},
    {"my-app " OWNER " 0 1 0 - - served=", 0, false, false},
    {"my-app " OWNER " 0 1 0 - - served=x", 0, false, false},
    {"my-app " OWNER " 0 1 0 - - served=192.0.2.1 x", 0, false, false},
    {"my-app 0001 0 1", 0, false, false},
    {"My-App " OWNER " 0 1", 0, false, false},
    {"www " OWNER " 0 1", 0, false, false},
    {"", 0, false, false},
};

/* A line that can be read is printed as it was. */
static void test_held_name(void **state)
{
    for (size_t i = 0; i < sizeof lines / sizeof lines[0]; i++) {
        struct held_name h;
        struct buf b;
        int err = held_name_parse(slice_str(lines[i].line), &h);
        if (err != (lines[i].good ? 0 : ERR_SYNTAX))
            fail_msg("'%s': %s", lines[i].line, err_text(err));
        if (err < 0)
            continue;
        assert_string_equal(h.name, "my-app");
        assert_int_equal(h.owner[15], 15);
        assert_int_equal(h.until, lines[i].until);
        assert_int_equal(h.asked, lines[i].asked);
        buf_init(&b, 128);
        assert_int_equal(held_name_print(&b, &h), 0);
        assert_true(slice_starts(buf_slice(&b), slice_trim(slice_str(lines[i].line))));
        assert_int_equal(slice_find(buf_slice(&b), '\n') + 1, buf_len(&b));
        buf_release(&b);
    }
}

/* O120: root gives the directory and the files of a server, and nothing else. */
static void test_give(void **state)
{
    enum { USER = 4141, GROUP = 4242 };
    struct stat st;
    char given[96], path[128];
    if (geteuid() != 0)
        skip();
    snprintf(given, sizeof given, "%s/given", dir);
    assert_int_equal(state_prepare(given, &why), 0);
    assert_int_equal(state_create(given, STATE_SECRET, SLICE("key"), &why), 0);
    assert_int_equal(state_create(given, "other", SLICE("x"), &why), 0);
    assert_int_equal(state_give(given, USER, GROUP, &why), ERR_DENIED);
    state_remove(given, "other");
    assert_int_equal(state_give(given, USER, GROUP, &why), 0);
    assert_int_equal(stat(given, &st), 0);
    assert_int_equal(st.st_uid, USER);
    snprintf(path, sizeof path, "%s/%s", given, STATE_SECRET);
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_uid, USER);
    assert_int_equal(st.st_gid, GROUP);
    assert_int_equal(state_give(given, USER, GROUP, &why), 0); /* it is that user's already */
    assert_int_equal(state_give(given, USER + 1, GROUP, &why), ERR_DENIED);
    snprintf(path, sizeof path, "%s/new/deep", dir);
    assert_int_equal(state_give(path, USER, GROUP, &why), 0);
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_uid, USER);
    assert_int_equal(st.st_mode & 0777, 0700);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_files), cmocka_unit_test(test_exposed),
        cmocka_unit_test(test_node),  cmocka_unit_test(test_held_name),
        cmocka_unit_test(test_give),
    };
    return cmocka_run_group_tests_name("state", tests, make_dir, remove_dir);
}
