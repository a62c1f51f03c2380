/* SPDX-License-Identifier: MIT */
/* opt_parse.c - fills a struct of options: from the command line first, then from the environment,
 * then from files, then with the defaults.
 *
 * An empty environment variable counts as not set, and so does one that belongs to a service. A
 * default that its own row refuses is a fault of the table, and an assert
 * finds it. */
#include "h2mux/base/opt_int.h"

#include <assert.h>
#include <stdlib.h>
#include <strings.h>

#include "h2mux/base/err.h"

#ifndef ONEPORT_VERSION
#define ONEPORT_VERSION "dev"
#endif

static int parse_scaled(const char *text, const struct opt_unit *units, uint64_t *out)
{
    struct slice digits = slice_make(text, strspn(text, "0123456789"));
    for (const struct opt_unit *u = units; u->suffix; u++) {
        if (strcasecmp(text + digits.len, u->suffix) != 0)
            continue;
        uint64_t n = 0;
        int err = slice_to_u64(digits, UINT64_MAX / u->factor, &n);
        if (err == 0)
            *out = n * u->factor;
        return err;
    }
    return ERR_SYNTAX;
}

int opt_parse_msec(const char *text, uint64_t *out_ms)
{
    if (strcmp(text, "0") == 0) {
        *out_ms = 0;
        return 0;
    }
    return parse_scaled(text, opt_type_info(OPT_MSEC)->units, out_ms);
}

int opt_parse_size(const char *text, uint64_t *out)
{
    return parse_scaled(text, opt_type_info(OPT_SIZE)->units, out);
}

static int set_number(const struct opt *row, uint64_t *field, const char *text)
{
    uint64_t n = 0;
    int err = row->type == OPT_MSEC   ? opt_parse_msec(text, &n)
              : row->type == OPT_UINT ? slice_to_u64(slice_str(text), UINT64_MAX, &n)
              : row->type == OPT_SIZE ? opt_parse_size(text, &n)
                                      : parse_scaled(text, opt_type_info(row->type)->units, &n);
    if (err < 0)
        return err;
    if (n < row->min || (row->max > 0 && n > row->max))
        return ERR_LIMIT;
    *field = n;
    return 0;
}

static int set_flag(bool *field, const char *text)
{
    bool on = strcmp(text, "1") == 0 || strcmp(text, "true") == 0;
    if (!on && strcmp(text, "0") != 0 && strcmp(text, "false") != 0)
        return ERR_SYNTAX;
    *field = on;
    return 0;
}

static int check_text(const struct opt *row, const char *text)
{
    if (row->check)
        return row->check(text) == 0 ? 0 : ERR_SYNTAX;
    return text[0] ? 0 : ERR_SYNTAX;
}

static int add_item(const struct opt *row, struct opt_list *list, const char *text)
{
    if (check_text(row, text) < 0)
        return ERR_SYNTAX;
    if (list->count == OPT_LIST_MAX)
        return ERR_LIMIT;
    list->item[list->count++] = text;
    return 0;
}

static int set_text(const struct opt *row, const char **field, const char *text)
{
    int err = check_text(row, text);
    if (err == 0)
        *field = text;
    return err;
}

static int row_set(const struct opt *row, void *into, const char *text)
{
    void *field = (char *)into + row->offset;
    switch (row->type) {
    case OPT_FLAG:
        return set_flag(field, text);
    case OPT_UINT:
    case OPT_MSEC:
    case OPT_SIZE:
    case OPT_RATE:
        return set_number(row, field, text);
    case OPT_TEXT:
        return set_text(row, field, text);
    case OPT_LIST:
        return add_item(row, field, text);
    }
    return ERR_UNSUPPORTED;
}

static void row_clear(const struct opt *row, void *into)
{
    void *field = (char *)into + row->offset;
    switch (row->type) {
    case OPT_FLAG:
        *(bool *)field = false;
        return;
    case OPT_UINT:
    case OPT_MSEC:
    case OPT_SIZE:
    case OPT_RATE:
        *(uint64_t *)field = 0;
        return;
    case OPT_TEXT:
        *(const char **)field = NULL;
        return;
    case OPT_LIST:
        *(struct opt_list *)field = (struct opt_list){0};
        return;
    }
}

