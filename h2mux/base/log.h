/* SPDX-License-Identifier: MIT */
/* log.h - one line an event: time, level, a constant message, then key=value. Text or JSON.
 *
 *   LOG(INFO, "link up", "name=%s worker=%u", name, index);
 *   → 2026-11-22T10:00:00.123Z info  link up name=demo worker=0
 *   → {"time":"…","level":"info","msg":"link up","name":"demo","worker":"0"}     (log format json)
 *
 * Values that a peer chose are passed with "%s" through log_value(), which quotes and escapes them.
 * No secret, credential or body ever comes here. The writer never blocks the loop: a pipe, terminal
 * or socket is polled first, and what it has no room for is dropped and counted; the count is
 * reported with the next line that gets through. */
#ifndef H2MUX_BASE_LOG_H
#define H2MUX_BASE_LOG_H

#include <stdbool.h>
#include <stdint.h>

#include "h2mux/base/slice.h"

enum log_level { LOG_ERROR, LOG_WARN, LOG_INFO, LOG_DEBUG };

/* @path: NULL is standard error, "-" standard output; else a file, appended to. */
int log_open(const char *path, enum log_level level, bool json) MUSTCHECK;
void log_close(void);
bool log_level_parse(struct slice text, enum log_level *out);
extern enum log_level log_threshold;

#define LOG(level, message, ...)                                                                   \
    do {                                                                                           \
        if (LOG_##level <= log_threshold)                                                          \
            log_event(LOG_##level, message, __VA_ARGS__);                                          \
    } while (0)
void log_event(enum log_level level, const char *message, const char *fmt, ...) PRINTF_LIKE(3, 4);

/* @s as one log value: bare when it is plain, else double-quoted with \xNN and \" escapes; cut at
 * 256 bytes with "…". The result lives in one of 8 rotating thread-local buffers. */
const char *log_value(struct slice s);

/* A second output with its own path, for the access log: same rules of writing, one preformatted
 * line a call. */
struct log_file;
struct log_file *log_file_open(const char *path) MUSTCHECK; /* NULL: errno says why */
void log_file_line(struct log_file *f, struct slice line);  /* adds the newline */
void log_file_reopen(struct log_file *f);
void log_file_close(struct log_file *f);
uint64_t log_dropped(void);

/* At most one line a second for an event that repeats; the line that comes after a pause carries
 * suppressed=N. */
struct log_limit {
    uint64_t next_us;
    uint64_t suppressed;
};
bool log_limit_pass(struct log_limit *l, uint64_t now_us, uint64_t *suppressed);

#endif
