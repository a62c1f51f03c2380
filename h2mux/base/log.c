/* SPDX-License-Identifier: MIT */
/* log.c - the event log and the access log's file: formats one line, writes it with one system
 * call, drops it when that could block.
 *
 * Invariants: a line for a pipe, terminal or socket is at most PIPE_BUF bytes, so that a
 * descriptor which polls writable takes it whole. O_NONBLOCK is set only on what we opened: 1 and 2
 * share their description with whoever started us. What was dropped is reported by the next event
 * that gets through. */
#include "h2mux/base/log.h"

#include <assert.h>
#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

#include <cjson/cJSON.h>

#include "h2mux/base/clock.h"
#include "h2mux/base/err.h"

enum {
    FIELDS_MAX = 1900, /* JSON doubles it at worst, and has to fit PIPE_BUF */
    SUFFIX_MAX = sizeof " dropped=18446744073709551615",
    VALUE_MAX = 256,
    VALUE_SLOTS = 8
};
#define ELLIPSIS "\xe2\x80\xa6"

struct log_file {
    pthread_mutex_t lock; /* guards the rest */
    char *path;           /* owned; NULL: standard error, "-": standard output */
    int fd;               /* owned unless it is one of those two */
    bool may_block;       /* anything but a regular file */
};

enum log_level log_threshold = LOG_INFO;
static struct log_file events = {
    .lock = PTHREAD_MUTEX_INITIALIZER, .fd = STDERR_FILENO, .may_block = true};
static atomic_bool events_json;
static _Atomic uint64_t dropped;    /* since the start */
static _Atomic uint64_t unreported; /* of those, not yet told in a line */

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
    /* O_NONBLOCK: opening a FIFO without a reader fails instead of waiting for one. */
    return open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOCTTY | O_NONBLOCK, 0640);
}

/* Points @f at @path; on failure it stays where it was. The swap is under the lock, so no line is
 * torn or lost. */
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

/* One line and its newline in one system call. The cut keeps the front, which says who and when. */
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
    /* Only the owner reopens and closes: its path cannot change meanwhile. Failing keeps the old
     * file. */
    if (path_is_file(f->path) && log_file_switch(f, f->path) < 0)
        LOG(WARN, "cannot reopen log file", "path=%s error=%s", log_value(slice_str(f->path)),
            log_value(slice_str(strerrordesc_np(errno))));
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
    /* Written only when it changes: workers read it without a lock while a reload comes by. */
    if (log_threshold != level)
        log_threshold = level;
    return 0;
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

static bool value_is_plain(struct slice s)
{
    for (size_t i = 0; i < s.len; i++)
        if (s.ptr[i] <= ' ' || s.ptr[i] > '~' || s.ptr[i] == '"' || s.ptr[i] == '\\')
            return false;
    return s.len > 0;
}

static char *escape_byte(char *to, char c)
{
    static const char hex[] = "0123456789abcdef";
    unsigned char u = (unsigned char)c;
    if (c == '"' || c == '\\') {
        *to++ = '\\';
        *to++ = c;
    } else if (c >= ' ' && c <= '~') {
        *to++ = c;
    } else {
        *to++ = '\\';
        *to++ = 'x';
        *to++ = hex[u >> 4];
        *to++ = hex[u & 15];
    }
    return to;
}

const char *log_value(struct slice s)
{
    static _Thread_local char slots[VALUE_SLOTS][4 * VALUE_MAX + sizeof "\"\"" ELLIPSIS];
    static _Thread_local unsigned turn;
    char *out = slots[turn++ % VALUE_SLOTS], *to = out;
    bool cut = s.len > VALUE_MAX;
    if (cut)
        s.len = VALUE_MAX;
    bool plain = value_is_plain(s);
    if (!plain)
        *to++ = '"';
    for (size_t i = 0; i < s.len; i++)
        to = escape_byte(to, s.ptr[i]);
    if (cut)
        to = mempcpy(to, ELLIPSIS, sizeof ELLIPSIS - 1);
    if (!plain)
        *to++ = '"';
    *to = '\0';
    return out;
}

/* The length of a well-formed UTF-8 character at the front, or 0 (RFC 3629 4). */
static size_t utf8_span(const unsigned char *s, size_t len)
{
    if (s[0] < 0x80)
        return s[0] != 0;
    size_t n = s[0] >= 0xf0 ? 4 : s[0] >= 0xe0 ? 3 : 2;
    if (s[0] < 0xc2 || s[0] > 0xf4 || n > len)
        return 0;
    unsigned char low = s[0] == 0xe0 ? 0xa0 : s[0] == 0xf0 ? 0x90 : 0x80;
    unsigned char high = s[0] == 0xed ? 0x9f : s[0] == 0xf4 ? 0x8f : 0xbf;
    if (s[1] < low || s[1] > high)
        return 0;
    for (size_t i = 2; i < n; i++)
        if ((s[i] & 0xc0) != 0x80)
            return 0;
    return n;
}

/* cJSON prints bytes as they are: one that is no UTF-8 would spoil the whole line for its reader.
 */
static void utf8_clean(char *text, size_t len)
{
    for (size_t i = 0; i < len;) {
        size_t n = utf8_span((const unsigned char *)text + i, len - i);
        if (n == 0)
            text[i] = '?';
        i += n ? n : 1;
    }
}

