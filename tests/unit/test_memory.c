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

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_groups)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
