/* SPDX-License-Identifier: MIT */
/* opt.h - command line and environment from one table: a row is the only place where an option
 * exists.
 *
 * Precedence: flag, then environment, then the default. `--name value`, `--name=value`, `-n value`,
 * `-nvalue`; flags take no value
 * (`--name` only, environment 1/0/true/false). "--" ends the options. Unknown options and malformed
 * values are errors that name the option and what would be right. */
#ifndef H2MUX_BASE_OPT_H
#define H2MUX_BASE_OPT_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "h2mux/base/slice.h"

enum opt_type {
    OPT_FLAG, /* bool */
    OPT_UINT, /* uint64_t, min..max */
    OPT_MSEC, /* uint64_t milliseconds: 500ms 4s 10m 24h 30d; bare 0 allowed; min..max in ms */
    OPT_SIZE, /* uint64_t bytes: 512 64k 16m 2g */
    OPT_TEXT, /* const char *: borrowed from argv or the environment; validated by `check` */
    OPT_LIST  /* struct opt_list: repeatable; commas separate in the environment; the default holds
                 only when none is given */
};

enum { OPT_LIST_MAX = 64 };
struct opt_list {
    const char *item[OPT_LIST_MAX]; /* borrowed */
    size_t count;
};

struct opt {
    const char *name; /* long name without dashes */
    char letter;      /* short name, or 0 */
    enum opt_type type;
    size_t offset;        /* of the field in the options struct */
    const char *fallback; /* default, as it would be typed; NULL: zero */
    uint64_t min, max;    /* UINT, MSEC, SIZE; max 0: no bound */
    const char *value;    /* its placeholder in --help, NULL for flags */
    const char *help;
    int (*check)(const char *value); /* TEXT, LIST: 0 if well formed; NULL: anything non-empty */
    const char *wants; /* what `check` wants, for the error line: "ADDR:PORT or unix:/PATH" */
};

struct opt_program {
    const char *name;       /* "oneportd" */
    const char *env_prefix; /* "ONEPORTD_" */
    const char *usage;      /* the line behind "usage: " */
    const char *about;      /* one sentence */
    const char *epilogue;   /* printed under the options; may be NULL */
    const struct opt *rows; /* ends with a row whose name is NULL */
};

enum opt_result {
    OPT_RUN,
    OPT_SHOWN,
    OPT_WRONG
}; /* go on; help or version was printed: exit 0; error was printed: exit 1 */

/* Fills @into; the operands (what is no option) are left in @operands, at most @max_operands of
 * them: more is an error.
 * --help/-h? and --version are built in unless a row takes the name. Errors go to standard error as
 * one line "NAME: …". */
enum opt_result opt_parse(const struct opt_program *p, int argc, char **argv, void *into,
                          const char **operands, size_t max_operands, size_t *n_operands) MUSTCHECK;
void opt_help(const struct opt_program *p, FILE *out);

/* One duration or size as typed on a command line. ERR_SYNTAX or ERR_LIMIT. */
int opt_parse_msec(const char *text, uint64_t *out_ms) MUSTCHECK;
int opt_parse_size(const char *text, uint64_t *out) MUSTCHECK;

#endif
