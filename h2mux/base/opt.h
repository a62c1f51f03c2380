/* SPDX-License-Identifier: MIT */
/* opt.h - the options of a program: one table, and what reads the table.
 *
 * A row is the only place where an option exists. opt_parse (opt_parse.c) fills a struct of options
 * from the command line and the environment, opt_help (opt_help.c) prints --help. Any other reader,
 * for instance one that makes a man page, walks the rows with opt_next and prints values with
 * opt_value_text (opt_table.c). */
#ifndef H2MUX_BASE_OPT_H
#define H2MUX_BASE_OPT_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "h2mux/base/slice.h"

/* ---- the table */

/* The type of an option's value, and the type of its field. */
enum opt_type {
    OPT_FLAG, /* bool */
    OPT_UINT, /* uint64_t, min..max */
    OPT_MSEC, /* uint64_t milliseconds: 500ms 4s 10m 24h 30d; a bare 0 is allowed; min..max in ms */
    OPT_SIZE, /* uint64_t bytes: 512 64k 16m 2g */
    OPT_TEXT, /* const char *: borrowed from argv or the environment; `check` judges the value */
    OPT_LIST  /* struct opt_list: may be given several times; commas separate the values in the
                 environment; the default holds only if none is given */
};

enum { OPT_LIST_MAX = 64 };
struct opt_list {
    const char *item[OPT_LIST_MAX]; /* borrowed */
    size_t count;
};

/* One row of the table. */
struct opt {
    const char *name; /* long name without dashes */
    char letter;      /* short name, or 0 */
    enum opt_type type;
    size_t offset;        /* of the field in the struct of options */
    const char *fallback; /* default, as it would be typed; NULL: zero */
    uint64_t min, max;    /* UINT, MSEC, SIZE; max 0: no bound */
    const char *value;    /* name of the value in --help; NULL: the type's own */
    const char *help;
    int (*check)(const char *value); /* TEXT, LIST: 0 if well formed; NULL: anything non-empty */
    const char *wants; /* what `check` accepts, for the error line: "ADDR:PORT or unix:/PATH" */
};

struct opt_program {
    const char *name;       /* "oneportd" */
    const char *env_prefix; /* "ONEPORTD_" */
    const char *usage;      /* the text behind "usage: " */
    const char *about;      /* one sentence */
    const char *epilogue;   /* printed under the options; may be NULL */
    const struct opt *rows; /* ends with a row whose name is NULL */
};

/* ---- parsing */

enum opt_result {
    OPT_RUN,   /* the options are valid: go on */
    OPT_SHOWN, /* --help or --version was printed: exit with 0 */
    OPT_WRONG  /* an error was printed to standard error, as one line "NAME: ...": exit with 1 */
};

/* Fills @into from the command line, then from the environment for options that the command line
 * does not have, then with the defaults. `--name value`, `--name=value`, `-n value` and `-nvalue`
 * are understood; a flag has no value (in the environment 1, 0, true or false). "--" ends the
 * options. Arguments that are no options are left in @operands; more than @max_operands of them are
 * an error. --help, -h and --version are built in unless a row has the name. */
enum opt_result opt_parse(const struct opt_program *p, int argc, char **argv, void *into,
                          const char **operands, size_t max_operands, size_t *n_operands) MUSTCHECK;

/* Reads a duration or a size as typed on a command line. Fails with ERR_SYNTAX, or with ERR_LIMIT
 * if the number is too large. */
int opt_parse_msec(const char *text, uint64_t *out_ms) MUSTCHECK;
int opt_parse_size(const char *text, uint64_t *out) MUSTCHECK;

/* ---- reading the table */

/* One row as a reader sees it: built-in rows are among them, and nothing is left to a default. */
struct opt_row {
    const struct opt *opt; /* static */
    const char *metavar;   /* name of the value; "" for a flag */
    const char *unit;      /* of the number in the field: "ms", "bytes" or "" */
    const char *fallback;  /* default, as it would be typed; NULL: none */
    bool repeats;          /* may be given several times */
    bool built_in;         /* has no field and no place in the environment */
};

/* Steps to the next row; @at is 0 at the start. Returns false behind the last one. */
bool opt_next(const struct opt_program *p, size_t *at, struct opt_row *out);

/* Writes the name of @row's environment variable, as "ONEPORTD_HOLD". */
enum { OPT_LABEL_MAX = 80 };
void opt_env_name(const struct opt_program *p, const struct opt *row,
                  char out[static OPT_LABEL_MAX]);

/* Writes the value at @field, which has @row's type, as it would be typed: numbers in the largest
 * unit that leaves no rest, lists with commas. Returns the length of the whole text; what does not
 * fit into @size, with its zero byte, is cut off. */
size_t opt_value_text(const struct opt *row, const void *field, char *out, size_t size);

/* Prints usage, each option and the notes on values. */
void opt_help(const struct opt_program *p, FILE *out);

#endif
