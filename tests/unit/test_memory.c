/* SPDX-License-Identifier: MIT */
/* test_memory.c - tests how the limit of memory that is in force is found. */
#include "src/limits/memory.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include <cmocka.h>

static const struct {
    const char *what, *files;
    uint64_t limit;
} rows[] = {
    {"F60 nothing", "", UINT64_MAX},
    {"F60 version 2, no limit",
     "echo 0::/a > proc/self/cgroup; echo max > sys/fs/cgroup/a/memory.max", UINT64_MAX},
    {"F60 version 2", "echo 0::/a/b > proc/self/cgroup; echo 7000 > sys/fs/cgroup/a/b/memory.max",
     7000},
    {"F60 a group above",
     "echo 0::/a/b > proc/self/cgroup; echo 9000 > sys/fs/cgroup/a/b/memory.max;"
     "echo 5000 > sys/fs/cgroup/a/memory.max",
     5000},
    {"F60 a container's root", "echo 0::/ > proc/self/cgroup; echo 6000 > sys/fs/cgroup/memory.max",
     6000},
    {"F60 version 1",
     "echo 4:cpu,memory:/a > proc/self/cgroup;"
     "echo 8000 > sys/fs/cgroup/memory/a/memory.limit_in_bytes",
     8000},
    {"F60 another controller",
     "echo 4:cpu:/a > proc/self/cgroup;"
     "echo 8000 > sys/fs/cgroup/memory/a/memory.limit_in_bytes",
     UINT64_MAX},
    {"F60 no number", "echo 0::/a > proc/self/cgroup; echo x > sys/fs/cgroup/a/memory.max",
     UINT64_MAX},
};

static void test_groups(void **state)
{
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        char root[] = "/tmp/test_memory.XXXXXX", command[1024];
        assert_non_null(mkdtemp(root));
        snprintf(command, sizeof command,
                 "cd %s && mkdir -p proc/self sys/fs/cgroup/a/b sys/fs/cgroup/memory/a; %s", root,
                 rows[i].files);
        assert_int_equal(system(command), 0);
        if (memory_limit(root) != rows[i].limit)
            fail_msg("%s: %llu", rows[i].what, (unsigned long long)memory_limit(root));
        snprintf(command, sizeof command, "rm -r %s", root);
        assert_int_equal(system(command), 0);
    }
}

static const struct {
    const char *what;
    uint64_t used, limit;
    bool was, is;
} marks[] = {
    {"F63 half", 500, 1000, false, false},
    {"F63 below 85 %", 849, 1000, false, false},
    {"F63 85 %", 850, 1000, false, true},
    {"F63 stays above 75 %", 750, 1000, true, true},
    {"F63 ends below 75 %", 749, 1000, true, false},
    {"F63 no limit", UINT64_MAX / 8, UINT64_MAX, false, false},
};

static void test_marks(void **state)
{
    for (size_t i = 0; i < sizeof marks / sizeof *marks; i++) {
        struct fill use = {marks[i].used, marks[i].limit};
        if (memory_is_short(marks[i].was, &use) != marks[i].is)
            fail_msg("%s", marks[i].what);
    }
}

/* F63: what is in memory counts against the group, what is mapped against RLIMIT_AS. */
static void test_use(void **state)
{
    char root[] = "/tmp/test_memory.XXXXXX", command[1024];
    uint64_t page = (uint64_t)sysconf(_SC_PAGESIZE);
    struct rlimit was, now;
    assert_non_null(mkdtemp(root));
    snprintf(command, sizeof command,
             "cd %s && mkdir -p proc/self sys/fs/cgroup/a && echo 0::/a > proc/self/cgroup &&"
             "echo 100000000 > sys/fs/cgroup/a/memory.max && echo 5000 30 1 1 0 1 0 >"
             "proc/self/statm",
             root);
    assert_int_equal(system(command), 0);
    struct fill use = memory_use(root, 4000 * page);
    assert_int_equal(use.used, 30 * page);
    assert_int_equal(use.limit, 100000000);
    assert_int_equal(memory_mapped(root), 5000 * page);
    assert_int_equal(getrlimit(RLIMIT_AS, &was), 0);
    now = was;
    now.rlim_cur = UINT64_C(1) << 60;
    assert_int_equal(setrlimit(RLIMIT_AS, &now), 0);
    use = memory_use(root, 4000 * page);
    assert_int_equal(use.limit, 100000000);
    use = memory_use(root, (UINT64_C(1) << 60) + page);
    assert_true(memory_is_short(false, &use));
    assert_int_equal(setrlimit(RLIMIT_AS, &was), 0);
    snprintf(command, sizeof command, "rm -r %s", root);
    assert_int_equal(system(command), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_groups), cmocka_unit_test(test_marks),
                                       cmocka_unit_test(test_use)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
