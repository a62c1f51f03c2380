/* SPDX-License-Identifier: MIT */
/* test_check.c - CHECK_THAT: aborts with the place and the condition when it is compiled in,
 * evaluates nothing otherwise. */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "h2mux/base/check.h"

static int evaluated;

static bool note(bool value)
{
    evaluated++;
    return value;
}

static void test_holds(void **state)
{
    evaluated = 0;
    CHECK_THAT(note(true));
    assert_int_equal(evaluated, CHECKING);
}

/* Runs a broken check in a child of its own. Returns the child's wait status and leaves in @said
 * what the child wrote to standard error. */
static int run_broken(char said[static 256])
{
    int ends[2], status = 0;
    assert_int_equal(pipe(ends), 0);
    pid_t child = fork();
    if (child == 0) {
        signal(SIGABRT, SIG_DFL); /* cmocka and the sanitizers have handlers of their own */
        dup2(ends[1], STDERR_FILENO);
        CHECK_THAT(note(false) && "the condition");
        _exit(evaluated);
    }
    close(ends[1]);
    ssize_t n = read(ends[0], said, 255);
    said[n > 0 ? n : 0] = '\0';
    close(ends[0]);
    assert_int_equal(waitpid(child, &status, 0), child);
    return status;
}

static void test_broken(void **state)
{
    char said[256];
    evaluated = 0;
    int status = run_broken(said);
    if (CHECKING) {
        assert_true(WIFSIGNALED(status));
        assert_int_equal(WTERMSIG(status), SIGABRT);
        assert_non_null(strstr(said, "tests/unit/test_check.c:"));
        assert_non_null(strstr(said, ": invariant broken: note(false) && \"the condition\"\n"));
    } else {
        assert_true(WIFEXITED(status));
        assert_int_equal(WEXITSTATUS(status), 0); /* note() was not called */
        assert_string_equal(said, "");
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_holds),
        cmocka_unit_test(test_broken),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
