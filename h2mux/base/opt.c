/* SPDX-License-Identifier: MIT */
/* opt.c - fills an options struct from a table of rows: the command line first, then the
 * environment for what it did not give, then the defaults. Also prints the table as --help.
 *
 * An empty environment variable counts as not set. A list from the environment is copied once and
 * lives as long as the process, as what argv and the environment hold does. A default that its own
 * row refuses is a bug: assert. */
#include "h2mux/base/opt.h"

#include <assert.h>
#include <ctype.h>
#include <stdarg.h>
#include <stdlib.h>
#include <strings.h>

#include "h2mux/base/err.h"

#ifndef ONEPORT_VERSION
#define ONEPORT_VERSION "dev"
#endif

enum { LABEL_MAX = 80 };

struct unit {
    const char *suffix;
    uint64_t factor;
};

/* Largest first, for printing. */
static const struct unit msec_units[] = {{"d", 86400000}, {"h", 3600000}, {"m", 60000},
                                         {"s", 1000},     {"ms", 1},      {NULL, 0}};
static const struct unit size_units[] = {
    {"g", 1 << 30}, {"m", 1 << 20}, {"k", 1 << 10}, {"", 1}, {NULL, 0}};
static const struct unit plain_units[] = {{"", 1}, {NULL, 0}};

/* What was built in, as rows, so that --help shows it like any other. */
static const struct opt help_row = {.name = "help", .letter = 'h', .help = "show this and exit"};
static const struct opt version_row = {.name = "version", .help = "show the version and exit"};

struct parse {
    const struct opt_program *program;
    void *into;
    bool *given; /* owned, by row: the command line or the environment has it */
    char **next; /* the rest of argv */
    char **end;
    const char **operands;
    size_t max_operands, n_operands;
};

static enum opt_result refuse(const struct opt_program *p, const char *fmt, ...) PRINTF_LIKE(2, 3);

static enum opt_result refuse(const struct opt_program *p, const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    flockfile(stderr);
    fprintf(stderr, "%s: ", p->name);
    vfprintf(stderr, fmt, args);
    fputc('\n', stderr);
    funlockfile(stderr);
    va_end(args);
    return OPT_WRONG;
}

