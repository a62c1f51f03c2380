/* SPDX-License-Identifier: MIT */
/* names_file.c - reads and rewrites the names file; see names_file.h. The file is rewritten as a
 * whole. A change is written at once if the last write is at least a second ago, otherwise at the
 * end of that second. */
#include "src/names/names_file.h"

#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "h2mux/base/check.h"
#include "h2mux/base/clock.h"
#include "h2mux/base/err.h"
#include "h2mux/base/log.h"

enum {
    NAMES_FILE_MAX = 16 * 1024 * 1024,
    WRITE_EVERY_US = 1000 * 1000,
    RETRY_US = 5 * 1000 * 1000,
    REASON_MAX = 512
};

struct names_file {
    struct store *store;         /* borrowed */
    struct directory *directory; /* borrowed */
    bool running;                /* the thread was started */
    pthread_t thread;
    _Atomic bool failing; /* the last write has failed; only the thread changes it */

    pthread_mutex_t lock; /* guards the rest */
    pthread_cond_t wake;
    bool due;            /* the file is out of date */
    bool ending;         /* one write is left */
    uint64_t written_us; /* monotonic: when a write last succeeded or failed */
};

static void names_file_check(const struct names_file *f)
{
    CHECK_THAT(f->store && f->directory);
    CHECK_THAT(f->written_us <= clock_now_us());
}

/* ---- writing */

/* Writes the file. Returns 0, or a negative error code with a sentence in @reason. */
static int write_now(struct names_file *f, char reason[static REASON_MAX])
{
    struct buf text;
    const char *why = NULL;
    int err = store_settle(f->store, reason, REASON_MAX);
    if (err < 0)
        return err;
    buf_init(&text, NAMES_FILE_MAX);
    err = directory_print(f->directory, &text);
    if (err < 0)
        why = err_text(err);
    else
        err = state_write(f->store->dir, STATE_NAMES, buf_slice(&text), &why);
    buf_release(&text);
    if (err < 0)
        snprintf(reason, REASON_MAX, "%s/%s: %s", f->store->dir, STATE_NAMES, why);
    return err;
}

/* Writes the file, and logs that this has begun to fail or works again. */
static void save(struct names_file *f)
{
    char reason[REASON_MAX] = "";
    bool failing = write_now(f, reason) < 0;
    if (failing && !f->failing)
        LOG(ERROR, "state_not_written", LOG_STR("dir", f->store->dir), LOG_STR("reason", reason));
    else if (!failing && f->failing)
        LOG(INFO, "state_written", LOG_STR("dir", f->store->dir));
    f->failing = failing;
}

/* Returns the time of the next write, or UINT64_MAX when none is due. */
static uint64_t next_write_us(const struct names_file *f)
{
    if (f->ending)
        return 0;
    if (f->failing)
        return f->written_us + RETRY_US;
    return f->due ? f->written_us + WRITE_EVERY_US : UINT64_MAX;
}

static void wait_until(struct names_file *f, uint64_t at_us)
{
    struct timespec at = {.tv_sec = (time_t)(at_us / 1000000),
                          .tv_nsec = (long)(at_us % 1000000) * 1000};
    if (at_us == UINT64_MAX)
        pthread_cond_wait(&f->wake, &f->lock);
    else
        pthread_cond_timedwait(&f->wake, &f->lock, &at);
}

static void *run(void *user)
{
    struct names_file *f = user;
    pthread_mutex_lock(&f->lock);
    for (bool last = false; !last;) {
        uint64_t at_us = next_write_us(f);
        if (at_us > clock_now_us()) {
            wait_until(f, at_us);
            continue;
        }
        last = f->ending;
        f->due = false;
        pthread_mutex_unlock(&f->lock);
        save(f);
        pthread_mutex_lock(&f->lock);
        f->written_us = clock_now_us();
        if (CHECKING)
            names_file_check(f);
    }
    pthread_mutex_unlock(&f->lock);
    store_give(f->store);
    return NULL;
}

/* ---- for others */

void names_file_write_soon(struct names_file *f)
{
    pthread_mutex_lock(&f->lock);
    f->due = true;
    pthread_cond_signal(&f->wake);
    pthread_mutex_unlock(&f->lock);
}

void names_file_finish(struct names_file *f)
{
    pthread_mutex_lock(&f->lock);
    f->ending = true;
    pthread_cond_signal(&f->wake);
    pthread_mutex_unlock(&f->lock);
}

bool names_file_is_ok(const struct names_file *f)
{
    return !f || !f->failing;
}

struct names_file *names_file_new(struct store *store, struct directory *directory)
{
    struct names_file *f = xcalloc(1, sizeof *f);
    pthread_condattr_t a;
    pthread_condattr_init(&a);
    pthread_condattr_setclock(&a, CLOCK_MONOTONIC);
    if (pthread_mutex_init(&f->lock, NULL) != 0 || pthread_cond_init(&f->wake, &a) != 0)
        abort();
    pthread_condattr_destroy(&a);
    f->store = store;
    f->directory = directory;
    return f;
}

int names_file_start(struct names_file *f)
{
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_BLOCK, &all, &before); /* signals are for worker 0 */
    f->due = true;
    f->running = pthread_create(&f->thread, NULL, run, f) == 0;
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return f->running ? 0 : ERR_IO;
}

void names_file_free(struct names_file *f)
{
    if (!f)
        return;
    if (f->running) {
        names_file_finish(f);
        pthread_join(f->thread, NULL);
    }
    pthread_cond_destroy(&f->wake);
    pthread_mutex_destroy(&f->lock);
    free(f);
}

/* ---- reading */

static void parse(struct names_file *f, struct slice text,
                  void (*adopt)(const struct held_name *h, void *user), void *user)
{
    size_t broken = 0, first = 0, kept = 0;
    for (size_t number = 1; text.len > 0; number++) {
        struct held_name h;
        ptrdiff_t end = slice_find(text, '\n');
        size_t len = end < 0 ? text.len : (size_t)end;
        /* A line without a line feed is ignored even if it is well-formed, since its end may be
         * missing. */
        if (end >= 0 && held_name_parse(slice_make(text.ptr, len), &h) == 0) {
            adopt(&h, user);
            kept++;
        } else if (broken++ == 0) {
            first = number;
        }
        text = slice_skip(text, len + 1);
    }
    if (broken > 0)
        LOG(ERROR, "names_file_broken", LOG_STR("dir", f->store->dir), LOG_STR("file", STATE_NAMES),
            LOG_U("first_line", first), LOG_U("lines_ignored", broken), LOG_U("lines_read", kept));
}

int names_file_load(struct names_file *f, void (*adopt)(const struct held_name *h, void *user),
                    void *user, const char **why)
{
    struct buf text;
    buf_init(&text, NAMES_FILE_MAX);
    int err = state_read(f->store->dir, STATE_NAMES, &text, why);
    if (err == 0)
        parse(f, buf_slice(&text), adopt, user);
    buf_release(&text);
    return err == ERR_NOT_FOUND ? 0 : err;
}
