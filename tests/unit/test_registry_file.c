/* SPDX-License-Identifier: MIT */
/* test_registry_file.c - tests which names a restart finds again. names_file.h, registry.h */
#include "registry_world.h"

static void write_names(const struct fixture *x, const char *text)
{
    const char *why;
    assert_int_equal(state_write(x->dir, STATE_NAMES, slice_str(text), &why), 0);
}

/* Waits until the file is there. */
static void read_names(struct fixture *x, char *to, size_t cap)
{
    struct buf b;
    const char *why;
    int err = ERR_NOT_FOUND;
    buf_init(&b, cap - 1);
    for (int i = 0; i < WAIT_MS && err == ERR_NOT_FOUND; i++) {
        turn(x, 1);
        err = state_read(x->dir, STATE_NAMES, &b, &why);
    }
    assert_int_equal(err, 0);
    memcpy(to, buf_slice(&b).ptr, buf_len(&b));
    to[buf_len(&b)] = '\0';
    buf_release(&b);
}

static void reopen(struct fixture *x)
{
    close_names(x);
    open_registry(x);
}

/* O5 */
static void test_names_survive(void **state)
{
    struct fixture *x = *state;
    claim(x, "asked", true);
    claim(x, "random", false);
    struct link *l = attach(x, "asked", INSTANCE_A, 0, 10);
    link_close(l, 0);
    reopen(x);
    struct tunnel *t = find(x, "asked");
    assert_non_null(t);
    assert_int_equal(t->state, TUNNEL_GRACED);
    assert_true(t->asked);
    assert_memory_equal(t->owner_id, alice, OWNER_LEN);
    assert_true(clock_now_us() - t->hold.away_since_us < 10 * 1000000);
    t = find(x, "random");
    assert_non_null(t);
    assert_false(t->asked);
    assert_true(t->hold.until_us < clock_now_us() + 61 * 1000000ULL);
}

/* O5: the line of a LIVE name has no end of the hold, so its grace begins at the next start. */
static void test_names_of_live(void **state)
{
    struct fixture *x = *state;
    char text[4096];
    claim(x, "app", true);
    attach(x, "app", INSTANCE_A, 0, 10);
    close_names(x);
    read_names(x, text, sizeof text);
    open_registry(x);
    assert_string_equal(text, "app 616c6963652d69732d616e2d6f776e65 0 1 0 - -\n");
}

/* O5: the file is written at the start. Changes within the second after that are written together,
 * when it is over. */
static void test_names_written_once(void **state)
{
    struct fixture *x = *state;
    char text[8192];
    read_names(x, text, sizeof text);
    assert_string_equal(text, "");
    for (int i = 0; i < 50; i++) {
        char name[16];
        snprintf(name, sizeof name, "app-%d", i);
        claim(x, name, true);
    }
    for (int i = 0; i < WAIT_MS && text[0] == '\0'; i++)
        read_names(x, text, sizeof text);
    assert_non_null(strstr(text, "app-0 "));
    assert_non_null(strstr(text, "app-49 "));
}

/* O60: after names_file_finish the file stays as it is, and the lock is free. */
static void test_names_finished(void **state)
{
    struct fixture *x = *state;
    char text[4096], reason[200] = "";
    claim(x, "before", true);
    names_file_finish(x->server.names_file);
    for (int i = 0; i < WAIT_MS && x->server.store->lock >= 0; i++)
        turn(x, 1);
    assert_int_equal(x->server.store->lock, -1);
    claim(x, "after", true);
    struct store *successor = store_open(x->dir, reason, sizeof reason);
    assert_non_null(successor);
    free_names(x);
    read_names(x, text, sizeof text);
    assert_non_null(strstr(text, "before "));
    assert_null(strstr(text, "after "));
    store_free(successor);
}

#define OWNER_HEX "616c6963652d69732d616e2d6f776e65"

/* O6 */
static void test_names_broken(void **state)
{
    struct fixture *x = *state;
    close_names(x); /* writes the file too */
    write_names(x, "good " OWNER_HEX " 0 1\n"
                   "\n"
                   "bad-owner 616c 0 1\n"
                   "Bad_Name " OWNER_HEX " 0 1\n"
                   "no-end " OWNER_HEX "\n"
                   "extra " OWNER_HEX " 0 1 2\n"
                   "minus " OWNER_HEX " -5 1\n"
                   "\xff\xfe\n"
                   "over " OWNER_HEX " 1 1\n"
                   "good " OWNER_HEX " 0 0\n"
                   "also-good " OWNER_HEX " 0 0\n"
                   "cut-off " OWNER_HEX " 0 1");
    open_registry(x);
    assert_int_equal(directory_counts(x->server.directory).names, 2);
    assert_true(find(x, "good")->asked);
    assert_non_null(find(x, "also-good"));
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_names_survive), TEST(test_names_of_live),  TEST(test_names_written_once),
        TEST(test_names_broken),  TEST(test_names_finished),
    };
    return cmocka_run_group_tests_name("registry, names file", tests, NULL, NULL);
}
