/* SPDX-License-Identifier: MIT */
/* opt_help.c - prints the table of options as --help. On a terminal lines are broken at blanks, so
 * that they fit; elsewhere each option is one line, for grep and its like. */
#include "h2mux/base/opt_int.h"

#include <stdlib.h>
#include <sys/ioctl.h>
#include <unistd.h>

enum { NARROWEST = 60, HELP_COLUMN = 28 };

/* Writes the left column of a row, for instance " -w, --workers N", to @out and returns its width
 * in characters. Writes nothing if @out is NULL and @size is 0. */
static int left_text(const struct opt_row *row, char *out, size_t size)
{
    char letter[] = "-?, ";
    letter[1] = row->opt->letter;
    return snprintf(out, size, "  %s--%s%s%s", row->opt->letter ? letter : "    ", row->opt->name,
                    row->metavar[0] ? " " : "", row->metavar);
}

/* Returns the columns of the terminal that @out is; 0: it is none, or does not say. */
static int columns_of(FILE *out)
{
    struct winsize w = {.ws_col = 0};
    if (!isatty(fileno(out)) || ioctl(fileno(out), TIOCGWINSZ, &w) < 0 || w.ws_col == 0)
        return 0;
    return w.ws_col > NARROWEST ? w.ws_col : NARROWEST;
}

/* Prints @text from column @at on, where the cursor is, in lines of less than @columns characters.
 */
static void print_wrapped(const char *text, int at, int columns, FILE *out)
{
    int used = at;
    while (*text) {
        int word = (int)strcspn(text, " ");
        if (used > at && used + 1 + word >= columns) {
            fprintf(out, "\n%*s", at, "");
            used = at;
        }
        used += fprintf(out, "%s%.*s", used > at ? " " : "", word, text);
        text += word;
        text += strspn(text, " ");
    }
}

/* Returns what the option does, and its default; the caller frees it. */
static char *right_text(const struct opt_row *row)
{
    if (!row->repeats && !row->fallback)
        return xstrdup(row->opt->help);
    return xasprintf("%s (%s%s%s%s)", row->opt->help, row->repeats ? "repeatable" : "",
                     row->repeats && row->fallback ? ", " : "", row->fallback ? "default " : "",
                     row->fallback ? row->fallback : "");
}

static void print_row(const struct opt_row *row, int width, int columns, FILE *out)
{
    char left[2 * OPT_LABEL_MAX], *right = right_text(row);
    int len = left_text(row, left, sizeof left);
    if (columns == 0)
        fprintf(out, "%-*s  %s", width, left, right);
    else if (len + 2 <= HELP_COLUMN)
        fprintf(out, "%-*s", HELP_COLUMN, left);
    else
        fprintf(out, "%s\n%*s", left, HELP_COLUMN, "");
    if (columns > 0)
        print_wrapped(right, HELP_COLUMN, columns, out);
    fputc('\n', out);
    free(right);
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
    int width = 0, columns = columns_of(out);
    for (size_t at = 0; opt_next(p, &at, &row);) {
        int left = left_text(&row, NULL, 0);
        if (left > width)
            width = left;
    }
    fprintf(out, "usage: %s\n\n%s\n\noptions:\n", p->usage, p->about);
    for (size_t at = 0; opt_next(p, &at, &row);)
        print_row(&row, width, columns, out);
    print_notes(p, out);
}
