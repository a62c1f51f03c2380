/* SPDX-License-Identifier: MIT */
/* opt_int.h - what opt_table.c, opt_parse.c and opt_help.c share; nobody else includes it. */
#ifndef H2MUX_BASE_OPT_INT_H
#define H2MUX_BASE_OPT_INT_H

#include "h2mux/base/opt.h"

/* A suffix of numbers and what it multiplies by. */
struct opt_unit {
    const char *suffix;
    uint64_t factor;
};

/* What all options of a type have in common. */
struct opt_type_info {
    const char *metavar;          /* for rows that name none */
    const char *unit;             /* of the field */
    const char *wants;            /* for the error line; NULL: the row says it */
    const char *note;             /* for --help; NULL: none */
    const struct opt_unit *units; /* of numbers, the largest first; ends with a NULL suffix */
};
const struct opt_type_info *opt_type_info(enum opt_type type);

/* Returns the row of that name or letter, or NULL. */
const struct opt *opt_find_name(const struct opt_program *p, struct slice name);
const struct opt *opt_find_letter(const struct opt_program *p, char letter);

#endif
