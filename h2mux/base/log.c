/* SPDX-License-Identifier: MIT */
/* log.c - writes the lines of the event log and of the access log. Each line is written with one
 * system call, or dropped if the call could block. log_format.c makes the lines.
 *
 * Invariants: a line for a pipe, terminal or socket has at most PIPE_BUF bytes, so that a
 * descriptor which polls writable takes the whole line. O_NONBLOCK is set only on files that were
 * opened here, because the program that started this one shares the flags of descriptors 1 and
 * 2. */
#include "h2mux/base/log_int.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#include "h2mux/base/err.h"

struct log_file {
    pthread_mutex_t lock; /* guards the rest */
    char *path;           /* owned; NULL: standard error, "-": standard output */
    int fd;               /* owned, unless standard error or standard output is used */
    bool may_block;       /* anything but a regular file */
};

_Atomic enum log_level log_threshold = LOG_INFO;
static struct log_file events = {
    .lock = PTHREAD_MUTEX_INITIALIZER, .fd = STDERR_FILENO, .may_block = true};
static atomic_bool events_json;
static _Atomic uint64_t dropped;    /* since the start */
static _Atomic uint64_t unreported; /* dropped lines that no line has reported yet */

/* Of one thread: the others have none. */
static _Thread_local struct {
    void (*take)(void *user, enum log_level level, struct slice line);
    void *user;
} diverted;

static const char *const level_names[] = {"error", "warn", "info", "debug"};

static bool path_is_file(const char *path)
{
    return path && strcmp(path, "-") != 0;
}

static int path_open(const char *path)
{
    if (!path)
        return STDERR_FILENO;
    if (!path_is_file(path))
        return STDOUT_FILENO;
    /* With O_NONBLOCK, opening a FIFO without a reader fails; otherwise it would wait for a
     * reader. */
    return open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOCTTY | O_NONBLOCK, 0640);
}

/* Opens @path for @f and closes the old file. Returns 0, or ERR_IO if @path cannot be opened; @f
 * stays as it was then. The lock is held during the change, so that no line is torn or lost. */
static int log_file_switch(struct log_file *f, const char *path)
{
    int fd = path_open(path);
    if (fd < 0)
        return ERR_IO;
    struct stat st;
    bool may_block = fstat(fd, &st) < 0 || !S_ISREG(st.st_mode);
    char *path_copy = path ? xstrdup(path) : NULL;

    pthread_mutex_lock(&f->lock);
    int old_fd = path_is_file(f->path) ? f->fd : -1;
    char *old_path = f->path;
    f->path = path_copy;
    f->fd = fd;
    f->may_block = may_block;
    pthread_mutex_unlock(&f->lock);

    if (old_fd >= 0)
        close(old_fd);
    free(old_path);
    return 0;
}

static bool log_file_ready(const struct log_file *f)
{
    struct pollfd p = {.fd = f->fd, .events = POLLOUT};
    return !f->may_block || (poll(&p, 1, 0) == 1 && (p.revents & POLLOUT));
}

/* Writes a line and its newline with one system call. Returns false, and counts the line as
 * dropped, if the descriptor cannot take the whole line now. A line over PIPE_BUF bytes loses its
 * end, because the time and the event are at its front. */
static bool log_file_put(struct log_file *f, struct slice line)
{
    pthread_mutex_lock(&f->lock);
    if (f->may_block && line.len > PIPE_BUF - 1)
        line.len = PIPE_BUF - 1;
    struct iovec iov[] = {{(char *)(uintptr_t)line.ptr, line.len}, {(char[]){'\n'}, 1}};
    ssize_t n = -1;
    if (log_file_ready(f))
        do
            n = writev(f->fd, iov, 2);
        while (n < 0 && errno == EINTR);
    pthread_mutex_unlock(&f->lock);

    bool ok = n == (ssize_t)line.len + 1;
    if (!ok) {
        atomic_fetch_add(&dropped, 1);
        atomic_fetch_add(&unreported, 1);
    }
    return ok;
}

struct log_file *log_file_open(const char *path)
{
    struct log_file *f = xcalloc(1, sizeof *f);
    pthread_mutex_init(&f->lock, NULL);
    if (log_file_switch(f, path) == 0)
        return f;
    int why = errno;
    log_file_close(f);
    errno = why;
    return NULL;
}

void log_file_line(struct log_file *f, struct slice line)
{
    log_file_put(f, line);
}

void log_file_reopen(struct log_file *f)
{
    /* f->path is read without the lock, because only the owner of @f calls the functions that
     * change the path. */
    if (path_is_file(f->path) && log_file_switch(f, f->path) < 0)
        LOG(WARN, "log_file_not_reopened", LOG_STR("path", f->path),
            LOG_STR("error", strerrordesc_np(errno)));
}

void log_file_close(struct log_file *f)
{
    if (!f)
        return;
    if (path_is_file(f->path))
        close(f->fd);
    pthread_mutex_destroy(&f->lock);
    free(f->path);
    free(f);
}

uint64_t log_dropped(void)
{
    return atomic_load(&dropped);
}

int log_open(const char *path, enum log_level level, bool json)
{
    if (log_file_switch(&events, path) < 0)
        return ERR_IO;
    atomic_store(&events_json, json);
    log_threshold = level;
    return 0;
}

void log_divert(void (*take)(void *user, enum log_level level, struct slice line), void *user)
{
    diverted.take = take;
    diverted.user = user;
}

void log_close(void)
{
    int err = log_file_switch(&events, NULL);
    assert(err == 0); /* standard error needs no opening */
    (void)err;
}

bool log_level_parse(struct slice text, enum log_level *out)
{
    for (size_t i = 0; i < sizeof level_names / sizeof level_names[0]; i++)
        if (slice_eq(text, slice_str(level_names[i]))) {
            *out = (enum log_level)i;
            return true;
        }
    return false;
}

const char *log_level_name(enum log_level level)
{
    return level_names[level];
}

void log_event(enum log_level level, const char *event, const struct log_pair *pairs, size_t n)
{
    int saved_errno = errno;
    char line[LOG_LINE_MAX];
    struct log_line l = {level, event, pairs, n, atomic_exchange(&unreported, 0)};
    size_t len = atomic_load(&events_json) ? log_format_json(&l, line) : log_format_text(&l, line);
    if (diverted.take)
        diverted.take(diverted.user, level, slice_make(line, len));
    else if (!log_file_put(&events, slice_make(line, len)))
        atomic_fetch_add(&unreported, l.dropped);
    errno = saved_errno;
}

bool log_limit_pass(struct log_limit *l, uint64_t now_us, uint64_t *suppressed)
{
    if (now_us < l->next_us) {
        l->suppressed++;
        return false;
    }
    *suppressed = l->suppressed;
    *l = (struct log_limit){.next_us = now_us + 1000000};
    return true;
}

bool log_limit_pass_some(struct log_limit *l, uint64_t now_us, unsigned at_once, unsigned a_second,
                         uint64_t *suppressed)
{
    /* `next_us` is when all lines so far would have come at the rate of a second. */
    uint64_t each_us = 1000000 / a_second;
    uint64_t ahead_us = l->next_us > now_us ? l->next_us - now_us : 0;
    if (ahead_us > (at_once - 1) * each_us) {
        l->suppressed++;
        return false;
    }
    *suppressed = l->suppressed;
    *l = (struct log_limit){.next_us = now_us + ahead_us + each_us};
    return true;
}
