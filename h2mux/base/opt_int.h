/* SPDX-License-Identifier: MIT */
/* opt_int.h - declares what opt_table.c, opt_parse.c and opt_help.c share. No other file includes
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

#endif
