/* SPDX-License-Identifier: MIT */
/* opt_help.c - prints the table of options as --help. */
#include "h2mux/base/opt_int.h"

/* Writes the left column of a row, for instance " -w, --workers N", to @out and returns its width
 * in characters. Writes nothing if @out is NULL and @size is 0. */
static int left_text(const struct opt_row *row, char *out, size_t size)
{
    char letter[] = "-?, ";
    letter[1] = row->opt->letter;
    return snprintf(out, size, "  %s--%s%s%s", row->opt->letter ? letter : "    ", row->opt->name,
                    row->metavar[0] ? " " : "", row->metavar);
}

static void print_row(const struct opt_row *row, int width, FILE *out)
{
    char left[2 * OPT_LABEL_MAX];
    left_text(row, left, sizeof left);
    fprintf(out, "%-*s  %s", width, left, row->opt->help);
    if (row->repeats || row->fallback)
        fprintf(out, " (%s%s%s%s)", row->repeats ? "repeatable" : "",
                row->repeats && row->fallback ? ", " : "", row->fallback ? "default " : "",
                row->fallback ? row->fallback : "");
    fputc('\n', out);
}

static bool has_type(const struct opt_program *p, enum opt_type type)
{
    for (const struct opt *row = p->rows; row->name; row++)
        if (row->type == type)
            return true;
    return false;
}

static void print_notes(const struct opt_program *p, FILE *out)
{
    char env[OPT_LABEL_MAX];
    fputc('\n', out);
    for (enum opt_type type = OPT_FLAG; type <= OPT_LIST; type++)
        if (opt_type_info(type)->note && has_type(p, type))
            fprintf(out, "%s\n", opt_type_info(type)->note);
    if (p->rows[0].name) {
        opt_env_name(p, &p->rows[0], env);
        fprintf(out, "Every option can also come from the environment: %s for --%s.\n", env,
                p->rows[0].name);
    }
    if (p->epilogue)
        fprintf(out, "\n%s\n", p->epilogue);
}

void opt_help(const struct opt_program *p, FILE *out)
{
    struct opt_row row;
    int width = 0;
    for (size_t at = 0; opt_next(p, &at, &row);) {
        int left = left_text(&row, NULL, 0);
        if (left > width)
            width = left;
    }
    fprintf(out, "usage: %s\n\n%s\n\noptions:\n", p->usage, p->about);
    for (size_t at = 0; opt_next(p, &at, &row);)
        print_row(&row, width, out);
    print_notes(p, out);
}
