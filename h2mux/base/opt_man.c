/* SPDX-License-Identifier: MIT */
/* opt_man.c - prints the table of options as a part of a manual page, in the language of scdoc. */
#include "h2mux/base/opt_int.h"

/* Prints @text with a backslash before each character that scdoc would take for markup. */
static void print_plain(const char *text, FILE *out)
{
    for (; *text; text++) {
        if (strchr("*_\\~#", *text))
            fputc('\\', out);
        fputc(*text, out);
    }
}

static void print_head(const struct opt_row *row, FILE *out)
{
    if (row->opt->letter)
        fprintf(out, "*-%c*, ", row->opt->letter);
    fputs("*--", out);
    if (row->opt->type == OPT_FLAG && !row->built_in)
        fputs("[no-]", out);
    fprintf(out, "%s*", row->opt->name);
    if (row->metavar[0]) {
        fputs(" _", out);
        print_plain(row->metavar, out);
        fputc('_', out);
    }
    fputc('\n', out);
}

static void print_row(const struct opt_row *row, FILE *out)
{
    print_head(row, out);
    fputc('\t', out);
    print_plain(row->opt->help, out);
    fputc('.', out);
    if (row->fallback) {
        fputs(" Default: ", out);
        print_plain(row->fallback, out);
        fputc('.', out);
    }
    if (row->repeats)
        fputs(" May be given several times.", out);
    if (row->opt->traits & OPT_LIVE)
        fputs(" SIGHUP applies a new value.", out);
    if (row->opt->traits & OPT_AT_TOP)
        fputs(" In a file it belongs above the sections.", out);
    if (row->opt->traits & OPT_NO_FILE)
        fputs(" Has no place in a file.", out);
    fputs("\n\n", out);
}

void opt_man(const struct opt_program *p, FILE *out)
{
    struct opt_row row;
    for (size_t at = 0; opt_next(p, &at, &row);)
        print_row(&row, out);
}
