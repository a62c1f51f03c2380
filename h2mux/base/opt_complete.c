/* SPDX-License-Identifier: MIT */
/* opt_complete.c - prints completions for shells from the table of options.
 *
 * The name of a value says what completes it: FILE and DIR are paths, and words without capitals,
 * as in "auto|on|off", are the values themselves. Behind a command the program itself is asked for
 * words. */
#include "h2mux/base/opt_int.h"

/* What may complete the value of an option. */
struct values {
    bool files, folders;
    char words[2 * OPT_LABEL_MAX]; /* with blanks */
};

static bool is_word(struct slice s)
{
    for (size_t i = 0; i < s.len; i++)
        if (!strchr("abcdefghijklmnopqrstuvwxyz0123456789-", s.ptr[i]))
            return false;
    return s.len > 0;
}

static struct values values_of(const struct opt_row *row)
{
    struct values v = {.words = ""};
    struct slice rest = slice_str(row->metavar);
    size_t len = 0;
    while (rest.len > 0) {
        ptrdiff_t bar = slice_find(rest, '|');
        struct slice one = slice_make(rest.ptr, bar < 0 ? rest.len : (size_t)bar);
        rest = slice_skip(rest, bar < 0 ? rest.len : one.len + 1);
        v.files |= slice_eq(one, SLICE("FILE"));
        v.folders |= slice_eq(one, SLICE("DIR"));
        if (is_word(one) && len + one.len + 2 < sizeof v.words)
            len += (size_t)snprintf(v.words + len, sizeof v.words - len, "%s%.*s", len ? " " : "",
                                    SLICE_FMT(one));
    }
    return v;
}

/* Prints @text inside single quotes of a shell. @special characters get a backslash. */
static void print_quoted(const char *text, const char *special, bool fish, FILE *out)
{
    for (; *text; text++) {
        if (*text == '\'')
            fputs(fish ? "\\'" : "'\\''", out);
        else if (fish && *text == '\\')
            fputs("\\\\", out);
        else if (strchr(special, *text))
            fprintf(out, "\\%c", *text);
        else
            fputc(*text, out);
    }
}

/* Prints the commands with blanks. */
static void print_commands(const struct opt_program *p, FILE *out)
{
    struct slice rest = slice_str(p->commands ? p->commands : ""), one;
    const char *blank = "";
    while (slice_next_token(&rest, &one)) {
        fprintf(out, "%s%.*s", blank, SLICE_FMT(one));
        blank = " ";
    }
}

static struct slice first_command(const struct opt_program *p)
{
    struct slice rest = slice_str(p->commands ? p->commands : ""), one = SLICE("");
    return slice_next_token(&rest, &one) ? one : SLICE("");
}

static bool is_flag(const struct opt_row *row)
{
    return row->opt->type == OPT_FLAG;
}

/* ---- bash */

static void bash_values(const struct opt_row *row, FILE *out)
{
    struct values v = values_of(row);
    fputs("    ", out);
    if (row->opt->letter)
        fprintf(out, "-%c | ", row->opt->letter);
    fprintf(out, "--%s)\n", row->opt->name);
    if (v.files || v.folders)
        fprintf(out,
                "        compopt -o filenames\n"
                "        mapfile -t COMPREPLY < <(compgen %s -W '%s' -- \"$cur\")\n",
                v.files ? "-f" : "-d", v.words);
    else if (v.words[0])
        fprintf(out, "        mapfile -t COMPREPLY < <(compgen -W '%s' -- \"$cur\")\n", v.words);
    fputs("        return ;;\n", out);
}

static void bash_options(const struct opt_program *p, FILE *out)
{
    struct opt_row row;
    fputs("    local options='", out);
    for (size_t at = 0; opt_next(p, &at, &row);) {
        fprintf(out, "--%s ", row.opt->name);
        if (is_flag(&row) && !row.built_in)
            fprintf(out, "--no-%s ", row.opt->name);
    }
    fputs("'\n", out);
}

static void complete_bash(const struct opt_program *p, FILE *out)
{
    struct opt_row row;
    fprintf(out,
            "# Completes the words of %s in bash; made from its table of options.\n"
            "_%s()\n{\n"
            "    local cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD - 1]}\n",
            p->name, p->name);
    bash_options(p, out);
    fputs("    COMPREPLY=()\n"
          "    # bash makes three words of --name=value\n"
          "    if [[ $cur == = ]]; then cur=''\n"
          "    elif [[ $prev == = ]]; then prev=${COMP_WORDS[COMP_CWORD - 2]}; fi\n"
          "    case $prev in\n",
          out);
    for (size_t at = 0; opt_next(p, &at, &row);)
        if (!is_flag(&row))
            bash_values(&row, out);
    fputs("    esac\n    local words=''\n", out);
    if (p->commands) {
        fputs("    ((COMP_CWORD == 1)) && words='", out);
        print_commands(p, out);
        fputs("'\n", out);
    }
    if (p->print_words)
        fprintf(out,
                "    [[ ${COMP_WORDS[1]} == %.*s && COMP_CWORD -gt 1 ]] && "
                "words=$(%s --generate=words 2>/dev/null)\n",
                SLICE_FMT(first_command(p)), p->name);
    fprintf(out,
            "    [[ $cur == -* ]] && words=$options\n"
            "    mapfile -t COMPREPLY < <(compgen -W \"$words\" -- \"$cur\")\n"
            "}\n"
            "complete -F _%s %s\n",
            p->name, p->name);
}

