/* SPDX-License-Identifier: MIT */
/* log_int.h - declares what log.c and log_format.c share. No other file includes this header. */
#ifndef H2MUX_BASE_LOG_INT_H
#define H2MUX_BASE_LOG_INT_H

#include <limits.h>

#include "h2mux/base/log.h"

enum { LOG_LINE_MAX = PIPE_BUF - 1 }; /* and its newline */

/* One event, to be formatted. */
struct log_line {
    enum log_level level;
    const char *event;
    const struct log_pair *pairs;
    size_t n;
    uint64_t dropped; /* lines that were lost before this line; 0: not reported */
};

const char *log_level_name(enum log_level level);

/* Write the line of @l to @out, as text and as JSON, without a newline. Both return the length in
 * bytes. */
size_t log_format_text(const struct log_line *l, char out[static LOG_LINE_MAX]);
size_t log_format_json(const struct log_line *l, char out[static LOG_LINE_MAX]);

#endif
