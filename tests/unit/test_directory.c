/* SPDX-License-Identifier: MIT */
/* test_directory.c - tests the table that workers share, on one thread and on many at once:
 * protocol.md#ownership */
#include "src/names/directory.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "h2mux/base/err.h"

static struct held_name held(const char *name, int64_t until)
{
    struct held_name h = {.until = until, .asked = true};
    snprintf(h.name, sizeof h.name, "%s", name);
    return h;
}

static void count_change(void *user)
{
    ++*(int *)user;
}

static void test_claim(void **state)
{
    struct directory *d = directory_new(0, NULL, NULL);
    assert_int_equal(directory_find(d, SLICE("app")), DIRECTORY_NOBODY);
    assert_int_equal(directory_claim(d, SLICE("app"), 1, NULL), ERR_OK);
    assert_int_equal(directory_claim(d, SLICE("app"), 1, NULL), ERR_OK);
    assert_int_equal(directory_claim(d, SLICE("app"), 0, NULL), ERR_TAKEN);
    assert_int_equal(directory_find(d, SLICE("app")), 1);
    directory_release(d, SLICE("app"));
    directory_release(d, SLICE("app"));
    assert_int_equal(directory_claim(d, SLICE("app"), 0, NULL), ERR_OK);
    directory_free(d);
}

/* Returns the name that has the domain, or "". */
static const char *name_of(struct directory *d, const char *host)
{
    static char name[NAME_MAX_LEN + 1];
    bool found = directory_find_domain(d, slice_str(host), name);
    assert_int_equal(found, name[0] != '\0');
    return name;
}

/* T20 T21: a domain leads to the name that has asked for it, and a live name keeps it. */
static void test_domains(void **state)
{
    struct directory *d = directory_new(0, NULL, NULL);
    struct held_name one = held("one", 0), other = held("other", 9);
    struct slice host = SLICE("app.example.org");
    char text[256];
    struct buf b;
    assert_int_equal(directory_set_domain(d, SLICE("one"), host), ERR_NOT_FOUND);
    assert_int_equal(directory_claim(d, SLICE("one"), 0, NULL), 0);
    assert_int_equal(directory_claim(d, SLICE("other"), 0, NULL), 0);
    directory_note(d, &one, true);
    directory_note(d, &other, true);
    assert_string_equal(name_of(d, "app.example.org"), "");
    assert_int_equal(directory_set_domain(d, SLICE("one"), host), 0);
    assert_int_equal(directory_set_domain(d, SLICE("one"), host), 0);
    assert_string_equal(name_of(d, "App.Example.org"), "one");
    assert_string_equal(name_of(d, "example.org"), "");
    assert_int_equal(directory_set_domain(d, SLICE("other"), host), ERR_TAKEN);
    one.until = 9;
    directory_note(d, &one, true); /* it has left */
    assert_string_equal(name_of(d, "app.example.org"), "one");
    assert_int_equal(directory_set_domain(d, SLICE("other"), host), 0);
    assert_string_equal(name_of(d, "app.example.org"), "other");
    directory_release(d, SLICE("one"));
    buf_init(&b, sizeof text);
    assert_int_equal(directory_print(d, &b), 0);
    snprintf(text, sizeof text, "%.*s", SLICE_FMT(buf_slice(&b)));
    assert_non_null(
        strstr(text, "other 00000000000000000000000000000000 9 1 0 - app.example.org\n"));
    buf_release(&b);
    assert_int_equal(directory_set_domain(d, SLICE("other"), SLICE("")), 0);
    assert_string_equal(name_of(d, "app.example.org"), "");
    assert_int_equal(directory_set_domain(d, SLICE("other"), host), 0);
    directory_release(d, SLICE("other"));
    assert_string_equal(name_of(d, "app.example.org"), "");
    directory_free(d);
}

