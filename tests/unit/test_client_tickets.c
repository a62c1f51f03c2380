/* SPDX-License-Identifier: MIT */
/* test_client_tickets.c - the ticket file: by server and name, for us alone, never half written,
 * never overwritten when it is not ours. */
#include "client/server/tickets.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "h2mux/base/err.h"

static const char server[] = "https://example.com", other[] = "https://other.test:8443";
static char directory[64], path[128];

static int make_directory(void **state)
{
    snprintf(directory, sizeof directory, "/tmp/test_client_tickets.XXXXXX");
    if (!mkdtemp(directory))
        return -1;
    snprintf(path, sizeof path, "%s/state/oneport/tickets.json", directory);
    return 0;
}

static int remove_directory(void **state)
{
    char command[128];
    snprintf(command, sizeof command, "rm -rf '%s'", directory);
    return system(command);
}

static void expect(const char *at, const char *name, const char *want)
{
    char *got = tickets_get(path, at, name);
    if (want)
        assert_string_equal(got, want);
    else
        assert_null(got);
    free(got);
}

static void write_file(const char *text)
{
    FILE *f = fopen(path, "w");
    assert_non_null(f);
    fputs(text, f);
    fclose(f);
}

static void test_put_get_forget(void **state)
{
    expect(server, "a", NULL);
    assert_int_equal(tickets_put(path, server, "a", "one"), 0);
    assert_int_equal(tickets_put(path, server, "b", "two"), 0);
    assert_int_equal(tickets_put(path, other, "a", "three"), 0);
    expect(server, "a", "one");
    expect(server, "b", "two");
    expect(other, "a", "three");
    expect(other, "b", NULL);
    assert_int_equal(tickets_put(path, server, "a", "four"), 0);
    expect(server, "a", "four");
    assert_int_equal(tickets_put(path, server, "a", NULL), 0);
    expect(server, "a", NULL);
    expect(server, "b", "two");
    assert_int_equal(tickets_put(path, other, "never", NULL), 0);
    expect(other, "a", "three");
}

static void test_is_for_us_alone(void **state)
{
    struct stat st;
    umask(0);
    assert_int_equal(tickets_put(path, server, "a", "secret"), 0);
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0600);
    char parent[160];
    snprintf(parent, sizeof parent, "%s/state/oneport", directory);
    assert_int_equal(stat(parent, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0700);
    assert_int_equal(chmod(path, 0644), 0);
    expect(server, "a", "secret");
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0600);
}

static void test_foreign_files_stay(void **state)
{
    static const char *const texts[] = {"x", "not json", "[1,2]", "\"x\"", "{\"a\":"};
    assert_int_equal(tickets_put(path, server, "a", "one"), 0);
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        char back[64] = "";
        write_file(texts[i]);
        expect(server, "a", NULL);
        assert_int_equal(tickets_put(path, server, "a", "one"), ERR_SYNTAX);
        FILE *f = fopen(path, "r");
        size_t n = fread(back, 1, sizeof back - 1, f);
        fclose(f);
        assert_int_equal(n, strlen(texts[i]));
        assert_string_equal(back, texts[i]);
    }
}

/* O66: an empty file, as a full disk or a crash leaves it, is replaced. */
static void test_empty_files_are_replaced(void **state)
{
    static const char zeros[64], blank[] = " \n\t\r\n";
    static const struct slice texts[] = {{zeros, 0}, {zeros, sizeof zeros}, {blank, 5}};
    assert_int_equal(tickets_put(path, server, "b", "makes the directory"), 0);
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        FILE *f = fopen(path, "w");
        assert_int_equal(fwrite(texts[i].ptr, 1, texts[i].len, f), texts[i].len);
        fclose(f);
        expect(server, "a", NULL);
        assert_int_equal(tickets_put(path, server, "a", "one"), 0);
        expect(server, "a", "one");
    }
}

