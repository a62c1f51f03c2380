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
 * Event ids and names are constants of small letters, digits and `_`. A caller logs one line for
 * one event, and passes no secrets, credentials or bodies. The log quotes and escapes text, so a
 * text value may have any bytes; it is cut after 256 bytes. A pair for which the line has no room
 * is left out, and counted in the pair `omitted`.
 *
 * The log never blocks the loop: a pipe, terminal or socket is polled first, and a line for which
 * it has no room is dropped. The next line that is written reports the number of dropped lines in
 * the pair `dropped`. */
#ifndef H2MUX_BASE_LOG_H
#define H2MUX_BASE_LOG_H

#include <stdbool.h>
#include <stdint.h>

#include "h2mux/base/slice.h"

enum log_level { LOG_ERROR, LOG_WARN, LOG_INFO, LOG_DEBUG };

/* Opens the event log: on standard error if @path is NULL, on standard output if @path is "-",
 * otherwise on the file @path, to which lines are appended. Returns 0, or ERR_IO if the file cannot
 * be opened; the log stays as it was then. */
int log_open(const char *path, enum log_level level, bool json) MUSTCHECK;
void log_close(void);
/* Hands the lines that the calling thread logs to @take instead, without their newline. NULL: they
 * are written again. @take logs nothing, and @line is borrowed for the call. */
void log_divert(void (*take)(void *user, enum log_level level, struct slice line), void *user);
/* Stores the level that @text names (error, warn, info or debug) in @out. Returns false for any
 * other text. */
bool log_level_parse(struct slice text, enum log_level *out);

/* Holds the most detailed level that is logged. LOG reads the variable, log_open sets the
 * variable. */
extern _Atomic enum log_level log_threshold;

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

/* These macros make a pair for LOG of a slice, a C string (NULL counts as empty), an unsigned
 * number, a signed number and a boolean. */
#define LOG_S(key, value) ((struct log_pair){.name = (key), .type = LOG_TEXT, .text = (value)})
#define LOG_STR(key, value) LOG_S(key, slice_str(value))
#define LOG_U(key, value) ((struct log_pair){.name = (key), .type = LOG_UNSIGNED, .u = (value)})
#define LOG_I(key, value) ((struct log_pair){.name = (key), .type = LOG_SIGNED, .i = (value)})
#define LOG_B(key, value) ((struct log_pair){.name = (key), .type = LOG_BOOL, .b = (value)})

/* Logs @event with its pairs, in the given order. Evaluates no argument if @level is not logged. */
#define LOG(level, event, ...)                                                                     \
    do {                                                                                           \
        if (LOG_##level <= log_threshold)                                                          \
            log_event(LOG_##level, event, (const struct log_pair[]){__VA_ARGS__},                  \
                      sizeof((const struct log_pair[]){__VA_ARGS__}) / sizeof(struct log_pair));   \
    } while (0)
void log_event(enum log_level level, const char *event, const struct log_pair *pairs, size_t n);

/* Writes the value @s to @out as a text line shows values: without quotes if all characters are
 * plain, otherwise in double quotes with the escapes \", \\ and \xNN. A value of more than 256
 * bytes is cut and ends with "…". A zero byte follows; the result is the length without that
 * byte. */
enum { LOG_VALUE_MAX = 256, LOG_QUOTED_MAX = 4 * LOG_VALUE_MAX + sizeof "\"\"\xe2\x80\xa6" };
size_t log_quote(struct slice s, char out[static LOG_QUOTED_MAX]);

/* A log_file is an output with its own path, for the access log. log_file_open opens @path (as
 * log_open does) and returns NULL if the file cannot be opened; errno has the reason. log_file_line
 * writes one finished line, or drops and counts the line as the event log does. log_file_reopen
 * opens the path again, after the file was renamed; if that fails, a warning is logged and the old
 * file stays open. */
struct log_file;
struct log_file *log_file_open(const char *path) MUSTCHECK;
void log_file_line(struct log_file *f, struct slice line); /* adds the newline */
void log_file_reopen(struct log_file *f);
void log_file_close(struct log_file *f);
/* Returns how many lines both outputs have dropped since the start. */
uint64_t log_dropped(void);

/* Limits an event that repeats to one line a second. log_limit_pass returns true if the event may
 * be logged now, and stores in @suppressed how many events were not logged since the last line; the
 * caller logs this number as the pair `suppressed`. Returns false within a second of the last
 * line. */
struct log_limit {
    uint64_t next_us;
    uint64_t suppressed;
};
bool log_limit_pass(struct log_limit *l, uint64_t now_us, uint64_t *suppressed);

/* Limits an event of which each line matters until there are too many: to @at_once lines, and
 * @a_second more each second after that. Otherwise as log_limit_pass; one limit is used with one of
 * the two functions. */
bool log_limit_pass_some(struct log_limit *l, uint64_t now_us, unsigned at_once, unsigned a_second,
                         uint64_t *suppressed);

#endif