static int hex_digit(char c)
{
    return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* Undoes escape_byte for the front of @s; how many bytes that took. */
static size_t unescape_byte(struct slice s, char *out)
{
    *out = s.ptr[0];
    if (s.ptr[0] != '\\' || s.len < 2)
        return 1;
    *out = s.ptr[1];
    if (s.ptr[1] != 'x' || s.len < 4 || hex_digit(s.ptr[2]) < 0 || hex_digit(s.ptr[3]) < 0)
        return 2;
    *out = (char)(hex_digit(s.ptr[2]) << 4 | hex_digit(s.ptr[3]));
    return 4;
}

/* The length of `key=` at the front, or 0. */
static size_t key_span(struct slice s)
{
    size_t n = 0;
    while (n < s.len && (isalnum((unsigned char)s.ptr[n]) || strchr("_-.", s.ptr[n])))
        n++;
    return n > 0 && n < s.len && s.ptr[n] == '=' ? n + 1 : 0;
}

/* Takes a quoted value off the front, the opening quote being there; cut lines lack the closing
 * one. */
static size_t take_quoted(struct slice *s, char *out)
{
    size_t len = 0;
    *s = slice_skip(*s, 1);
    while (s->len > 0 && s->ptr[0] != '"')
        *s = slice_skip(*s, unescape_byte(*s, &out[len++]));
    *s = slice_skip(*s, 1);
    return len;
}

/* A bare value with spaces in it ends before the next `key=`. */
static size_t take_bare(struct slice *s, char *out)
{
    size_t len = 0;
    while (len < s->len && !(s->ptr[len] == ' ' && key_span(slice_skip(*s, len + 1)) > 0))
        len++;
    memcpy(out, s->ptr, len);
    *s = slice_skip(*s, len);
    return len;
}

static void json_add_fields(cJSON *object, struct slice fields)
{
    for (;;) {
        fields = slice_trim(fields);
        if (fields.len == 0)
            return;
        char key[64] = "detail", value[FIELDS_MAX + SUFFIX_MAX];
        size_t span = key_span(fields);
        if (span > 0)
            snprintf(key, sizeof key, "%.*s", (int)(span - 1), fields.ptr);
        fields = slice_skip(fields, span);
        bool quoted = fields.len > 0 && fields.ptr[0] == '"';
        size_t len = quoted ? take_quoted(&fields, value) : take_bare(&fields, value);
        utf8_clean(value, len);
        value[len] = '\0';
        cJSON_AddStringToObject(object, key, value);
    }
}

static void wall_text(char out[static CLOCK_ISO_MAX])
{
    struct timespec ts;
    clock_gettime(CLOCK_REALTIME, &ts);
    clock_iso(ts.tv_sec, out);
    size_t at = strcspn(out, "Z");
    snprintf(out + at, CLOCK_ISO_MAX - at, ".%03uZ", (unsigned)(ts.tv_nsec / 1000000) % 1000);
}

/* What does not fit is left out whole: half an object is no JSON. */
static struct slice line_json(char line[static PIPE_BUF], enum log_level level, const char *message,
                              struct slice fields)
{
    char now[CLOCK_ISO_MAX];
    wall_text(now);
    cJSON *object = cJSON_CreateObject();
    cJSON_AddStringToObject(object, "time", now);
    cJSON_AddStringToObject(object, "level", level_names[level]);
    cJSON_AddStringToObject(object, "msg", message);
    json_add_fields(object, fields);
    bool ok = cJSON_PrintPreallocated(object, line, PIPE_BUF, false);
    cJSON_Delete(object);
    if (ok || fields.len == 0)
        return slice_str(ok ? line : "{}");
    return line_json(line, level, message, SLICE(""));
}

static struct slice line_text(char line[static PIPE_BUF], enum log_level level, const char *message,
                              struct slice fields)
{
    char now[CLOCK_ISO_MAX];
    wall_text(now);
    int len = snprintf(line, PIPE_BUF, "%s %-5s %s%s%.*s", now, level_names[level], message,
                       fields.len ? " " : "", SLICE_FMT(fields));
    return slice_make(line, len < PIPE_BUF ? (size_t)len : PIPE_BUF - 1);
}

/* @len is what vsnprintf wanted. A control character, above all a line feed, would forge a second
 * event. */
static size_t fields_finish(char *fields, int len, uint64_t lost)
{
    size_t end = len < 0 ? 0 : (size_t)len;
    if (end >= FIELDS_MAX) {
        end = FIELDS_MAX - 1;
        memcpy(fields + end - (sizeof ELLIPSIS - 1), ELLIPSIS, sizeof ELLIPSIS - 1);
    }
    for (size_t i = 0; i < end; i++)
        if (iscntrl((unsigned char)fields[i]))
            fields[i] = '?';
    if (lost > 0)
        end += (size_t)snprintf(fields + end, SUFFIX_MAX, "%sdropped=%llu", end ? " " : "",
                                (unsigned long long)lost);
    return end;
}

void log_event(enum log_level level, const char *message, const char *fmt, ...)
{
    int saved_errno = errno;
    char fields[FIELDS_MAX + SUFFIX_MAX], line[PIPE_BUF];
    va_list args;
    va_start(args, fmt);
    int len = vsnprintf(fields, FIELDS_MAX, fmt, args);
    va_end(args);

    uint64_t lost = atomic_exchange(&unreported, 0);
    struct slice pairs = slice_make(fields, fields_finish(fields, len, lost));
    struct slice out = atomic_load(&events_json) ? line_json(line, level, message, pairs)
                                                 : line_text(line, level, message, pairs);
    if (!log_file_put(&events, out))
        atomic_fetch_add(&unreported, lost);
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
