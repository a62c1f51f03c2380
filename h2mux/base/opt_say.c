/* SPDX-License-Identifier: MIT */
/* opt_say.c - says what is wrong with options, in one line. */
#include <stdarg.h>

#include "h2mux/base/opt_int.h"

enum { SAID_MAX = 1024 };

static _Thread_local struct buf *errors; /* borrowed; NULL: standard error */

void opt_errors_to(struct buf *to)
{
    errors = to;
}

static void say(const char *name, const char *fmt, va_list args) PRINTF_LIKE(2, 0);

static void say(const char *name, const char *fmt, va_list args)
{
    char text[SAID_MAX];
    vsnprintf(text, sizeof text, fmt, args);
    if (!errors)
        fprintf(stderr, "%s: %s\n", name, text);
    else if (buf_append(errors, slice_str(text)) < 0)
        buf_truncate(errors, 0); /* too long: better nothing than a part */
}

void opt_say(const char *name, const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    say(name, fmt, args);
    va_end(args);
}

enum opt_result opt_refuse(const struct opt_program *p, const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    say(p->name, fmt, args);
    va_end(args);
    return OPT_WRONG;
}
