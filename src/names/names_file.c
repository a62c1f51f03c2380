/* SPDX-License-Identifier: MIT */
/* names_file.c - reads and rewrites the names file; see names_file.h. The file is rewritten as a
 * whole. A change is written at once if the last write is at least a second ago, otherwise at the
 * end of that second. */
#include "src/names/names_file.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>

#include "h2mux/base/check.h"
#include "h2mux/base/clock.h"
#include "h2mux/base/err.h"
#include "h2mux/base/log.h"
#include "src/names/state.h"

enum { NAMES_FILE_MAX = 16 * 1024 * 1024, WRITE_EVERY_MS = 1000, WRITE_RETRY_MS = 5000 };

struct names_file {
    const char *state_dir;       /* borrowed */
    struct directory *directory; /* borrowed */
    struct timer write;
    uint64_t written_us; /* monotonic: when a write last succeeded or failed */
    pthread_t thread;    /* the one that may use it */
};

static void names_file_check(const struct names_file *f)
{
    CHECK_THAT(pthread_equal(f->thread, pthread_self()));
    CHECK_THAT(f->state_dir && f->directory);
    CHECK_THAT(f->written_us <= clock_now_us());
}

int names_file_write(struct names_file *f)
{
    struct buf text;
    if (CHECKING)
        names_file_check(f);
    buf_init(&text, NAMES_FILE_MAX);
    int err = directory_print(f->directory, &text);
    errno = EFBIG;
    err = err < 0 ? ERR_IO : state_write(f->state_dir, STATE_NAMES, buf_slice(&text));
    buf_release(&text);
    f->written_us = clock_now_us();
    return err;
}

/* Writes the file. Returns false, and logs an error, when the write fails. */
static bool save(struct names_file *f)
{
    if (names_file_write(f) == 0)
        return true;
    LOG(ERROR, "names_file_not_written", LOG_STR("dir", f->state_dir), LOG_STR("file", STATE_NAMES),
        LOG_STR("error", strerrordesc_np(errno)));
    return false;
}

static void on_write_due(void *user)
{
    struct names_file *f = user;
    if (!save(f))
        timer_arm(&f->write, WRITE_RETRY_MS);
}

void names_file_write_soon(struct names_file *f)
{
    if (CHECKING)
        names_file_check(f);
    if (timer_armed(&f->write))
        return;
    uint64_t since_ms = (clock_now_us() - f->written_us) / 1000;
    timer_arm(&f->write, since_ms < WRITE_EVERY_MS ? WRITE_EVERY_MS - since_ms : 0);
    CHECK_THAT(timer_armed(&f->write));
}

struct names_file *names_file_new(struct loop *l, const char *state_dir,
                                  struct directory *directory)
{
    struct names_file *f = xcalloc(1, sizeof *f);
    f->state_dir = state_dir;
    f->directory = directory;
    f->thread = pthread_self();
    timer_init(&f->write, l, on_write_due, f);
    return f;
}

void names_file_drop(struct names_file *f)
{
    timer_stop(&f->write);
    free(f);
}

void names_file_free(struct names_file *f)
{
    if (!f)
        return;
    timer_stop(&f->write);
    save(f);
    names_file_drop(f);
}

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
        LOG(ERROR, "names_file_broken", LOG_STR("dir", f->state_dir), LOG_STR("file", STATE_NAMES),
            LOG_U("first_line", first), LOG_U("lines_ignored", broken), LOG_U("lines_read", kept));
}

int names_file_load(struct names_file *f, void (*adopt)(const struct held_name *h, void *user),
                    void *user)
{
    struct buf text;
    if (CHECKING)
        names_file_check(f);
    buf_init(&text, NAMES_FILE_MAX);
    int err = state_read(f->state_dir, STATE_NAMES, &text);
    if (err == 0)
        parse(f, buf_slice(&text), adopt, user);
    buf_release(&text);
    if (err == ERR_LIMIT)
        errno = EFBIG;
    return err == ERR_NOT_FOUND ? 0 : err;
}
