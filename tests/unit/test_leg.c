/* SPDX-License-Identifier: MIT */
/* test_leg.c - ops that a kind of leg lacks, and ops that are called with a leg of another kind.
 * leg.h. */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "h2mux/h2/session_int.h"
#include "h2mux/http/h1_conn_int.h"

static const struct leg_ops bare_ops = {.head = NULL};

/* A wire that has no use for hints, replies and upgrades is called for none of them. */
static void test_missing_ops(void **state)
{
    struct leg leg = {.ops = &bare_ops};
    struct leg_reply how = {.close = true};
    leg_hint(&leg, LEG_INTERACTIVE);
    leg_reply(&leg, &how);
    leg_upgrade(&leg);
    assert_null(leg_place(&leg, 1));
    assert_false(leg_taken(&leg, &(uint64_t){0}));
}

/* Each calls an op with a leg that is not of the op's kind. */
static void h1_credit(struct leg *leg)
{
    h1_leg_ops.credit(leg, 1);
}

static void h1_upgrade(struct leg *leg)
{
    h1_leg_ops.upgrade(leg);
}

static void h1_reply(struct leg *leg)
{
    struct leg_reply how = {.close = true};
    h1_leg_ops.reply(leg, &how);
}

static void h2_hint(struct leg *leg)
{
    h2_leg_ops.hint(leg, LEG_BULK);
}

static void h2_credit(struct leg *leg)
{
    h2_leg_ops.credit(leg, 1);
}

static int signal_of(void (*call)(struct leg *leg))
{
    int status = 0;
    pid_t child = fork();
    if (child == 0) {
        struct leg leg = {.ops = &bare_ops};
        close(STDERR_FILENO); /* the assertion's line is expected */
        signal(SIGABRT, SIG_DFL);
        call(&leg);
        _exit(0);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    return WIFSIGNALED(status) ? WTERMSIG(status) : 0;
}

static void test_foreign_leg(void **state)
{
    static void (*const calls[])(struct leg *) = {h1_credit, h1_upgrade, h1_reply, h2_hint,
                                                  h2_credit};
    for (size_t i = 0; i < sizeof calls / sizeof *calls; i++)
        assert_int_equal(signal_of(calls[i]), SIGABRT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_missing_ops),
        cmocka_unit_test(test_foreign_leg),
    };
    return cmocka_run_group_tests_name("leg", tests, NULL, NULL);
}