/* O62: what somebody else may have written is not used, and stays as it is. */
static void test_others_files_stay(void **state)
{
    char there[160];
    assert_int_equal(tickets_put(path, server, "a", "one"), 0);
    assert_int_equal(chmod(path, 0666), 0);
    expect(server, "a", NULL);
    assert_int_equal(tickets_put(path, server, "a", "two"), ERR_DENIED);
    assert_int_equal(chmod(path, 0600), 0);
    expect(server, "a", "one");
    snprintf(there, sizeof there, "%s.there", path);
    assert_int_equal(rename(path, there), 0);
    assert_int_equal(symlink(there, path), 0);
    expect(server, "a", NULL);
    assert_int_equal(tickets_put(path, server, "a", "two"), ERR_DENIED);
}

/* O74: one process holds an origin's ticket at a time. */
static void test_hold(void **state)
{
    static const char origin[] = "http://localhost:3000";
    int first = tickets_hold(path, server, origin), status;
    assert_true(first >= 0);
    assert_int_equal(tickets_hold(path, server, origin), ERR_TAKEN);
    int elsewhere = tickets_hold(path, other, origin),
        second = tickets_hold(path, server, "http://localhost:3001");
    assert_true(elsewhere >= 0 && second >= 0);
    close(first);
    first = tickets_hold(path, server, origin);
    assert_true(first >= 0);
    close(first);
    pid_t child = fork();
    if (child == 0) /* a process that dies holds nothing */
        _exit(tickets_hold(path, server, origin) >= 0 ? 0 : 1);
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
    first = tickets_hold(path, server, origin);
    assert_true(first >= 0);
    close(first);
    close(second);
    close(elsewhere);
    assert_int_equal(tickets_hold("/proc/nowhere/tickets.json", server, origin), ERR_IO);
}

static void test_strange_members_are_survived(void **state)
{
    assert_int_equal(tickets_put(path, server, "b", "makes the directory"), 0);
    write_file("{\"https://example.com\": 7, \"https://other.test:8443\": {\"a\": [1]}}");
    expect(server, "a", NULL);
    expect(other, "a", NULL);
    assert_int_equal(tickets_put(path, server, "a", "one"), 0);
    assert_int_equal(tickets_put(path, other, "a", "two"), 0);
    expect(server, "a", "one");
    expect(other, "a", "two");
}

static void test_unwritable_place(void **state)
{
    assert_int_equal(tickets_put("/proc/nowhere/tickets.json", server, "a", "one"), ERR_IO);
    assert_null(tickets_get("/proc/nowhere/tickets.json", server, "a"));
}

/* Several oneports share the file: no change is lost. */
static void test_writers_do_not_lose_each_other(void **state)
{
    enum { WRITERS = 8, CHANGES = 10 };

    assert_int_equal(tickets_put(path, server, "first", "x"), 0);
    for (int w = 0; w < WRITERS; w++) {
        if (fork() != 0)
            continue;
        for (int i = 0; i < CHANGES; i++) {
            char name[32];
            snprintf(name, sizeof name, "n-%d-%d", w, i);
            if (tickets_put(path, server, name, name) < 0)
                _exit(1);
        }
        _exit(0);
    }
    for (int w = 0; w < WRITERS; w++) {
        int status;
        assert_true(wait(&status) > 0);
        assert_int_equal(status, 0);
    }
    for (int w = 0; w < WRITERS; w++)
        for (int i = 0; i < CHANGES; i++) {
            char name[32];
            snprintf(name, sizeof name, "n-%d-%d", w, i);
            expect(server, name, name);
        }
}

static void test_default_path(void **state)
{
    char *got;
    setenv("XDG_STATE_HOME", "/s", 1);
    setenv("HOME", "/h", 1);
    got = tickets_default_path();
    assert_string_equal(got, "/s/oneport/tickets.json");
    free(got);
    setenv("XDG_STATE_HOME", "relative", 1); /* the XDG specification has it ignored */
    got = tickets_default_path();
    assert_string_equal(got, "/h/.local/state/oneport/tickets.json");
    free(got);
    unsetenv("HOME");
    assert_null(tickets_default_path());
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, make_directory, remove_directory)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_put_get_forget),     TEST(test_is_for_us_alone),
        TEST(test_foreign_files_stay), TEST(test_strange_members_are_survived),
        TEST(test_unwritable_place),   TEST(test_writers_do_not_lose_each_other),
        TEST(test_default_path),       TEST(test_empty_files_are_replaced),
        TEST(test_others_files_stay),  TEST(test_hold),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
