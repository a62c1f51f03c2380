/* SPDX-License-Identifier: MIT */
/* opt.h - declares the options of a program as one table, and the functions that read the table.
 *
 * Each option is one row of the table and stands nowhere else. opt_parse (opt_parse.c) fills a
 * struct of options from the command line, the environment and files (opt_file.c); opt_help
 * (opt_help.c) prints --help.
 * Other readers, for instance a generator of man pages, walk over the rows with opt_next and print
 * values with opt_value_text (opt_table.c). */
#ifndef H2MUX_BASE_OPT_H
#define H2MUX_BASE_OPT_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "h2mux/base/conf.h"

/* ---- the table */

/* The type of an option says how its value is written and which C type its field has. */
enum opt_type {
    OPT_FLAG, /* bool */
    OPT_UINT, /* uint64_t, min..max */
    /* The field is a uint64_t in milliseconds, like min and max. The value is written as 500ms, 4s,
     * 10m, 24h, 30d or 0. */
    OPT_MSEC,
    OPT_SIZE, /* uint64_t bytes: 512 64k 16m 2g */
    OPT_RATE, /* uint64_t bits a second, in powers of ten: 800k 20m 1g */
    /* The field is a const char *, borrowed from argv, the environment or a file. `check` judges
     * the value. */
    OPT_TEXT,
    /* The field is a struct opt_list. The option may be given several times; in the environment
     * and in files commas separate the values (but see OPT_LINES). The default holds only if no
     * value is given. The owner of the struct may free the list's `copy` when it is done with the
     * values. */
    OPT_LIST
};

enum { OPT_LIST_MAX = 64 };
struct opt_list {
    const char *item[OPT_LIST_MAX]; /* borrowed: from argv, the environment or `copy` */
    size_t count;
    char *copy; /* owned: a text with commas or lines, cut at these; NULL: none */
};

/* Says where the value of an option comes from. A larger one beats a smaller one. */
enum opt_source { OPT_FALLBACK, OPT_FILE, OPT_ENVIRONMENT, OPT_COMMAND_LINE };

/* Traits of a row; a row has a sum of them. */
enum opt_trait {
    OPT_NO_FILE = 1, /* has no place in a file */
    OPT_AT_TOP = 2,  /* is for the whole process: in a file it stands above the sections */
    OPT_LIVE = 4,    /* can change while the program runs */
    /* Is a secret: it comes from the environment and files only, since ps shows the command line to
     * everybody; no text shows its value, and --help does not list it. */
    OPT_SECRET = 8,
    OPT_VEILED = 16, /* has a secret in its value: no error shows the value */
    /* Is a list whose values may have commas: in the environment a line has each, in a file an
     * entry. */
    OPT_LINES = 32
};

/* An opt is one row of the table. */
struct opt {
    const char *name; /* long name without dashes */
    char letter;      /* short name, or 0 */
    enum opt_type type;
    size_t offset;        /* of the field in the struct of options */
    const char *fallback; /* default, as a user would write it; NULL: none */
    uint64_t min, max;    /* UINT, MSEC, SIZE, RATE; max 0: no bound */
    const char *value;    /* name of the value in --help; NULL: the type's own */
    const char *help;
    /* TEXT, LIST: returns 0 if @value is well formed. NULL accepts every value that is not
     * empty. */
    int (*check)(const char *value);
    /* Names the values that `check` accepts, for the error line: "ADDR:PORT or unix:/PATH". */
    const char *wants;
    /* Names of options, with commas, that contradict this one. When this one is given, theirs are
     * not taken from what it beats: from the environment and files when this one is on the command
     * line, and so on. */
    const char *beats;
    size_t source;   /* of a field of enum opt_source, which opt_parse sets; 0: none */
    unsigned traits; /* of enum opt_trait */
};

/* A layer is a section of a file; an earlier layer beats a later one. */
struct opt_layer {
    const struct conf *conf; /* borrowed; outlives the options */
    const char *section;     /* "": what is above the first one */
};
enum { OPT_LAYERS_MAX = 4 };
struct opt_layers {
    struct opt_layer layer[OPT_LAYERS_MAX];
    size_t count;
};

struct opt_program {
    const char *name;             /* "oneportd" */
    const char *env_prefix;       /* "ONEPORTD_" */
    const char *usage;            /* the text after "usage: " */
    const char *about;            /* one sentence */
    const char *epilogue;         /* printed under the options; may be NULL */
    const struct opt *rows;       /* ends with a row whose name is NULL */
    const char *beats;            /* as in a row, for the operands */
    void (*show_libraries)(void); /* prints more lines of --version; may be NULL */
    /* Finds the layers, when @into has what the command line and the environment say. Returns
     * false after one line of error. NULL: the program has no files. */
    bool (*find_layers)(void *into, struct opt_layers *out);
    const char *commands;      /* words that may stand first, with commas; NULL: there are none */
    void (*print_words)(void); /* prints what may stand behind the first command; may be NULL */
};