static enum opt_result refuse_range(const struct opt_program *p, const char *label,
                                    const struct opt *row, const char *text)
{
    char min[32], max[32];
    if (row->type == OPT_LIST)
        return opt_refuse(p, "%s: more than %d values", label, OPT_LIST_MAX);
    opt_value_text(row, &row->min, min, sizeof min);
    opt_value_text(row, &row->max, max, sizeof max);
    if (row->max > 0)
        return opt_refuse(p, "%s: '%s' is out of range (%s to %s)", label, text, min, max);
    if (row->min > 0)
        return opt_refuse(p, "%s: '%s' is out of range (at least %s)", label, text, min);
    return opt_refuse(p, "%s: '%s' is too large", label, text);
}

static const char *value_wanted(const struct opt *row)
{
    const char *of_type = opt_type_info(row->type)->wants;
    if (of_type)
        return of_type;
    return row->wants ? row->wants : "valid";
}

enum opt_result opt_set(const struct opt_program *p, const struct opt *row, void *into,
                        const char *label, const char *text)
{
    int err = row_set(row, into, text);
    if (err == ERR_LIMIT)
        return refuse_range(p, label, row, text);
    if (err < 0 && text[0] == '\0')
        return opt_refuse(p, "%s needs a value", label);
    if (err < 0 && (row->traits & (OPT_SECRET | OPT_VEILED)))
        return opt_refuse(p, "%s is not %s", label, value_wanted(row));
    if (err < 0)
        return opt_refuse(p, "%s: '%s' is not %s", label, text, value_wanted(row));
    return OPT_RUN;
}

static enum opt_result take_value(struct opt_parse_state *ps, const struct opt *row,
                                  const char *label, const char *text)
{
    enum opt_result result = opt_set(ps->program, row, ps->into, label, text);
    if (result == OPT_RUN)
        ps->ranks[row - ps->program->rows] = ps->rank;
    return result;
}

static enum opt_result show_help(const struct opt_program *p)
{
    opt_help(p, stdout);
    return OPT_SHOWN;
}

static enum opt_result show_version(const struct opt_program *p)
{
    printf("%s %s\n", p->name, ONEPORT_VERSION);
    if (p->show_libraries)
        p->show_libraries();
    return OPT_SHOWN;
}

/* Handles a short option that no row has. */
static enum opt_result parse_built_in_letter(const struct opt_program *p, char letter)
{
    if (letter == 'h')
        return show_help(p);
    if (letter == 'V')
        return show_version(p);
    return opt_refuse(p, "unknown option -%c (see --help)", letter);
}

/* Handles a long option that no row has: prints the help or the version and returns OPT_SHOWN, or
 * prints an error and returns OPT_WRONG. */
static enum opt_result parse_built_in(const struct opt_program *p, const char *arg)
{
    if (strcmp(arg, "--help") == 0)
        return show_help(p);
    if (strcmp(arg, "--version") == 0)
        return show_version(p);
    if (strncmp(arg, "--generate=", 11) == 0 && opt_generate(p, arg + 11, stdout))
        return OPT_SHOWN;
    return opt_refuse(p, "unknown option %.*s (see --help)", (int)strcspn(arg, "="), arg);
}

/* Returns the flag that @name turns off, as in "no-open", or NULL. */
static const struct opt *find_negated(const struct opt_program *p, struct slice name)
{
    if (!slice_starts(name, SLICE("no-")))
        return NULL;
    const struct opt *row = opt_find_name(p, slice_skip(name, 3));
    return row && row->type == OPT_FLAG ? row : NULL;
}

static enum opt_result take_flag(struct opt_parse_state *ps, const struct opt *row,
                                 const char *label, bool on, const char *value)
{
    if (value)
        return opt_refuse(ps->program, "%s takes no value", label);
    return take_value(ps, row, label, on ? "1" : "0");
}

static enum opt_result take_next(struct opt_parse_state *ps, const struct opt *row,
                                 const char *label)
{
    if (ps->next == ps->end)
        return opt_refuse(ps->program, "%s needs a value", label);
    return take_value(ps, row, label, *ps->next++);
}

