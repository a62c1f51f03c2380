/* SPDX-License-Identifier: MIT */
/* test_helper.c - tests in which order errands are done, and that one can be taken back: rule
 * P46. */
#include "src/worker/helper.h"

#include <semaphore.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "h2mux/io/loop.h"

enum { ERRANDS = 8 };

static char done[ERRANDS + 1]; /* the helper's while it works */
static sem_t all;

struct job {
    struct errand errand;
    char what;
};

static void run(struct errand *e)
{
    const struct job *j = CONTAINER_OF(e, struct job, errand);
    size_t len = strlen(done);
    done[len] = j->what;
    if (j->what == '.')
        sem_post(&all);
}

static void deliver(struct mail *m, void *reader)
{
}

static struct who who(unsigned n)
{
    struct address a = {0, n};
    return (struct who){.depth = n > 0, .at = {a}};
}

static const struct {
    const char *what;
    const char *errands; /* a letter for each, in the order in which they are sent */
    unsigned viewer[ERRANDS], name[ERRANDS];
    const char *order; /* in which they are done */
} rows[] = {
    {"nobody in particular", "abcd", {0}, {0}, "abcd"},
    {"one viewer", "abcd", {1, 1, 1, 1}, {1, 2, 3, 4}, "abcd"},
    {"a newcomer", "abcd", {1, 1, 1, 2}, {1, 2, 3, 4}, "adbc"},
    {"another name", "abcd", {1, 2, 3, 4}, {1, 1, 1, 2}, "adbc"},
    {"two newcomers", "abcde", {1, 1, 1, 2, 2}, {1, 1, 1, 2, 2}, "adbec"},
    {"of the same name", "abcd", {1, 1, 2, 3}, {1, 1, 1, 1}, "abcd"},
};

/* P46 */
static void test_turns(void **state)
{
    struct loop *l = loop_new();
    struct mailbox *box = mailbox_new(l, NULL);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct helper *h = helper_new();
        struct job jobs[ERRANDS] = {{.what = 0}}, last = {.what = '.'}, gone = {.what = '-'};
        size_t n = strlen(rows[i].errands);
        memset(done, 0, sizeof done);
        for (size_t j = 0; j < n; j++) {
            jobs[j].what = rows[i].errands[j];
            jobs[j].errand = (struct errand){.back = box, .run = run, .mail.deliver = deliver};
            jobs[j].errand.of[0] = who(rows[i].viewer[j]);
            jobs[j].errand.of[1] = who(rows[i].name[j]);
            assert_true(helper_send(h, &jobs[j].errand));
        }
        gone.errand = last.errand = jobs[0].errand;
        gone.errand.node = last.errand.node = (struct list_node){NULL, NULL};
        gone.errand.of[0] = last.errand.of[0] = jobs[0].errand.of[0] = who(9);
        assert_true(helper_send(h, &gone.errand));
        assert_true(helper_take_back(h, &gone.errand));
        assert_false(helper_take_back(h, &gone.errand));
        for (size_t j = 0; j < n; j++) /* it comes after all */
            jobs[j].errand.of[0] = who(9);
        assert_true(helper_send(h, &last.errand));
        assert_int_equal(helper_start(h), 0);
        sem_wait(&all);
        helper_free(h);
        done[n] = '\0';
        if (strcmp(done, rows[i].order) != 0)
            fail_msg("%s: %s", rows[i].what, done);
        while (mailbox_deliver(box)) {
        }
    }
    mailbox_free(box);
    loop_free(l);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_turns)};
    sem_init(&all, 0, 0);
    return cmocka_run_group_tests_name("helper", tests, NULL, NULL);
}