/* T7: names of a token. A name that changes its token counts for the new one. */
static void test_names_of_a_token(void **state)
{
    struct directory *d = directory_new(0, NULL, NULL);
    struct claimant ann = {.token = "ann", .token_max = 1}, bob = {.token = "bob", .token_max = 1};
    assert_int_equal(directory_claim(d, SLICE("one"), 0, &ann), 0);
    assert_int_equal(directory_claim(d, SLICE("one"), 0, &ann), 0);
    assert_int_equal(directory_claim(d, SLICE("two"), 0, &ann), ERR_DENIED);
    assert_int_equal(directory_claim(d, SLICE("two"), 0, &bob), 0);
    assert_int_equal(directory_claim(d, SLICE("one"), 0, &bob), ERR_DENIED);
    directory_release(d, SLICE("two"));
    assert_int_equal(directory_claim(d, SLICE("one"), 0, &bob), 0);
    assert_int_equal(directory_claim(d, SLICE("two"), 0, &ann), 0);
    directory_free(d);
}

static void test_counts(void **state)
{
    struct directory *d = directory_new(0, NULL, NULL);
    struct held_name live = held("app", 0), graced = held("app", 7);
    assert_int_equal(directory_claim(d, SLICE("app"), 0, NULL), ERR_OK);
    assert_int_equal(directory_claim(d, SLICE("other"), 0, NULL), ERR_OK);
    directory_note(d, &live, true);
    directory_note(d, &live, true);
    assert_int_equal(directory_counts(d).names, 2);
    assert_int_equal(directory_counts(d).live, 1);
    directory_note(d, &graced, true);
    assert_int_equal(directory_counts(d).live, 0);
    directory_note(d, &live, true);
    directory_release(d, SLICE("app"));
    assert_int_equal(directory_counts(d).names, 1);
    assert_int_equal(directory_counts(d).live, 0);
    directory_free(d);
}

static void test_limit(void **state)
{
    struct directory *d = directory_new(0, NULL, NULL);
    char name[16];
    for (int i = 0; i < DIRECTORY_MAX; i++) {
        snprintf(name, sizeof name, "app-%d", i);
        assert_int_equal(directory_claim(d, slice_str(name), 0, NULL), ERR_OK);
    }
    assert_int_equal(directory_claim(d, SLICE("one-more"), 0, NULL), ERR_LIMIT);
    assert_int_equal(directory_claim(d, SLICE("app-0"), 0, NULL), ERR_OK);
    directory_free(d);
}

/* ---- names of an address */

enum { EACH = 3 };

static int claim_from(struct directory *d, const char *name, uint64_t host)
{
    struct address from = {0, host};
    return directory_claim(d, slice_str(name), 0, &(struct claimant){.from = &from});
}

/* O22: each row goes on where the one before ended. The addresses are 1 and 2, and 0 stands for
 * none. */
static void test_names_of_an_address(void **state)
{
    static const struct {
        const char *what, *name;
        uint64_t from;
        bool release;
        int want;
    } rows[] = {
        {"the first", "a-1", 1, false, ERR_OK},
        {"the second", "a-2", 1, false, ERR_OK},
        {"one of them again", "a-2", 1, false, ERR_OK},
        {"the third", "a-3", 1, false, ERR_OK},
        {"one too many", "a-4", 1, false, ERR_ABUSE},
        {"is free for another address", "a-4", 2, false, ERR_OK},
        {"a name that it holds may be claimed again", "a-1", 1, false, ERR_OK},
        {"also by another address, for which it does not count", "a-1", 2, false, ERR_OK},
        {"so there is still no room", "a-5", 1, false, ERR_ABUSE},
        {"an unknown address is not limited", "a-5", 0, false, ERR_OK},
        {"however many names it claims", "a-6", 0, false, ERR_OK},
        {"a name is released", "a-2", 0, true, ERR_OK},
        {"again, which does nothing", "a-2", 0, true, ERR_OK},
        {"another takes its place", "a-7", 1, false, ERR_OK},
        {"but only one", "a-8", 1, false, ERR_ABUSE},
        {"a name that counts for nobody is not refused", "a-5", 1, false, ERR_OK},
        {"but counts from then on, so that a name can go", "a-7", 0, true, ERR_OK},
        {"without making room", "a-8", 1, false, ERR_ABUSE},
        {"until it is released, too", "a-5", 0, true, ERR_OK},
        {"and there is room", "a-8", 1, false, ERR_OK},
    };
    struct directory *d = directory_new(EACH, NULL, NULL);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        int err = ERR_OK;
        if (rows[i].release)
            directory_release(d, slice_str(rows[i].name));
        else if (rows[i].from == 0)
            err = directory_claim(d, slice_str(rows[i].name), 0, NULL);
        else
            err = claim_from(d, rows[i].name, rows[i].from);
        if (err != rows[i].want)
            fail_msg("%s: %d", rows[i].what, err);
    }
    assert_int_equal(directory_find(d, SLICE("a-2")), DIRECTORY_NOBODY);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        directory_release(d, slice_str(rows[i].name));
    assert_int_equal(directory_counts(d).names, 0);
    directory_free(d);
}