static enum opt_result parse_long(struct opt_parse_state *ps, const char *arg)
{
    const char *value = strchr(arg, '=');
    size_t len = value ? (size_t)(value - arg) : strlen(arg);
    struct slice name = slice_make(arg + 2, len - 2);
    const struct opt *row = opt_find_name(ps->program, name);
    const struct opt *negated = row ? NULL : find_negated(ps->program, name);
    if (!row && !negated)
        return parse_built_in(ps->program, arg);
    if (row && (row->traits & OPT_SECRET))
        return opt_refuse(ps->program,
                          "--%s would show its value to everybody in ps: it has no place on the "
                          "command line (see --help)",
                          row->name);
    char label[OPT_LABEL_MAX];
    snprintf(label, sizeof label, "--%s%s", negated ? "no-" : "", (row ? row : negated)->name);
    if (negated || row->type == OPT_FLAG)
        return take_flag(ps, row ? row : negated, label, row, value);
    return value ? take_value(ps, row, label, value + 1) : take_next(ps, row, label);
}

/* Parses an argument of short options: `-vq` is two flags, `-n4` is a letter and its value. Returns
 * OPT_RUN, or OPT_SHOWN after -h, or OPT_WRONG after an error. */
static enum opt_result parse_short(struct opt_parse_state *ps, const char *arg)
{
    for (const char *at = arg + 1; *at; at++) {
        const struct opt *row = opt_find_letter(ps->program, *at);
        if (!row)
            return parse_built_in_letter(ps->program, *at);
        char label[OPT_LABEL_MAX];
        snprintf(label, sizeof label, "--%s", row->name);
        if (row->type != OPT_FLAG)
            return at[1] ? take_value(ps, row, label, at + 1) : take_next(ps, row, label);
        enum opt_result result = take_value(ps, row, label, "1");
        if (result != OPT_RUN)
            return result;
    }
    return OPT_RUN;
}

static enum opt_result parse_operand(struct opt_parse_state *ps, const char *arg)
{
    if (ps->n_operands == ps->max_operands)
        return opt_refuse(ps->program, "unexpected argument '%s' (see --help)", arg);
    ps->operands[ps->n_operands++] = arg;
    return OPT_RUN;
}

static enum opt_result parse_argv(struct opt_parse_state *ps)
{
    enum opt_result result = OPT_RUN;
    bool options_ended = false;
    while (result == OPT_RUN && ps->next < ps->end) {
        const char *arg = *ps->next++;
        if (options_ended || arg[0] != '-' || arg[1] == '\0')
            result = parse_operand(ps, arg);
        else if (strcmp(arg, "--") == 0)
            options_ended = true;
        else if (arg[1] == '-')
            result = parse_long(ps, arg);
        else
            result = parse_short(ps, arg);
    }
    return result;
}

/* Takes the next value of a list out of @rest. Returns false after the last one. */
static bool next_element(const struct opt *row, struct slice *rest, struct slice *each)
{
    if (opt_separator(row) == ',')
        return slice_next_token(rest, each);
    for (*each = SLICE(""); rest->len > 0 && each->len == 0;) {
        ptrdiff_t end = slice_find(*rest, '\n');
        size_t len = end < 0 ? rest->len : (size_t)end;
        *each = slice_make(rest->ptr, len);
        *rest = slice_skip(*rest, len + (end >= 0));
    }
    return each->len > 0;
}

enum opt_result opt_set_elements(const struct opt_program *p, const struct opt *row, void *into,
                                 const char *label, const char *text)
{
    char *copy = xstrdup(text); /* the items of the list point into the copy */
    struct opt_list *list = (struct opt_list *)(void *)((char *)into + row->offset);
    struct slice rest = slice_str(copy), each;
    size_t taken = 0;
    enum opt_result result = OPT_RUN;
    while (result == OPT_RUN && next_element(row, &rest, &each)) {
        char *item = copy + (each.ptr - copy);
        item[each.len] = '\0';
        result = opt_set(p, row, into, label, item);
        taken++;
    }
    if (result != OPT_RUN)
        row_clear(row, into);
    if (result != OPT_RUN || taken == 0)
        free(copy);
    else
        list->copy = copy;
    return result;
}

bool opt_is_foreign(const char *value)
{
    static const char *const schemes[] = {"tcp://", "udp://", "sctp://"};
    struct slice text = slice_str(value);
    for (size_t i = 0; i < sizeof schemes / sizeof *schemes; i++)
        if (slice_istarts(text, slice_str(schemes[i])))
            return true;
    return false;
}

const char *opt_next_foreign(const struct opt_program *p, size_t *at,
                             char label[static OPT_LABEL_MAX])
{
    while (p->rows[*at].name) {
        opt_env_name(p, &p->rows[(*at)++], label);
        const char *value = getenv(label);
        if (value && opt_is_foreign(value))
            return value;
    }
    return NULL;
}

