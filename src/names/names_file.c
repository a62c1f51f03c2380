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
#include "src/names/label.h"
#include "src/names/state_lock.h"

enum {
    NAMES_FILE_MAX = 256 * 1024 * 1024, /* a policy of 4 KiB for each name */
    WRITE_EVERY_US = 1000 * 1000,
    RETRY_US = 5 * 1000 * 1000,
    LOOK_US = 1000 * 1000, /* for orders */
    ORDERS_MAX = 1024 * 1024,
    REASON_MAX = 512
};

struct names_file {
    struct store *store;         /* borrowed */
    struct directory *directory; /* borrowed */
    void (*on_release)(void *user, struct slice name);
    void *user;           /* borrowed: outlives this */
    uint64_t reserved_us; /* monotonic: when `reserved` was written last; the thread's */
    bool running;         /* the thread was started */
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

/* Writes the file @file, whose content was printed with the result @printed. Returns 0, or a
 * negative error code with a sentence in @reason. */
static int write_file(struct names_file *f, const char *file, int printed, struct slice text,
                      char reason[static REASON_MAX])
{
    const char *why = err_text(printed);
    int err = printed < 0 ? printed : state_write(f->store->dir, file, text, &why);
    if (err < 0)
        snprintf(reason, REASON_MAX, "%s/%s: %s", f->store->dir, file, why);
    return err;
}

static int write_names(struct names_file *f, char reason[static REASON_MAX])
{
    struct buf text;
    buf_init(&text, NAMES_FILE_MAX);
    int printed = directory_print(f->directory, &text);
    int err = write_file(f, STATE_NAMES, printed, buf_slice(&text), reason);
    buf_release(&text);
    return err;
}

static int write_reserved(struct names_file *f, char reason[static REASON_MAX])
{
    struct buf text;
    buf_init(&text, NAMES_FILE_MAX);
    int printed = reserve_print(directory_reserve(f->directory), &text);
    int err = write_file(f, STATE_RESERVED, printed, buf_slice(&text), reason);
    buf_release(&text);
    f->reserved_us = clock_now_us();
    return err;
}

/* Returns when `reserved` is to be written, or UINT64_MAX. */
static uint64_t reserved_due_us(const struct names_file *f)
{
    return reserve_due_us(directory_reserve(f->directory), f->reserved_us);
}

/* Writes what is due, or @all. Returns 0, or a negative error code with a sentence in @reason. */
static int write_now(struct names_file *f, bool all, char reason[static REASON_MAX])
{
    int err = store_settle(f->store, reason, REASON_MAX);
    if (err == 0)
        err = write_names(f, reason);
    if (err == 0 && (all || f->failing || reserved_due_us(f) <= clock_now_us()))
        err = write_reserved(f, reason);
    return err;
}

/* Writes the files, and logs that this has begun to fail or works again. */
static void save(struct names_file *f, bool all)
{
    char reason[REASON_MAX] = "";
    bool failing = write_now(f, all, reason) < 0;
    if (failing && !f->failing)
        LOG(ERROR, "state_not_written", LOG_STR("dir", f->store->dir), LOG_STR("reason", reason));
    else if (!failing && f->failing)
        LOG(INFO, "state_written", LOG_STR("dir", f->store->dir));
    f->failing = failing;
}

/* ---- orders */

static void release(struct names_file *f, struct slice name)
{
    char text[NAME_MAX_LEN + 1];
    if (!label_valid(name))
        return;
    bool found = reserve_release(directory_reserve(f->directory), name);
    snprintf(text, sizeof text, "%.*s", SLICE_FMT(name));
    LOG(INFO, "name_released", LOG_STR("name", text), LOG_B("reserved", found));
    if (f->on_release)
        f->on_release(f->user, name);
}

/* Does what the file `release` says, and removes it: who has written it waits for that. Returns
 * whether there was one. */
static bool obey(struct names_file *f)
{
    struct buf text;
    const char *why;
    buf_init(&text, ORDERS_MAX);
    bool any = state_read(f->store->dir, STATE_RELEASE, &text, &why) == 0;
    for (struct slice rest = buf_slice(&text); any && rest.len > 0;) {
        ptrdiff_t end = slice_find(rest, '\n');
        size_t len = end < 0 ? rest.len : (size_t)end;
        release(f, slice_trim(slice_make(rest.ptr, len)));
        rest = slice_skip(rest, len + (end >= 0));
    }
    buf_release(&text);
    return any;
}

/* ---- the thread */

/* Returns the time of the next write, or UINT64_MAX when none is due. */
static uint64_t next_write_us(const struct names_file *f)
{
    if (f->ending)
        return 0;
    if (f->failing)
        return f->written_us + RETRY_US;
    return f->due ? f->written_us + WRITE_EVERY_US : reserved_due_us(f);
}

static void wait_until(struct names_file *f, uint64_t at_us)
{
    struct timespec at = {.tv_sec = (time_t)(at_us / 1000000),
                          .tv_nsec = (long)(at_us % 1000000) * 1000};
    pthread_cond_timedwait(&f->wake, &f->lock, &at);
}

/* Writes, after it has done what the operator has ordered. */
static void work(struct names_file *f, bool last, bool due)
{
    bool ordered = f->store->lock != STATE_LOCK_NONE && obey(f);
    if (ordered || last || due)
        save(f, ordered || last);
    if (ordered && !f->failing)
        state_remove(f->store->dir, STATE_RELEASE);
}

static void *run(void *user)
{
    struct names_file *f = user;
    uint64_t looked_us = 0;
    pthread_mutex_lock(&f->lock);
    for (bool last = false; !last;) {
        uint64_t now_us = clock_now_us(), at_us = next_write_us(f);
        bool due = at_us <= now_us;
        if (!due && looked_us + LOOK_US > now_us) {
            wait_until(f, at_us < looked_us + LOOK_US ? at_us : looked_us + LOOK_US);
            continue;
        }
        last = f->ending;
        f->due = f->due && !due;
        pthread_mutex_unlock(&f->lock);
        work(f, last, due);
        pthread_mutex_lock(&f->lock);
        looked_us = clock_now_us();
        if (due)
            f->written_us = looked_us;
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

struct names_file *names_file_new(struct store *store, struct directory *directory,
                                  void (*on_release)(void *user, struct slice name), void *user)
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
    f->on_release = on_release;
    f->user = user;
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

/* Takes one line, without its line feed. Returns 0, or ERR_SYNTAX. */
struct reader {
    const char *file;
    int (*take)(struct reader *r, struct slice line);
    struct directory *directory;
    void (*adopt)(const struct held_name *h, void *user);
    void *user;
};

static int take_held(struct reader *r, struct slice line)
{
    struct held_name h;
    int err = held_name_parse(line, &h);
    if (err == 0)
        r->adopt(&h, r->user);
    return err;
}

static int take_reserved(struct reader *r, struct slice line)
{
    struct reservation v;
    int err = reservation_parse(line, &v);
    if (err == 0)
        reserve_restore(directory_reserve(r->directory), &v);
    return err;
}

static void parse(struct names_file *f, struct reader *r, struct slice text)
{
    size_t broken = 0, first = 0, kept = 0;
    for (size_t number = 1; text.len > 0; number++) {
        ptrdiff_t end = slice_find(text, '\n');
        size_t len = end < 0 ? text.len : (size_t)end;
        /* A line without a line feed is ignored even if it is well-formed, since its end may be
         * missing. */
        if (end >= 0 && r->take(r, slice_make(text.ptr, len)) == 0)
            kept++;
        else if (broken++ == 0)
            first = number;
        text = slice_skip(text, len + (end >= 0));
    }
    if (broken > 0)
        LOG(ERROR, "names_file_broken", LOG_STR("dir", f->store->dir), LOG_STR("file", r->file),
            LOG_U("first_line", first), LOG_U("lines_ignored", broken), LOG_U("lines_read", kept));
}

static int load(struct names_file *f, struct reader *r, const char **why)
{
    struct buf text;
    buf_init(&text, NAMES_FILE_MAX);
    int err = state_read(f->store->dir, r->file, &text, why);
    if (err == 0)
        parse(f, r, buf_slice(&text));
    buf_release(&text);
    return err == ERR_NOT_FOUND ? 0 : err;
}

int names_file_load(struct names_file *f, void (*adopt)(const struct held_name *h, void *user),
                    void *user, const char **why)
{
    struct reader reserved = {STATE_RESERVED, take_reserved, f->directory, NULL, NULL};
    struct reader held = {STATE_NAMES, take_held, f->directory, adopt, user};
    int err = load(f, &reserved, why);
    return err < 0 ? err : load(f, &held, why);
}