/* O22 */
static void test_no_limit_of_an_address(void **state)
{
    struct directory *d = directory_new(0, NULL, NULL);
    char name[16];
    for (int i = 0; i < 1000; i++) {
        snprintf(name, sizeof name, "app-%d", i);
        assert_int_equal(claim_from(d, name, 1), ERR_OK);
    }
    directory_release(d, SLICE("app-0"));
    directory_free(d);
}

/* O22: an address with too many names is told that a name is taken, if it is. */
static void test_taken_comes_before_too_many(void **state)
{
    struct directory *d = directory_new(1, NULL, NULL);
    assert_int_equal(claim_from(d, "app", 1), ERR_OK);
    assert_int_equal(directory_claim(d, SLICE("theirs"), 1, NULL), ERR_OK);
    assert_int_equal(claim_from(d, "theirs", 1), ERR_TAKEN);
    directory_free(d);
}

/* ---- the names file */

/* on_change is called once, however much changes, until the names are printed. */
static void test_change_is_told_once(void **state)
{
    int told = 0;
    struct directory *d = directory_new(0, count_change, &told);
    struct held_name h = held("app", 0), gone = held("left", 9);
    struct buf text;
    buf_init(&text, 4096);
    assert_int_equal(directory_claim(d, SLICE("app"), 0, NULL), ERR_OK);
    assert_int_equal(directory_claim(d, SLICE("left"), 0, NULL), ERR_OK);
    directory_note(d, &h, true);
    directory_note(d, &gone, false);
    assert_int_equal(told, 1);
    assert_int_equal(directory_print(d, &text), 0);
    assert_true(slice_starts(buf_slice(&text), SLICE("app ")));
    assert_int_equal(slice_find(buf_slice(&text), '\n') + 1, buf_len(&text));
    directory_release(d, SLICE("app"));
    assert_int_equal(told, 2);
    buf_release(&text);
    directory_free(d);
}

enum { THREADS = 4, NAMES = 500 };

struct racer {
    pthread_t thread;
    struct directory *directory;
    int worker, won;
};

static void *race(void *arg)
{
    struct racer *r = arg;
    char name[16];
    for (int i = 0; i < NAMES; i++) {
        snprintf(name, sizeof name, "app-%d", i);
        r->won += directory_claim(r->directory, slice_str(name), r->worker, NULL) == ERR_OK;
        if (directory_find(r->directory, slice_str(name)) == DIRECTORY_NOBODY)
            abort();
    }
    return NULL;
}

/* Each name goes to exactly one of the threads that claim it. */
static void test_race(void **state)
{
    struct racer racers[THREADS];
    struct directory *d = directory_new(0, NULL, NULL);
    int won = 0;
    for (int i = 0; i < THREADS; i++) {
        racers[i] = (struct racer){.directory = d, .worker = i};
        assert_int_equal(pthread_create(&racers[i].thread, NULL, race, &racers[i]), 0);
    }
    for (int i = 0; i < THREADS; i++) {
        pthread_join(racers[i].thread, NULL);
        won += racers[i].won;
    }
    assert_int_equal(won, NAMES);
    directory_free(d);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_claim),
        cmocka_unit_test(test_domains),
        cmocka_unit_test(test_names_of_a_token),
        cmocka_unit_test(test_counts),
        cmocka_unit_test(test_limit),
        cmocka_unit_test(test_names_of_an_address),
        cmocka_unit_test(test_no_limit_of_an_address),
        cmocka_unit_test(test_taken_comes_before_too_many),
        cmocka_unit_test(test_change_is_told_once),
        cmocka_unit_test(test_race),
    };
    return cmocka_run_group_tests_name("directory", tests, NULL, NULL);
}