static bool lists(const char *names, const char *name)
{
    struct slice rest = slice_str(names ? names : ""), one;
    while (slice_next_token(&rest, &one))
        if (slice_eq(one, slice_str(name)))
            return true;
    return false;
}

bool opt_is_beaten(const struct opt_parse_state *ps, const struct opt *row)
{
    const struct opt *rows = ps->program->rows;
    if (ps->n_operands > 0 && lists(ps->program->beats, row->name))
        return true;
    for (size_t i = 0; rows[i].name; i++)
        if (ps->ranks[i] > ps->rank && lists(rows[i].beats, row->name))
            return true;
    return false;
}

static enum opt_result parse_row_env(struct opt_parse_state *ps, const struct opt *row)
{
    char label[OPT_LABEL_MAX];
    opt_env_name(ps->program, row, label);
    const char *text = getenv(label);
    if (!text || !text[0] || opt_is_foreign(text) || opt_is_beaten(ps, row))
        return OPT_RUN;
    if (row->type != OPT_LIST || !strchr(text, opt_separator(row)))
        return take_value(ps, row, label, text);
    const struct opt_list *list = (const void *)((const char *)ps->into + row->offset);
    enum opt_result result = opt_set_elements(ps->program, row, ps->into, label, text);
    if (list->count > 0)
        ps->ranks[row - ps->program->rows] = ps->rank;
    return result;
}

static enum opt_result parse_env(struct opt_parse_state *ps)
{
    enum opt_result result = OPT_RUN;
    const struct opt *rows = ps->program->rows;
    ps->rank = OPT_RANK_ENV;
    for (size_t i = 0; rows[i].name && result == OPT_RUN; i++)
        if (ps->ranks[i] == OPT_RANK_NONE)
            result = parse_row_env(ps, &rows[i]);
    return result;
}

static void set_defaults(struct opt_parse_state *ps)
{
    const struct opt *rows = ps->program->rows;
    for (size_t i = 0; rows[i].name; i++) {
        if (ps->ranks[i] != OPT_RANK_NONE || !rows[i].fallback)
            continue;
        int err = row_set(&rows[i], ps->into, rows[i].fallback);
        assert(err == 0);
        (void)err;
    }
}

static enum opt_source source_of(unsigned char rank)
{
    if (rank == OPT_RANK_ARGV)
        return OPT_COMMAND_LINE;
    if (rank == OPT_RANK_ENV)
        return OPT_ENVIRONMENT;
    return rank == OPT_RANK_NONE ? OPT_FALLBACK : OPT_FILE;
}

static void tell_sources(const struct opt_parse_state *ps)
{
    const struct opt *rows = ps->program->rows;
    for (size_t i = 0; rows[i].name; i++)
        if (rows[i].source > 0)
            *(enum opt_source *)(void *)((char *)ps->into + rows[i].source) =
                source_of(ps->ranks[i]);
}

/* Returns whether the whole command line asks for help, as people do who know nothing yet: "help",
 * and -h even where that is the letter of an option, which would lack its value. */
static bool only_asks_for_help(int argc, char **argv)
{
    return argc == 2 && (strcmp(argv[1], "help") == 0 || strcmp(argv[1], "-h") == 0);
}

enum opt_result opt_parse(const struct opt_program *p, int argc, char **argv, void *into,
                          const char **operands, size_t max_operands, size_t *n_operands)
{
    size_t n_rows = 0;
    for (; p->rows[n_rows].name; n_rows++)
        row_clear(&p->rows[n_rows], into);
    struct opt_parse_state ps = {.program = p,
                                 .into = into,
                                 .rank = OPT_RANK_ARGV,
                                 .ranks = xcalloc(n_rows, 1),
                                 .next = argc > 0 ? argv + 1 : argv,
                                 .end = argv + argc,
                                 .operands = operands,
                                 .max_operands = max_operands};
    enum opt_result result = only_asks_for_help(argc, argv) ? show_help(p) : parse_argv(&ps);
    if (result == OPT_RUN)
        result = parse_env(&ps);
    if (result == OPT_RUN && p->find_layers)
        result = opt_parse_layers(&ps);
    if (result == OPT_RUN)
        set_defaults(&ps);
    if (n_operands)
        *n_operands = ps.n_operands;
    tell_sources(&ps);
    free(ps.ranks);
    return result;
}