/* ---- zsh */

static void zsh_row(const struct opt_row *row, FILE *out)
{
    struct values v = values_of(row);
    const char *name = row->opt->name;
    bool both = is_flag(row) && !row->built_in;
    fputs("    ", out);
    if (both)
        fprintf(out, "'(--%s)--no-%s[turn off --%s]' \\\n    ", name, name, name);
    if (row->repeats)
        fputs("'*'", out);
    if (row->opt->letter)
        fprintf(out, "{-%c%s,--%s%s}", row->opt->letter, is_flag(row) ? "" : "+", name,
                is_flag(row) ? "" : "=");
    else
        fprintf(out, "--%s%s", name, is_flag(row) ? "" : "=");
    fputs("'[", out);
    print_quoted(row->opt->help, "[]:", false, out);
    fputs("]", out);
    if (!is_flag(row)) {
        fputs(":", out);
        print_quoted(row->metavar, "[]:", false, out);
        fputs(":", out);
        if (v.files || v.folders)
            fputs(v.files ? "_files" : "_files -/", out);
        else if (v.words[0])
            fprintf(out, "(%s)", v.words);
    }
    fputs("' \\\n", out);
}

static void complete_zsh(const struct opt_program *p, FILE *out)
{
    struct opt_row row;
    fprintf(out,
            "#compdef %s\n"
            "# Completes the words of %s in zsh; made from its table of options.\n"
            "_%s_words() {\n",
            p->name, p->name, p->name);
    if (p->print_words)
        fprintf(out,
                "    if [[ ${words[2]} == %.*s ]] && ((CURRENT > 2)); then\n"
                "        compadd -- ${(f)\"$(%s --generate=words 2>/dev/null)\"}\n"
                "        return\n"
                "    fi\n",
                SLICE_FMT(first_command(p)), p->name);
    fputs("    ((CURRENT == 2)) && compadd -- ", out);
    print_commands(p, out);
    fprintf(out, "\n}\n_%s() {\n    _arguments -s \\\n", p->name);
    for (size_t at = 0; opt_next(p, &at, &row);)
        zsh_row(&row, out);
    fprintf(out, "    '*: :_%s_words'\n}\n_%s \"$@\"\n", p->name, p->name);
}

/* ---- fish */

static void fish_row(const struct opt_program *p, const struct opt_row *row, FILE *out)
{
    struct values v = values_of(row);
    fprintf(out, "complete -c %s", p->name);
    if (row->opt->letter)
        fprintf(out, " -s %c", row->opt->letter);
    fprintf(out, " -l %s", row->opt->name);
    if (v.files || v.folders)
        fputs(" -r -F", out);
    else if (!is_flag(row))
        fputs(" -x", out);
    if (v.words[0])
        fprintf(out, " -a '%s'", v.words);
    fputs(" -d '", out);
    print_quoted(row->opt->help, "", true, out);
    fputs("'\n", out);
    if (is_flag(row) && !row->built_in)
        fprintf(out, "complete -c %s -l no-%s -d 'turn off --%s'\n", p->name, row->opt->name,
                row->opt->name);
}

static void complete_fish(const struct opt_program *p, FILE *out)
{
    struct opt_row row;
    struct slice first = first_command(p);
    fprintf(out,
            "# Completes the words of %s in fish; made from its table of options.\n"
            "complete -c %s -f\n",
            p->name, p->name);
    if (p->commands) {
        fprintf(out, "complete -c %s -n __fish_use_subcommand -a '", p->name);
        print_commands(p, out);
        fputs("'\n", out);
    }
    if (p->print_words)
        fprintf(out,
                "complete -c %s -n '__fish_seen_subcommand_from %.*s' "
                "-a '(%s --generate=words 2>/dev/null)'\n",
                p->name, SLICE_FMT(first), p->name);
    for (size_t at = 0; opt_next(p, &at, &row);)
        fish_row(p, &row, out);
}

/* ---- all */

bool opt_generate(const struct opt_program *p, const char *what, FILE *out)
{
    static const struct {
        const char *what;
        void (*print)(const struct opt_program *p, FILE *out);
    } kinds[] = {
        {"man", opt_man},
        {"bash", complete_bash},
        {"zsh", complete_zsh},
        {"fish", complete_fish},
    };
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
        if (strcmp(kinds[i].what, what) == 0) {
            kinds[i].print(p, out);
            return true;
        }
    }
    if (!p->print_words || strcmp(what, "words") != 0)
        return false;
    p->print_words();
    return true;
}
