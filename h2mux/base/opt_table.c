/* SPDX-License-Identifier: MIT */
/* opt_table.c - describes the types of options, adds the rows that every program has, and walks
 * over a table. */
#include "h2mux/base/opt_int.h"

#include <ctype.h>

static const struct opt_unit msec_units[] = {{"d", 86400000}, {"h", 3600000}, {"m", 60000},
                                             {"s", 1000},     {"ms", 1},      {NULL, 0}};
static const struct opt_unit size_units[] = {
    {"g", 1 << 30}, {"m", 1 << 20}, {"k", 1 << 10}, {"", 1}, {NULL, 0}};
static const struct opt_unit rate_units[] = {
    {"g", 1000000000}, {"m", 1000000}, {"k", 1000}, {"", 1}, {NULL, 0}};
static const struct opt_unit plain_units[] = {{"", 1}, {NULL, 0}};

static const struct opt_type_info types[] = {
    [OPT_FLAG] = {"", "", "1, 0, true or false", "--no-NAME turns the flag --NAME off.", NULL},
    [OPT_UINT] = {"N", "", "a number", NULL, plain_units},
    [OPT_MSEC] = {"TIME", "ms", "a duration (500ms, 4s, 10m, 24h)",
                  "Durations are written 500ms, 4s, 10m, 24h or 30d.", msec_units},
    [OPT_SIZE] = {"SIZE", "bytes", "a size (512, 64k, 16m, 2g)",
                  "Sizes are in bytes: 512, 64k, 16m or 2g.", size_units},
    [OPT_RATE] = {"RATE", "bit/s", "a rate (800k, 20m, 1g)",
                  "Rates are in bits a second: 800k, 20m or 1g.", rate_units},
    [OPT_TEXT] = {"TEXT", "", NULL, NULL, NULL},
    [OPT_LIST] = {"TEXT", "", NULL, NULL, NULL},
};

const struct opt_type_info *opt_type_info(enum opt_type type)
{
    return &types[type];
}

static const struct opt built_in[] = {
    {.name = "help", .letter = 'h', .help = "show this and exit"},
    {.name = "version", .letter = 'V', .help = "show the version and exit"},
};
/* This row is --help in a program that uses -h for another option. */
static const struct opt help_without_letter = {.name = "help", .help = "show this and exit"};

const struct opt *opt_find_name(const struct opt_program *p, struct slice name)
{
    for (const struct opt *row = p->rows; row->name; row++)
        if (slice_eq(slice_str(row->name), name))
            return row;
    return NULL;
}

const struct opt *opt_find_letter(const struct opt_program *p, char letter)
{
    for (const struct opt *row = p->rows; row->name; row++)
        if (row->letter == letter)
            return row;
    return NULL;
}

/* Returns the built-in row @i of the program, or NULL if a row of the program has the same name.
 * --help loses its letter if a row of the program has -h. */
static const struct opt *built_in_row(const struct opt_program *p, size_t i)
{
    if (opt_find_name(p, slice_str(built_in[i].name)))
        return NULL;
    bool letter_taken = built_in[i].letter && opt_find_letter(p, built_in[i].letter);
    return letter_taken ? &help_without_letter : &built_in[i];
}

static void describe(const struct opt *opt, bool is_built_in, struct opt_row *out)
{
    const struct opt_type_info *type = opt_type_info(opt->type);
    *out = (struct opt_row){
        .opt = opt,
        .metavar = opt->type != OPT_FLAG && opt->value ? opt->value : type->metavar,
        .unit = type->unit,
        .fallback = opt->type == OPT_FLAG ? NULL : opt->fallback,
        .repeats = opt->type == OPT_LIST,
        .built_in = is_built_in,
    };
}

bool opt_next(const struct opt_program *p, size_t *at, struct opt_row *out)
{
    size_t n_rows = 0;
    while (p->rows[n_rows].name)
        n_rows++;
    while (*at < n_rows + sizeof built_in / sizeof *built_in) {
        size_t i = (*at)++;
        bool is_built_in = i >= n_rows;
        const struct opt *opt = is_built_in ? built_in_row(p, i - n_rows) : &p->rows[i];
        if (opt && !(opt->traits & OPT_SECRET)) {
            describe(opt, is_built_in, out);
            return true;
        }
    }
    return false;
}

void opt_env_name(const struct opt_program *p, const struct opt *row,
                  char out[static OPT_LABEL_MAX])
{
    size_t at = (size_t)snprintf(out, OPT_LABEL_MAX, "%s", p->env_prefix);
    snprintf(out + at, OPT_LABEL_MAX - at, "%s", row->name);
    for (char *c = out + at; *c; c++)
        *c = *c == '-' ? '_' : (char)toupper((unsigned char)*c);
}

static size_t number_text(enum opt_type type, uint64_t n, char *out, size_t size)
{
    const struct opt_unit *u = opt_type_info(type)->units;
    while (n % u->factor != 0)
        u++;
    return (size_t)snprintf(out, size, "%llu%s", (unsigned long long)(n / u->factor),
                            n ? u->suffix : "");
}

static size_t list_text(const struct opt_list *list, char *out, size_t size)
{
    size_t len = (size_t)snprintf(out, size, "%s", "");
    for (size_t i = 0; i < list->count; i++) {
        size_t at = len < size ? len : size;
        len += (size_t)snprintf(out + at, size - at, "%s%s", i ? "," : "", list->item[i]);
    }
    return len;
}

size_t opt_value_text(const struct opt *row, const void *field, char *out, size_t size)
{
    const char *text = NULL;
    switch (row->type) {
    case OPT_FLAG:
        text = *(const bool *)field ? "1" : "0";
        break;
    case OPT_UINT:
    case OPT_MSEC:
    case OPT_SIZE:
    case OPT_RATE:
        return number_text(row->type, *(const uint64_t *)field, out, size);
    case OPT_TEXT:
        text = *(const char *const *)field;
        break;
    case OPT_LIST:
        return list_text(field, out, size);
    }
    return (size_t)snprintf(out, size, "%s", text ? text : "");
}
