/* SPDX-License-Identifier: MIT */
/* test_stage.c - tests the order of a start and a stop when each stage fails in turn, and that no
 * letter is left when the workers have settled. stage.h, crew.h */
#include "src/stage.h"

#include "registry_world.h"

#include "src/worker/mailbox.h"

/* ---- the table */

enum { STAGES = 5, FAILED = 70 };

struct diary {
    char fails; /* this stage fails; 0: none */
    char text[64];
};

static int start(struct diary *d, char what)
{
    size_t len = strlen(d->text);
    d->text[len] = what;
    d->text[len + 1] = '\0';
    return d->fails == what ? FAILED : 0;
}

static int start_a(void *program)
{
    return start(program, 'A');
}

static int start_b(void *program)
{
    return start(program, 'B');
}

static int start_d(void *program)
{
    return start(program, 'D');
}

static int start_e(void *program)
{
    return start(program, 'E');
}

static void stop_a(void *program)
{
    assert_int_equal(start(program, 'a'), 0);
}

static void stop_b(void *program)
{
    assert_int_equal(start(program, 'b'), 0);
}

static void stop_c(void *program)
{
    assert_int_equal(start(program, 'c'), 0);
}

static void stop_e(void *program)
{
    assert_int_equal(start(program, 'e'), 0);
}

static const struct stage table[STAGES] = {
    {start_a, stop_a}, {start_b, stop_b}, {NULL, stop_c}, {start_d, NULL}, {start_e, stop_e}};

static const struct {
    const char *label;
    char fails;
    const char *text;
} runs[] = {
    {"O25 no stage fails", 0, "ABDEecba"}, {"O25 the first one", 'A', "Aa"},
    {"O25 the second one", 'B', "ABba"},   {"O25 one without a stop", 'D', "ABDcba"},
    {"O25 the last one", 'E', "ABDEecba"},
};

static void test_table(void **state)
{
    for (size_t i = 0; i < sizeof runs / sizeof *runs; i++) {
        struct diary d = {.fails = runs[i].fails};
        print_message("%s\n", runs[i].label);
        assert_int_equal(stage_run(table, STAGES, &d), runs[i].fails ? FAILED : 0);
        assert_string_equal(d.text, runs[i].text);
    }
}

/* ---- letters */

enum { WORKERS = 3, HOPS = 10 };

struct chain {
    struct server server;
    struct config config;
    int hops; /* letters delivered so far */
};

struct hop {
    struct mail mail;
    struct chain *chain;
};

static void post_hop(struct chain *c, unsigned to);

/* Each letter causes one to the worker before. */
static void deliver_hop(struct mail *m, void *reader)
{
    struct hop *h = CONTAINER_OF(m, struct hop, mail);
    const struct worker *w = reader;
    struct chain *c = h->chain;
    free(h);
    if (++c->hops < HOPS)
        post_hop(c, (w->index + WORKERS - 1) % WORKERS);
}

static void post_hop(struct chain *c, unsigned to)
{
    struct hop *h = xcalloc(1, sizeof *h);
    h->mail.deliver = deliver_hop;
    h->chain = c;
    mailbox_post(c->server.workers[to]->mailbox, &h->mail);
}

static void open_chain(struct chain *c)
{
    *c = (struct chain){.config.workers = WORKERS};
    c->server.config = &c->config;
    budget_init(&c->server.budget, UINT64_MAX);
    c->server.directory = directory_new(0, NULL, NULL);
    assert_int_equal(crew_open(&c->server), 0);
}

static void close_chain(struct chain *c)
{
    crew_close(&c->server);
    directory_free(c->server.directory);
}

/* O25: letters that cause letters to workers whose mailbox was empty already are delivered. */
static void test_letters_that_cause_letters(void **state)
{
    struct chain c;
    open_chain(&c);
    post_hop(&c, WORKERS - 1);
    crew_settle(&c.server);
    assert_int_equal(c.hops, HOPS);
    for (unsigned i = 0; i < WORKERS; i++)
        assert_false(mailbox_deliver(c.server.workers[i]->mailbox));
    close_chain(&c);
}

/* O25: the same when nobody settles the workers before they are freed. */
static void test_letters_at_the_close(void **state)
{
    struct chain c;
    open_chain(&c);
    post_hop(&c, WORKERS - 1);
    close_chain(&c);
    assert_int_equal(c.hops, HOPS);
}

static void never(void *user)
{
    fail();
}

/* O25: nobody is told of a change who does not watch any more. */
static void test_nobody_watches(void **state)
{
    struct directory *d = directory_new(0, never, NULL);
    struct held_name h = {.name = "app"};
    directory_watch(d, NULL, NULL);
    assert_int_equal(directory_claim(d, SLICE("app"), 0, NULL), 0);
    directory_note(d, &h, true);
    directory_release(d, SLICE("app"));
    directory_free(d);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_table),
        cmocka_unit_test(test_letters_that_cause_letters),
        cmocka_unit_test(test_letters_at_the_close),
        cmocka_unit_test(test_nobody_watches),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
