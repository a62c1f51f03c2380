/* SPDX-License-Identifier: MIT */
/* test_store.c - tests who may use a state directory, and what happens when its lock changes hands.
 * store.h, state_lock.h */
#include "src/names/store.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include <pthread.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "h2mux/base/clock.h"
#include "h2mux/base/err.h"
#include "h2mux/base/log.h"
#include "src/names/state_lock.h"

static char dir[64], reason[512];

static int make_dir(void **state)
{
    snprintf(dir, sizeof dir, "/tmp/test_store.XXXXXX");
    log_threshold = LOG_ERROR;
    return mkdtemp(dir) ? 0 : -1;
}

static int remove_dir(void **state)
{
    char command[128];
    snprintf(command, sizeof command, "rm -rf %s", dir);
    return system(command);
}

static struct store *must_open(void)
{
    struct store *s = store_open(dir, reason, sizeof reason);
    if (!s)
        fail_msg("%s", reason);
    return s;
}

static bool exists(const char *file)
{
    char path[96];
    struct stat st;
    snprintf(path, sizeof path, "%s/%s", dir, file);
    return stat(path, &st) == 0;
}

/* O61: the second one is refused at once, with the PID of the first, and makes nothing. */
static void test_two_serve(void **state)
{
    char pid[32];
    int fd;
    snprintf(pid, sizeof pid, "PID %ld ", (long)getpid());
    assert_int_equal(state_lock_take(dir, &fd, reason, sizeof reason), 0);
    uint64_t start_us = clock_now_us();
    assert_null(store_open(dir, reason, sizeof reason));
    assert_true(clock_now_us() - start_us < 5000000);
    assert_non_null(strstr(reason, pid));
    assert_false(exists("secret"));
    assert_false(exists("node"));
    state_lock_give(fd);
    store_free(must_open());
    assert_true(exists("secret"));
}

static void *give_later(void *store)
{
    usleep(200 * 1000);
    store_give(store);
    return NULL;
}

/* O61: who finds a process that drains waits for its lock. */
static void test_waits_for_a_drain(void **state)
{
    pthread_t thread;
    struct store *old = must_open();
    store_will_end(old);
    assert_int_equal(pthread_create(&thread, NULL, give_later, old), 0);
    struct store *successor = must_open();
    pthread_join(thread, NULL);
    store_free(old);
    assert_null(store_open(dir, reason, sizeof reason));
    store_free(successor);
}

/* O61: the lock is where the descriptor is. A process that inherits it has the lock, also when the
 * one before has ended. */
static void test_inherited(void **state)
{
    int fd, go[2], status;
    char byte = 0;
    assert_int_equal(pipe(go), 0);
    assert_int_equal(state_lock_take(dir, &fd, reason, sizeof reason), 0);
    pid_t heir = fork();
    if (heir == 0) {
        close(go[1]);
        _exit(read(go[0], &byte, 1) == 0 ? 0 : 1);
    }
    close(go[0]);
    close(fd);
    assert_null(store_open(dir, reason, sizeof reason));
    close(go[1]);
    assert_int_equal(waitpid(heir, &status, 0), heir);
    assert_int_equal(status, 0);
    store_free(must_open());
}

/* O61: a process that died has no lock, whatever its file says. */
static void test_left_behind(void **state)
{
    int status;
    pid_t child = fork();
    if (child == 0)
        _exit(store_open(dir, reason, sizeof reason) ? 0 : 1);
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
    assert_true(exists(STATE_LOCK));
    store_free(must_open());
}

/* O61: a lock on a file that was removed is none. */
static void test_removed_file(void **state)
{
    char path[96];
    int old, fd;
    snprintf(path, sizeof path, "%s/lock", dir);
    assert_int_equal(state_lock_take(dir, &old, reason, sizeof reason), 0);
    assert_int_equal(unlink(path), 0);
    assert_int_equal(state_lock_take(dir, &fd, reason, sizeof reason), 0);
    assert_int_equal(state_lock_take(dir, &old, reason, sizeof reason), ERR_TAKEN);
    state_lock_give(fd);
}

/* O64: nothing is missing where the disk takes everything. */
static void test_settled(void **state)
{
    struct store *s = must_open();
    assert_int_equal(store_settle(s, reason, sizeof reason), 0);
    s->node_unsaved = true;
    assert_int_equal(store_settle(s, reason, sizeof reason), 0);
    assert_false(s->node_unsaved);
    store_give(s);
    struct store *other = must_open();
    store_will_end(other);
    store_free(other);
    store_free(s);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, make_dir, remove_dir)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_two_serve),   TEST(test_waits_for_a_drain), TEST(test_inherited),
        TEST(test_left_behind), TEST(test_removed_file),      TEST(test_settled),
    };
    return cmocka_run_group_tests_name("store", tests, NULL, NULL);
}
