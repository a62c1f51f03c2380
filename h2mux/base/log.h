/* SPDX-License-Identifier: MIT */
/* log.h - writes events, one line each: time, level, the event's id, then pairs of name and value.
 *
 *   LOG(INFO, "link_up", LOG_STR("name", name), LOG_U("slot", slot), LOG_B("secure", secure));
 *
 * writes as text, and with the log format json:
 *
 *   2026-11-22T10:00:00.123Z info  link_up name=demo slot=0 secure=true
 *   {"time":"...","level":"info","event":"link_up","name":"demo","slot":0,"secure":true}
 *
 * Event ids and names are constants of small letters, digits and `_`; one thing that happened is
 * one line. The log quotes and escapes text where a line needs it, so any bytes may be passed;
 * secrets, credentials and bodies never are. A text value is cut after 256 bytes. Pairs that find
 * no room in the line are left out whole, and counted as `omitted`.
 *
 * The writer never blocks the loop: a pipe, terminal or socket is polled first, and a line for
 * which there is no room is dropped and counted. The next line that gets through tells the count as
 * `dropped`. */
#ifndef H2MUX_BASE_LOG_H
#define H2MUX_BASE_LOG_H

#include <stdbool.h>
#include <stdint.h>

#include "h2mux/base/slice.h"

enum log_level { LOG_ERROR, LOG_WARN, LOG_INFO, LOG_DEBUG };

/* Opens the event log. @path NULL is standard error, "-" standard output, all else a file that is
 * appended to. Fails with ERR_IO, and the log stays as it was. */
int log_open(const char *path, enum log_level level, bool json) MUSTCHECK;
void log_close(void);
/* Reads error, warn, info or debug. Returns false for any other text. */
bool log_level_parse(struct slice text, enum log_level *out);

/* The most detailed level that is logged. LOG reads it, log_open sets it. */
extern enum log_level log_threshold;

enum log_type { LOG_TEXT, LOG_UNSIGNED, LOG_SIGNED, LOG_BOOL };

struct log_pair {
    const char *name; /* static */
    enum log_type type;
    union {
        struct slice text; /* borrowed for the call */
        uint64_t u;
        int64_t i;
        bool b;
    };
};

/* Pairs for LOG: a slice, a C string (NULL is written as an empty text), numbers, a boolean. */
#define LOG_S(key, value) ((struct log_pair){.name = (key), .type = LOG_TEXT, .text = (value)})
#define LOG_STR(key, value) LOG_S(key, slice_str(value))
#define LOG_U(key, value) ((struct log_pair){.name = (key), .type = LOG_UNSIGNED, .u = (value)})
#define LOG_I(key, value) ((struct log_pair){.name = (key), .type = LOG_SIGNED, .i = (value)})
#define LOG_B(key, value) ((struct log_pair){.name = (key), .type = LOG_BOOL, .b = (value)})

/* Logs @event with its pairs, in their order. Evaluates nothing if the level is not logged. */
#define LOG(level, event, ...)                                                                     \
    do {                                                                                           \
        if (LOG_##level <= log_threshold)                                                          \
            log_event(LOG_##level, event, (const struct log_pair[]){__VA_ARGS__},                  \
                      sizeof((const struct log_pair[]){__VA_ARGS__}) / sizeof(struct log_pair));   \
    } while (0)
void log_event(enum log_level level, const char *event, const struct log_pair *pairs, size_t n);

/* Writes @s into @out as a text line shows a value: bare if it is plain, else in double quotes with
 * \" and \xNN escapes, cut after 256 bytes with "…". Ends with a zero byte; returns the length. */
enum { LOG_VALUE_MAX = 256, LOG_QUOTED_MAX = 4 * LOG_VALUE_MAX + sizeof "\"\"\xe2\x80\xa6" };
size_t log_quote(struct slice s, char out[static LOG_QUOTED_MAX]);

/* A second output with its own path, for the access log: the same rules of writing, one finished
 * line each call. log_file_open returns NULL if the file cannot be opened; errno says why. */
struct log_file;
struct log_file *log_file_open(const char *path) MUSTCHECK;
void log_file_line(struct log_file *f, struct slice line); /* appends the newline */
void log_file_reopen(struct log_file *f);
void log_file_close(struct log_file *f);
/* Returns how many lines were dropped since the start, of both outputs. */
uint64_t log_dropped(void);

/* Limits an event that repeats to one line a second. log_limit_pass returns whether this one is
 * logged, and then sets @suppressed to the number of those that were not since the last line; the
 * caller logs it as a pair of that name. */
struct log_limit {
    uint64_t next_us;
    uint64_t suppressed;
};
bool log_limit_pass(struct log_limit *l, uint64_t now_us, uint64_t *suppressed);

#endif
