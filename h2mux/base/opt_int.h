/* SPDX-License-Identifier: MIT */
/* opt_int.h - declares what the files opt_*.c share. No other file includes
 * this header. */
#ifndef H2MUX_BASE_OPT_INT_H
#define H2MUX_BASE_OPT_INT_H

#include "h2mux/base/opt.h"

/* An opt_unit is a suffix of numbers and the factor that the suffix means. */
struct opt_unit {
    const char *suffix;
    uint64_t factor;
};

/* An opt_type_info describes all options of one type. */
struct opt_type_info {
    const char *metavar;          /* name of the value, for rows that give none */
    const char *unit;             /* of the field */
    const char *wants;            /* for the error line; NULL: the row says it */
    const char *note;             /* for --help; NULL: none */
    const struct opt_unit *units; /* of numbers, the largest first; ends with a NULL suffix */
};
const struct opt_type_info *opt_type_info(enum opt_type type);

/* Return the row with this name, and with this letter, or NULL if no row has it. */
const struct opt *opt_find_name(const struct opt_program *p, struct slice name);
const struct opt *opt_find_letter(const struct opt_program *p, char letter);

/* Ranks say which value beats which: a layer less than the environment, the environment less than
 * the command line, and an earlier layer more than a later one. */
enum { OPT_RANK_NONE = 0, OPT_RANK_LAYER = 1, OPT_RANK_ENV = 100, OPT_RANK_ARGV = 101 };

/* What is known while options are parsed. */
struct opt_parse_state {
    const struct opt_program *program;
    void *into;
    unsigned char rank;   /* of the values that are taken now */
    unsigned char *ranks; /* owned; of each row */
    char **next;          /* the rest of argv */
    char **end;
    const char **operands;
    size_t max_operands, n_operands;
};

/* Says one line of error, as opt_say does. Returns OPT_WRONG. */
enum opt_result opt_refuse(const struct opt_program *p, const char *fmt, ...) PRINTF_LIKE(2, 3);

/* Sets the field of @row from @text. Returns OPT_RUN. Otherwise prints an error that begins with
 * @label, which names the place of the value ("--hold", "ONEPORTD_HOLD" or "FILE:3: hold"), and
 * returns OPT_WRONG. */
enum opt_result opt_set(const struct opt_program *p, const struct opt *row, void *into,
                        const char *label, const char *text) MUSTCHECK;

/* The separator of a list's values in one text. */
static inline char opt_separator(const struct opt *row)
{
    return row->traits & OPT_LINES ? '\n' : ',';
}

/* The same for a text with separators, each element of which is taken as if it had been given
 * alone, without the blanks around it. At the first element that is refused, empties the whole
 * list. */
enum opt_result opt_set_elements(const struct opt_program *p, const struct opt *row, void *into,
                                 const char *label, const char *text) MUSTCHECK;

/* Prints the options as a manual page, for opt_generate. */
void opt_man(const struct opt_program *p, FILE *out);

/* Returns whether something of a higher rank contradicts @row. */
bool opt_is_beaten(const struct opt_parse_state *ps, const struct opt *row);

/* Takes what the layers say of rows that have no value yet. */
enum opt_result opt_parse_layers(struct opt_parse_state *ps) MUSTCHECK;

#endif