/* ---- parsing */

enum { OPT_LABEL_MAX = 80 }; /* longer than the name of an option or of its variable */

enum opt_result {
    OPT_RUN,   /* the options are valid: go on */
    OPT_SHOWN, /* --help or --version was printed: exit with 0 */
    /* An error was printed to standard error, as one line "NAME: ...": exit with 1. */
    OPT_WRONG
};

/* Fills @into from the command line. An option that the command line does not have is taken from
 * the environment, then from the layers, unless an option that was given before beats it, and
 * otherwise gets its default.
 * On the command line an option is written as `--name value`, `--name=value`, `-n value` or
 * `-nvalue`; a flag has no value there, `--no-name` turns it off, and it is 1, 0, true or false in
 * the environment and in files. A variable that opt_is_foreign knows does not count. "--" ends the
 * options. Arguments that are no options are stored in @operands; more than @max_operands of them
 * are an error. --help, -h, --version and -V are built in unless a row has the name; -h or help as
 * the only argument is --help. Returns what the program is to do next. */
enum opt_result opt_parse(const struct opt_program *p, int argc, char **argv, void *into,
                          const char **operands, size_t max_operands, size_t *n_operands) MUSTCHECK;

/* Prints one line of error, "NAME: ...", to standard error, or appends the text without the name to
 * the buffer of opt_errors_to. */
void opt_say(const char *name, const char *fmt, ...) PRINTF_LIKE(2, 3);

/* Until the next call, what this thread says goes to @to; NULL: to standard error. */
void opt_errors_to(struct buf *to);

/* Judges all of @conf: its sections by @fits (NULL: none is allowed), its keys, which are long
 * names without dashes, its values, and that nothing but lists is given twice in a section. Returns
 * true, or false after one line of error that names the file and the line. */
bool opt_judge_conf(const struct opt_program *p, const struct conf *conf,
                    bool (*fits)(const char *section)) MUSTCHECK;

/* Returns whether @value, of an environment variable, is the address of a service, as Kubernetes
 * and Docker set it for each service of a namespace: tcp://10.0.0.1:3000, also with udp or sctp. A
 * service that has the name of this program gets variables that look like options. */
bool opt_is_foreign(const char *value);

/* Finds the next environment variable that has the name of an option and a foreign value. Advances
 * @at, which is 0 at the start, and writes the name to @label. Returns the value, or NULL after the
 * last variable. */
const char *opt_next_foreign(const struct opt_program *p, size_t *at,
                             char label[static OPT_LABEL_MAX]);

/* Parse a duration (500ms, 4s, 10m, 24h, 30d or 0) into milliseconds, and a size (512, 64k, 16m,
 * 2g) into bytes. Both return 0; ERR_SYNTAX if @text is malformed; ERR_LIMIT if the number is too
 * large. */
int opt_parse_msec(const char *text, uint64_t *out_ms) MUSTCHECK;
int opt_parse_size(const char *text, uint64_t *out) MUSTCHECK;

/* ---- reading the table */

/* An opt_row is a row as opt_next gives it: built-in options have rows, too, and missing texts are
 * filled in from the type. */
struct opt_row {
    const struct opt *opt; /* static */
    const char *metavar;   /* name of the value; "" for a flag */
    const char *unit;      /* unit of the number in the field: "ms", "bytes" or "" */
    const char *fallback;  /* default, as a user would write it; NULL: none */
    bool repeats;          /* may be given several times */
    bool built_in;         /* built-in option: no field, no environment variable */
};

/* Stores the next row in @out and advances @at, which is 0 at the start. Leaves secrets out.
 * Returns false after the last row. */
bool opt_next(const struct opt_program *p, size_t *at, struct opt_row *out);

/* Writes the name of @row's environment variable to @out, for instance "ONEPORTD_HOLD". */
void opt_env_name(const struct opt_program *p, const struct opt *row,
                  char out[static OPT_LABEL_MAX]);

/* Writes the value at @field, which has @row's type, to @out as a user would write it: numbers in
 * the largest unit that divides them, lists with commas. Returns the length of the whole text in
 * bytes. A text that does not fit into @size bytes with its zero byte is cut. */
size_t opt_value_text(const struct opt *row, const void *field, char *out, size_t size);

/* Prints the usage, each option and the notes on values to @out. */
void opt_help(const struct opt_program *p, FILE *out);

/* Prints what `--generate=WHAT` gives, an option that --help does not show: "man" is the options as
 * a part of a manual page in the language of scdoc (opt_man.c); "bash", "zsh" and "fish" are
 * completions for these shells (opt_complete.c); "words" are words that may stand behind a command,
 * one a line. Returns false for another @what. */
bool opt_generate(const struct opt_program *p, const char *what, FILE *out);

#endif