static int parse_scaled(const char *text, const struct unit *units, uint64_t *out)
{
    struct slice digits = slice_make(text, strspn(text, "0123456789"));
    for (const struct unit *u = units; u->suffix; u++) {
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
    return parse_scaled(text, msec_units, out_ms);
}

int opt_parse_size(const char *text, uint64_t *out)
{
    return parse_scaled(text, size_units, out);
}

static const struct unit *type_units(enum opt_type type)
{
    return type == OPT_MSEC ? msec_units : type == OPT_SIZE ? size_units : plain_units;
}

/* As it would be typed: in the largest unit that leaves no rest. */
static void format_number(enum opt_type type, uint64_t n, char *out, size_t size)
{
    const struct unit *u = type_units(type);
    while (n % u->factor != 0)
        u++;
    snprintf(out, size, "%llu%s", (unsigned long long)(n / u->factor), n ? u->suffix : "");
}

static int set_number(const struct opt *row, uint64_t *field, const char *text)
{
    uint64_t n = 0;
    int err = row->type == OPT_MSEC ? opt_parse_msec(text, &n)
                                    : parse_scaled(text, type_units(row->type), &n);
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

static const char *row_wants(const struct opt *row)
{
    switch (row->type) {
    case OPT_FLAG:
        return "1, 0, true or false";
    case OPT_UINT:
        return "a number";
    case OPT_MSEC:
        return "a duration (500ms, 4s, 10m, 24h)";
    case OPT_SIZE:
        return "a size (512, 64k, 16m, 2g)";
    case OPT_TEXT:
    case OPT_LIST:
        break;
    }
    return row->wants ? row->wants : "valid";
}

static enum opt_result refuse_range(const struct opt_program *p, const char *label,
                                    const struct opt *row, const char *text)
{
    char min[32], max[32];
    if (row->type == OPT_LIST)
        return refuse(p, "%s: more than %d values", label, OPT_LIST_MAX);
    format_number(row->type, row->min, min, sizeof min);
    format_number(row->type, row->max, max, sizeof max);
    if (row->max > 0)
        return refuse(p, "%s: '%s' is out of range (%s to %s)", label, text, min, max);
    if (row->min > 0)
        return refuse(p, "%s: '%s' is out of range (at least %s)", label, text, min);
    return refuse(p, "%s: '%s' is too large", label, text);
}

/* @label says where the value came from: "--hold" or "ONEPORTD_HOLD". */
static enum opt_result take_value(struct parse *ps, const struct opt *row, const char *label,
                                  const char *text)
{
    int err = row_set(row, ps->into, text);
    if (err == ERR_LIMIT)
        return refuse_range(ps->program, label, row, text);
    if (err < 0 && text[0] == '\0')
        return refuse(ps->program, "%s needs a value", label);
    if (err < 0)
        return refuse(ps->program, "%s: '%s' is not %s", label, text, row_wants(row));
    ps->given[row - ps->program->rows] = true;
    return OPT_RUN;
}

static const struct opt *find_name(const struct opt_program *p, struct slice name)
{
    for (const struct opt *row = p->rows; row->name; row++)
        if (slice_eq(slice_str(row->name), name))
            return row;
    return NULL;
}

static const struct opt *find_letter(const struct opt_program *p, char letter)
{
    for (const struct opt *row = p->rows; row->name; row++)
        if (row->letter == letter)
            return row;
    return NULL;
}

static enum opt_result show_help(const struct opt_program *p)
{
    opt_help(p, stdout);
    return OPT_SHOWN;
}

/* --help, --version or an error: @arg is no row's name. */
static enum opt_result parse_built_in(const struct opt_program *p, const char *arg)
{
    if (strcmp(arg, "--help") == 0)
        return show_help(p);
    if (strcmp(arg, "--version") == 0) {
        printf("%s %s\n", p->name, ONEPORT_VERSION);
        return OPT_SHOWN;
    }
    return refuse(p, "unknown option %.*s (see --help)", (int)strcspn(arg, "="), arg);
}

static enum opt_result take_next(struct parse *ps, const struct opt *row, const char *label)
{
    if (ps->next == ps->end)
        return refuse(ps->program, "%s needs a value", label);
    return take_value(ps, row, label, *ps->next++);
}

static enum opt_result parse_long(struct parse *ps, const char *arg)
{
    const char *value = strchr(arg, '=');
    size_t len = value ? (size_t)(value - arg) : strlen(arg);
    const struct opt *row = find_name(ps->program, slice_make(arg + 2, len - 2));
    if (!row)
        return parse_built_in(ps->program, arg);
    char label[LABEL_MAX];
    snprintf(label, sizeof label, "--%s", row->name);
    if (row->type == OPT_FLAG)
        return value ? refuse(ps->program, "%s takes no value", label)
                     : take_value(ps, row, label, "1");
    return value ? take_value(ps, row, label, value + 1) : take_next(ps, row, label);
}

/* `-vq` is two flags, `-n4` a letter and its value. */
static enum opt_result parse_short(struct parse *ps, const char *arg)
{
    for (const char *at = arg + 1; *at; at++) {
        const struct opt *row = find_letter(ps->program, *at);
        if (!row)
            return *at == 'h' ? show_help(ps->program)
                              : refuse(ps->program, "unknown option -%c (see --help)", *at);
        char label[LABEL_MAX];
        snprintf(label, sizeof label, "--%s", row->name);
        if (row->type != OPT_FLAG)
            return at[1] ? take_value(ps, row, label, at + 1) : take_next(ps, row, label);
        enum opt_result result = take_value(ps, row, label, "1");
        if (result != OPT_RUN)
            return result;
    }
    return OPT_RUN;
}

static enum opt_result parse_operand(struct parse *ps, const char *arg)
{
    if (ps->n_operands == ps->max_operands)
        return refuse(ps->program, "unexpected argument '%s' (see --help)", arg);
    ps->operands[ps->n_operands++] = arg;
    return OPT_RUN;
}

static enum opt_result parse_argv(struct parse *ps)
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

static void env_name(const struct opt_program *p, const struct opt *row, char out[static LABEL_MAX])
{
    size_t at = (size_t)snprintf(out, LABEL_MAX, "%s", p->env_prefix);
    snprintf(out + at, LABEL_MAX - at, "%s", row->name);
    for (char *c = out + at; *c; c++)
        *c = *c == '-' ? '_' : (char)toupper((unsigned char)*c);
}

/* Each element of @text, blanks around it cut off, as if it had been given on its own. */
static enum opt_result take_elements(struct parse *ps, const struct opt *row, const char *label,
                                     const char *text)
{
    char *copy = xstrdup(text); /* kept: the list's items point into it */
    struct slice rest = slice_str(copy), each;
    size_t taken = 0;
    enum opt_result result = OPT_RUN;
    while (result == OPT_RUN && slice_next_token(&rest, &each)) {
        char *item = copy + (each.ptr - copy);
        item[each.len] = '\0';
        result = take_value(ps, row, label, item);
        taken++;
    }
    if (result != OPT_RUN)
        row_clear(row, ps->into);
    if (result != OPT_RUN || taken == 0)
        free(copy);
    return result;
}

static enum opt_result parse_row_env(struct parse *ps, const struct opt *row)
{
    char label[LABEL_MAX];
    env_name(ps->program, row, label);
    const char *text = getenv(label);
    if (!text || !text[0])
        return OPT_RUN;
    if (row->type == OPT_LIST && strchr(text, ','))
        return take_elements(ps, row, label, text);
    return take_value(ps, row, label, text);
}

static enum opt_result parse_env(struct parse *ps)
{
    enum opt_result result = OPT_RUN;
    const struct opt *rows = ps->program->rows;
    for (size_t i = 0; rows[i].name && result == OPT_RUN; i++)
        if (!ps->given[i])
            result = parse_row_env(ps, &rows[i]);
    return result;
}

static void set_defaults(struct parse *ps)
{
    const struct opt *rows = ps->program->rows;
    for (size_t i = 0; rows[i].name; i++) {
        if (ps->given[i] || !rows[i].fallback)
            continue;
        int err = row_set(&rows[i], ps->into, rows[i].fallback);
        assert(err == 0);
        (void)err;
    }
}

enum opt_result opt_parse(const struct opt_program *p, int argc, char **argv, void *into,
                          const char **operands, size_t max_operands, size_t *n_operands)
{
    size_t n_rows = 0;
    for (; p->rows[n_rows].name; n_rows++)
        row_clear(&p->rows[n_rows], into);
    struct parse ps = {.program = p,
                       .into = into,
                       .given = xcalloc(n_rows, sizeof(bool)),
                       .next = argc > 0 ? argv + 1 : argv,
                       .end = argv + argc,
                       .operands = operands,
                       .max_operands = max_operands};
    enum opt_result result = parse_argv(&ps);
    if (result == OPT_RUN)
        result = parse_env(&ps);
    if (result == OPT_RUN)
        set_defaults(&ps);
    if (n_operands)
        *n_operands = ps.n_operands;
    free(ps.given);
    return result;
}

static const char *row_placeholder(const struct opt *row)
{
    if (row->value)
        return row->value;
    switch (row->type) {
    case OPT_FLAG:
        return "";
    case OPT_UINT:
        return "N";
    case OPT_MSEC:
        return "TIME";
    case OPT_SIZE:
        return "SIZE";
    case OPT_TEXT:
    case OPT_LIST:
        break;
    }
    return "TEXT";
}

/* "  -w, --workers N"; returns its width. With @out NULL only measures. */
static int format_left(const struct opt *row, char *out, size_t size)
{
    char letter[] = "-?, ";
    letter[1] = row->letter;
    const char *value = row->type == OPT_FLAG ? "" : row_placeholder(row);
    return snprintf(out, size, "  %s--%s%s%s", row->letter ? letter : "    ", row->name,
                    value[0] ? " " : "", value);
}

static void help_row_print(const struct opt *row, int width, FILE *out)
{
    char left[2 * LABEL_MAX];
    format_left(row, left, sizeof left);
    fprintf(out, "%-*s  %s", width, left, row->help);
    bool repeats = row->type == OPT_LIST;
    const char *fallback = row->type == OPT_FLAG ? NULL : row->fallback;
    if (repeats || fallback)
        fprintf(out, " (%s%s%s%s)", repeats ? "repeatable" : "", repeats && fallback ? ", " : "",
                fallback ? "default " : "", fallback ? fallback : "");
    fputc('\n', out);
}

static bool has_type(const struct opt_program *p, enum opt_type type)
{
    for (const struct opt *row = p->rows; row->name; row++)
        if (row->type == type)
            return true;
    return false;
}

static void help_notes_print(const struct opt_program *p, FILE *out)
{
    char env[LABEL_MAX];
    fputc('\n', out);
    if (has_type(p, OPT_MSEC))
        fputs("Durations are written 500ms, 4s, 10m, 24h or 30d.\n", out);
    if (has_type(p, OPT_SIZE))
        fputs("Sizes are in octets: 512, 64k, 16m or 2g.\n", out);
    if (p->rows[0].name) {
        env_name(p, &p->rows[0], env);
        fprintf(out, "Every option can also come from the environment: %s for --%s.\n", env,
                p->rows[0].name);
    }
    if (p->epilogue)
        fprintf(out, "\n%s\n", p->epilogue);
}

static void widen(int *width, const struct opt *row)
{
    int left = format_left(row, NULL, 0);
    if (left > *width)
        *width = left;
}

void opt_help(const struct opt_program *p, FILE *out)
{
    struct opt help = help_row;
    if (find_letter(p, 'h'))
        help.letter = 0;
    int width = 0;
    widen(&width, &help);
    for (const struct opt *row = p->rows; row->name; row++)
        widen(&width, row);
    fprintf(out, "usage: %s\n\n%s\n\noptions:\n", p->usage, p->about);
    for (const struct opt *row = p->rows; row->name; row++)
        help_row_print(row, width, out);
    if (!find_name(p, SLICE("help")))
        help_row_print(&help, width, out);
    if (!find_name(p, SLICE("version")))
        help_row_print(&version_row, width, out);
    help_notes_print(p, out);
}
