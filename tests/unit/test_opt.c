/* SPDX-License-Identifier: MIT */
/* test_opt.c - options: every way to give one, precedence, error lines, help for each row. */
#include "h2mux/base/opt.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

#include "h2mux/base/err.h"

#define COUNT(rows) (sizeof rows / sizeof((rows)[0]))

static struct options {
    bool verbose, quick;
    uint64_t workers, hold_ms, body;
    const char *cert, *host;
    struct opt_list listen;
} options;

static int check_address(const char *value)
{
    return strchr(value, ':') ? 0 : ERR_SYNTAX;
}

#define AT(field) offsetof(struct options, field)
static const struct opt rows[] = {
    {"verbose", 'v', OPT_FLAG, AT(verbose), NULL, 0, 0, NULL, "say more", NULL, NULL, NULL, 0, 0},
    {"quick", 'q', OPT_FLAG, AT(quick), NULL, 0, 0, NULL, "be quick", NULL, NULL, NULL, 0, 0},
    {"workers", 'w', OPT_UINT, AT(workers), "1", 0, 256, "N", "event loops", NULL, NULL, NULL, 0,
     0},
    {"hold", 0, OPT_MSEC, AT(hold_ms), "4s", 500, 600000, "TIME", "wait for a client", NULL, NULL,
     NULL, 0, 0},
    {"max-body", 0, OPT_SIZE, AT(body), "16m", 0, 0, "SIZE", "largest body", NULL, NULL, NULL, 0,
     0},
    {"cert", 'c', OPT_TEXT, AT(cert), NULL, 0, 0, "FILE", "certificate", NULL, NULL, NULL, 0, 0},
    {"listen", 'l', OPT_LIST, AT(listen), "127.0.0.1:80", 0, 0, "ADDR:PORT", "address",
     check_address, "ADDR:PORT", NULL, 0, 0},
    {0},
};
static const struct opt rows_with_h[] = {
    {"host", 'h', OPT_TEXT, AT(host), "localhost", 0, 0, "NAME", "who", NULL, NULL, NULL, 0, 0},
    {"help", 0, OPT_FLAG, AT(quick), NULL, 0, 0, NULL, "own help", NULL, NULL, NULL, 0, 0},
    {0},
};
static const struct opt_program program = {"oneportd",
                                           "ONEPORTD_",
                                           "oneportd [options]",
                                           "Shares a port.",
                                           "See also: oneport.",
                                           rows,
                                           NULL,
                                           NULL,
                                           NULL,
                                           NULL,
                                           NULL};
static const struct opt_program program_with_h = {
    "oneport",    "ONEPORT_", "oneport [options] PORT",
    "Shares it.", NULL,       rows_with_h,
    NULL,         NULL,       NULL,
    NULL,         NULL};

enum { OPERANDS_MAX = 2 };
static const char *operands[OPERANDS_MAX];
static size_t n_operands;
static char printed[8192]; /* what the last parse() wrote to standard output and error */

static void capture(int fd, int *saved, FILE *to)
{
    fflush(NULL);
    *saved = dup(fd);
    assert_true(dup2(fileno(to), fd) >= 0);
}

static void restore(int fd, int saved)
{
    fflush(NULL);
    assert_true(dup2(saved, fd) >= 0);
    close(saved);
}

/* @line: the arguments, split at each '|'. They live as long as the options borrow them. */
static enum opt_result parse(const struct opt_program *p, const char *line)
{
    static char text[512];
    static char *argv[16];
    int argc = 1, saved_out, saved_err;
    snprintf(text, sizeof text, "%s", line);
    argv[0] = text + sizeof text - 1;
    for (char *rest = text[0] ? text : NULL, *arg; (arg = strsep(&rest, "|"));)
        argv[argc++] = arg;
    FILE *out = tmpfile();
    assert_non_null(out);
    memset(&options, 0xee, sizeof options); /* nothing may be left as it was */
    capture(STDOUT_FILENO, &saved_out, out);
    capture(STDERR_FILENO, &saved_err, out);
    enum opt_result result =
        opt_parse(p, argc, argv, &options, operands, OPERANDS_MAX, &n_operands);
    restore(STDERR_FILENO, saved_err);
    restore(STDOUT_FILENO, saved_out);
    rewind(out);
    printed[fread(printed, 1, sizeof printed - 1, out)] = '\0';
    fclose(out);
    return result;
}

static void test_defaults(void **state)
{
    assert_int_equal(parse(&program, ""), OPT_RUN);
    assert_string_equal(printed, "");
    assert_false(options.verbose);
    assert_int_equal(options.workers, 1);
    assert_int_equal(options.hold_ms, 4000);
    assert_int_equal(options.body, 16 << 20);
    assert_null(options.cert);
    assert_int_equal(options.listen.count, 1);
    assert_string_equal(options.listen.item[0], "127.0.0.1:80");
    assert_int_equal(n_operands, 0);
}

static void test_forms(void **state)
{
    static const struct {
        const char *name, *line;
        bool verbose, quick;
        uint64_t workers;
        const char *cert;
        size_t operands;
    } table[] = {
        {"long, next word", "--workers|3|--cert|a.pem", false, false, 3, "a.pem", 0},
        {"long, equals", "--workers=3|--cert=a=b", false, false, 3, "a=b", 0},
        {"letter, next word", "-w|3|-c|a.pem", false, false, 3, "a.pem", 0},
        {"letter, joined", "-w3|-ca.pem", false, false, 3, "a.pem", 0},
        {"flags", "--verbose|-q", true, true, 1, NULL, 0},
        {"flags together", "-vqw3", true, true, 3, NULL, 0},
        {"last one counts", "-w|3|-w|4", false, false, 4, NULL, 0},
        {"value like an option", "--cert|-v", false, false, 1, "-v", 0},
        {"operands between", "one|-v|two", true, false, 1, NULL, 2},
        {"a dash is an operand", "-|-v", true, false, 1, NULL, 1},
        {"two dashes end it", "-q|--|-v", false, true, 1, NULL, 1},
    };
    for (size_t i = 0; i < COUNT(table); i++) {
        if (parse(&program, table[i].line) != OPT_RUN)
            fail_msg("%s: %s", table[i].name, printed);
        assert_int_equal(options.verbose, table[i].verbose);
        assert_int_equal(options.quick, table[i].quick);
        assert_int_equal(options.workers, table[i].workers);
        assert_int_equal(n_operands, table[i].operands);
        assert_int_equal(!options.cert, !table[i].cert);
        if (table[i].cert)
            assert_string_equal(options.cert, table[i].cert);
    }
}

static void test_operands(void **state)
{
    assert_int_equal(parse(&program, "http|-v|--|--cert"), OPT_RUN);
    assert_string_equal(operands[0], "http");
    assert_string_equal(operands[1], "--cert");
}

static void test_list(void **state)
{
    assert_int_equal(parse(&program, "-l|a:1|--listen=b:2,c:3"), OPT_RUN);
    /* The default is gone; a comma splits only in the environment. */
    assert_int_equal(options.listen.count, 2);
    assert_string_equal(options.listen.item[0], "a:1");
    assert_string_equal(options.listen.item[1], "b:2,c:3");

    struct opt_list *list = &options.listen;
    static char *argv[OPT_LIST_MAX + 1];
    static char prog[] = "x", value[] = "-la:1";
    argv[0] = prog;
    for (size_t i = 1; i <= OPT_LIST_MAX; i++)
        argv[i] = value;
    assert_int_equal(opt_parse(&program, OPT_LIST_MAX + 1, argv, &options, NULL, 0, NULL), OPT_RUN);
    assert_int_equal(list->count, OPT_LIST_MAX);
}

static void test_environment(void **state)
{
    setenv("ONEPORTD_WORKERS", "7", 1);
    setenv("ONEPORTD_MAX_BODY", "64k", 1);
    setenv("ONEPORTD_VERBOSE", "true", 1);
    setenv("ONEPORTD_QUICK", "0", 1);
    setenv("ONEPORTD_LISTEN", "a:1, b:2,,c:3", 1);
    setenv("ONEPORTD_CERT", "", 1);
    assert_int_equal(parse(&program, ""), OPT_RUN);
    assert_int_equal(options.workers, 7);
    assert_int_equal(options.body, 65536);
    assert_true(options.verbose);
    assert_false(options.quick);
    assert_null(options.cert); /* empty is not set */
    assert_int_equal(options.listen.count, 3);
    assert_string_equal(options.listen.item[1], "b:2");
    assert_string_equal(options.listen.item[2], "c:3");
    free(options.listen.copy);

    assert_int_equal(parse(&program, "-w9|-l|z:9"), OPT_RUN); /* the flag wins */
    assert_int_equal(options.workers, 9);
    assert_int_equal(options.listen.count, 1);
    assert_string_equal(options.listen.item[0], "z:9");
    static const char *const names[] = {"WORKERS", "MAX_BODY", "VERBOSE",
                                        "QUICK",   "LISTEN",   "CERT"};
    for (size_t i = 0; i < COUNT(names); i++) {
        char name[32];
        snprintf(name, sizeof name, "ONEPORTD_%s", names[i]);
        unsetenv(name);
    }
}

static void test_error_lines(void **state)
{
    static const struct {
        const char *line, *want;
    } table[] = {
        {"--foo", "oneportd: unknown option --foo (see --help)\n"},
        {"--foo=bar", "oneportd: unknown option --foo (see --help)\n"},
        {"--work|3", "oneportd: unknown option --work (see --help)\n"}, /* no abbreviations */
        {"-x", "oneportd: unknown option -x (see --help)\n"},
        {"-vx", "oneportd: unknown option -x (see --help)\n"},
        {"--cert", "oneportd: --cert needs a value\n"},
        {"-c", "oneportd: --cert needs a value\n"},
        {"--cert=", "oneportd: --cert needs a value\n"},
        {"--workers=", "oneportd: --workers needs a value\n"},
        {"--verbose=1", "oneportd: --verbose takes no value\n"},
        {"--no-verbose=1", "oneportd: --no-verbose takes no value\n"},
        {"--no-workers", "oneportd: unknown option --no-workers (see --help)\n"},
        {"--no-", "oneportd: unknown option --no- (see --help)\n"},
        {"--hold|4x", "oneportd: --hold: '4x' is not a duration (500ms, 4s, 10m, 24h)\n"},
        {"--hold|100ms", "oneportd: --hold: '100ms' is out of range (500ms to 10m)\n"},
        {"--hold|11m", "oneportd: --hold: '11m' is out of range (500ms to 10m)\n"},
        {"-wx", "oneportd: --workers: 'x' is not a number\n"},
        {"-w-1", "oneportd: --workers: '-1' is not a number\n"},
        {"-w257", "oneportd: --workers: '257' is out of range (0 to 256)\n"},
        {"--max-body|1t", "oneportd: --max-body: '1t' is not a size (512, 64k, 16m, 2g)\n"},
        {"--max-body|99999999999999g", "oneportd: --max-body: '99999999999999g' is too large\n"},
        {"-l|nowhere", "oneportd: --listen: 'nowhere' is not ADDR:PORT\n"},
        {"a|b|c", "oneportd: unexpected argument 'c' (see --help)\n"},
    };
    for (size_t i = 0; i < COUNT(table); i++) {
        assert_int_equal(parse(&program, table[i].line), OPT_WRONG);
        assert_string_equal(printed, table[i].want);
    }
}

static void test_environment_errors(void **state)
{
    static const struct {
        const char *name, *value, *want;
    } table[] = {
        {"ONEPORTD_HOLD", "4x",
         "oneportd: ONEPORTD_HOLD: '4x' is not a duration (500ms, 4s, 10m, 24h)\n"},
        {"ONEPORTD_VERBOSE", "yes",
         "oneportd: ONEPORTD_VERBOSE: 'yes' is not 1, 0, true or false\n"},
        {"ONEPORTD_LISTEN", "a:1,b", "oneportd: ONEPORTD_LISTEN: 'b' is not ADDR:PORT\n"},
        {"ONEPORTD_LISTEN", "b", "oneportd: ONEPORTD_LISTEN: 'b' is not ADDR:PORT\n"},
    };
    for (size_t i = 0; i < COUNT(table); i++) {
        setenv(table[i].name, table[i].value, 1);
        assert_int_equal(parse(&program, ""), OPT_WRONG);
        assert_string_equal(printed, table[i].want);
        assert_int_equal(parse(&program, "--help"), OPT_SHOWN); /* help never depends on it */
        unsetenv(table[i].name);
    }
}

/* O27: what Kubernetes and Docker set for a service of this name is not read. */
static void test_variables_of_services(void **state)
{
    static const char *const values[] = {"tcp://10.0.0.1:3000", "udp://10.0.0.1:53",
                                         "TCP://[fd00::1]:3000", "sctp://10.0.0.1:9"};
    static const char *const names[] = {"ONEPORTD_WORKERS", "ONEPORTD_LISTEN", "ONEPORTD_VERBOSE",
                                        "ONEPORTD_HOLD",    "ONEPORTD_CERT",   "ONEPORTD_MAX_BODY"};
    for (size_t i = 0; i < COUNT(values) * COUNT(names); i++) {
        char label[OPT_LABEL_MAX];
        size_t at = 0;
        setenv(names[i % COUNT(names)], values[i / COUNT(names)], 1);
        assert_int_equal(parse(&program, ""), OPT_RUN);
        assert_string_equal(printed, "");
        assert_int_equal(options.workers, 1);
        assert_int_equal(options.listen.count, 1);
        assert_false(options.verbose);
        assert_int_equal(options.hold_ms, 4000);
        assert_int_equal(options.body, 16 << 20);
        assert_null(options.cert);
        assert_string_equal(opt_next_foreign(&program, &at, label), values[i / COUNT(names)]);
        assert_string_equal(label, names[i % COUNT(names)]);
        assert_null(opt_next_foreign(&program, &at, label));
        unsetenv(names[i % COUNT(names)]);
    }
    assert_false(opt_is_foreign("tcp:/x"));
    assert_false(opt_is_foreign("3000"));
    assert_false(opt_is_foreign("https://10.0.0.1:3000"));
    assert_false(opt_is_foreign(""));
    /* On the command line such a value is an error like any other. */
    assert_int_equal(parse(&program, "-w|tcp://10.0.0.1:3000"), OPT_WRONG);
}

/* ---- options that contradict each other */

static struct rivals {
    bool verbose, quick;
    const char *cert;
    enum opt_source from_cert, from_quick;
} rivals;
#define RIVAL(field) .offset = offsetof(struct rivals, field)
static const struct opt rival_rows[] = {
    {.name = "verbose", .type = OPT_FLAG, RIVAL(verbose), .help = "-"},
    {.name = "quick",
     .type = OPT_FLAG,
     RIVAL(quick),
     .help = "-",
     .beats = "verbose, cert",
     .source = offsetof(struct rivals, from_quick)},
    {.name = "cert",
     .type = OPT_TEXT,
     RIVAL(cert),
     .fallback = "none",
     .help = "-",
     .source = offsetof(struct rivals, from_cert)},
    {0},
};
static const struct opt_program rival_program = {.name = "x",
                                                 .env_prefix = "X_",
                                                 .usage = "-",
                                                 .about = "-",
                                                 .beats = "quick",
                                                 .rows = rival_rows};

static const struct {
    const char *label;
    const char *words[4];
    const char *env[3]; /* verbose, quick, cert */
    struct rivals want;
} matches[] = {
    {"O27 nothing", {NULL}, {NULL}, {false, false, "none", OPT_FALLBACK, OPT_FALLBACK}},
    {"O27 the environment alone",
     {NULL},
     {"1", "1", "e"},
     {true, true, "e", OPT_ENVIRONMENT, OPT_ENVIRONMENT}},
    {"O27 the command line beats",
     {"--quick"},
     {"1", NULL, "e"},
     {false, true, "none", OPT_FALLBACK, OPT_COMMAND_LINE}},
    {"O27 beaten values are not judged",
     {"--quick"},
     {"perhaps", NULL, NULL},
     {false, true, "none", OPT_FALLBACK, OPT_COMMAND_LINE}},
    {"O27 both on the command line",
     {"--quick", "--cert", "c"},
     {NULL},
     {false, true, "c", OPT_COMMAND_LINE, OPT_COMMAND_LINE}},
    {"O27 an operand beats",
     {"operand"},
     {"1", "1", NULL},
     {true, false, "none", OPT_FALLBACK, OPT_FALLBACK}},
    {"O27 a flag is turned off",
     {"--no-verbose", "--no-quick"},
     {"1", "1", NULL},
     {false, false, "none", OPT_FALLBACK, OPT_COMMAND_LINE}},
    {"O27 the last of two counts",
     {"--quick", "--no-quick", "--verbose"},
     {NULL},
     {true, false, "none", OPT_FALLBACK, OPT_COMMAND_LINE}},
};

static void test_contradictions(void **state)
{
    static const char *const names[] = {"X_VERBOSE", "X_QUICK", "X_CERT"};
    for (size_t i = 0; i < COUNT(matches); i++) {
        const struct rivals *want = &matches[i].want;
        char *argv[5] = {(char[]){"x"}};
        int argc = 1;
        for (; argc <= 4 && matches[i].words[argc - 1]; argc++)
            argv[argc] = (char *)(uintptr_t)matches[i].words[argc - 1];
        for (size_t n = 0; n < COUNT(names); n++)
            setenv(names[n], matches[i].env[n] ? matches[i].env[n] : "", 1);
        print_message("%s\n", matches[i].label);
        assert_int_equal(opt_parse(&rival_program, argc, argv, &rivals, operands, 1, &n_operands),
                         OPT_RUN);
        assert_int_equal(rivals.verbose, want->verbose);
        assert_int_equal(rivals.quick, want->quick);
        assert_string_equal(rivals.cert, want->cert);
        assert_int_equal(rivals.from_cert, want->from_cert);
        assert_int_equal(rivals.from_quick, want->from_quick);
    }
    for (size_t n = 0; n < COUNT(names); n++)
        unsetenv(names[n]);
}

static void test_list_too_long(void **state)
{
    char value[OPT_LIST_MAX * 4 + 8] = "";
    for (size_t i = 0; i <= OPT_LIST_MAX; i++)
        memcpy(value + 4 * i, "a:1,", 5);
    setenv("ONEPORTD_LISTEN", value, 1);
    assert_int_equal(parse(&program, ""), OPT_WRONG);
    assert_string_equal(printed, "oneportd: ONEPORTD_LISTEN: more than 64 values\n");
    assert_int_equal(options.listen.count, 0);
    unsetenv("ONEPORTD_LISTEN");
}

static void test_help_rows(void **state)
{
    static const char *const want[] = {
        "usage: oneportd [options]\n",
        "\nShares a port.\n",
        "\n  -v, --verbose           say more\n",
        "\n  -w, --workers N         event loops (default 1)\n",
        "\n      --hold TIME         wait for a client (default 4s)\n",
        "\n      --max-body SIZE     largest body (default 16m)\n",
        "\n  -c, --cert FILE         certificate\n",
        "\n  -l, --listen ADDR:PORT  address (repeatable, default 127.0.0.1:80)\n",
        "\n  -h, --help              show this and exit\n",
        "\n  -V, --version           show the version and exit\n",
        "ONEPORTD_VERBOSE for --verbose",
        "\nSee also: oneport.\n",
    };
    static const char *const ways[] = {"--help", "-h", "-vh", "-w3|--help|--foo"};
    for (size_t way = 0; way < COUNT(ways); way++) {
        assert_int_equal(parse(&program, ways[way]), OPT_SHOWN);
        for (size_t i = 0; i < COUNT(want); i++)
            if (!strstr(printed, want[i]))
                fail_msg("'%s' not in:\n%s", want[i], printed);
    }
    for (const struct opt *row = rows; row->name; row++) {
        char line[128];
        snprintf(line, sizeof line, " --%s", row->name);
        const char *at = strstr(printed, line);
        assert_non_null(at);
        assert_non_null(strstr(at, row->help));
    }
}

/* O109: what is made of the table has each option; another kind is no option. */
static void test_generate(void **state)
{
    static const struct {
        const char *kind, *want[4];
    } table[] = {
        {"man",
         {"*-v*, *--[no-]verbose*\n\tsay more.\n", "*-w*, *--workers* _N_\n",
          "event loops. Default: 1.\n",
          "address. Default: 127.0.0.1:80. May be given several times."}},
        {"bash", {"--no-verbose ", "    -w | --workers)\n", "compgen -f", "complete -F _oneportd"}},
        {"zsh",
         {"{-v,--verbose}'[say more]'", "{-w+,--workers=}'[event loops]:N:'",
          "'*'{-l+,--listen=}'[address]:ADDR\\:PORT:'", ":FILE:_files'"}},
        {"fish",
         {"-s v -l verbose -d 'say more'\n", "-s w -l workers -x -d 'event loops'\n",
          "-l cert -r -F -d 'certificate'\n", "-l no-quick "}},
    };
    for (size_t i = 0; i < COUNT(table); i++) {
        char line[32];
        snprintf(line, sizeof line, "--generate=%s", table[i].kind);
        assert_int_equal(parse(&program, line), OPT_SHOWN);
        for (size_t n = 0; n < COUNT(table[i].want); n++)
            if (!strstr(printed, table[i].want[n]))
                fail_msg("'%s' not in:\n%s", table[i].want[n], printed);
    }
    assert_int_equal(parse(&program, "--generate=html"), OPT_WRONG);
    assert_int_equal(parse(&program, "--generate=words"), OPT_WRONG); /* it has none */
    assert_int_equal(parse(&program, "--generate"), OPT_WRONG);
}

static void test_rows_win_over_built_in(void **state)
{
    assert_int_equal(parse(&program_with_h, "-h|example.org|--help"), OPT_RUN);
    assert_string_equal(options.host, "example.org");
    assert_true(options.quick);
    assert_int_equal(parse(&program_with_h, "--version"), OPT_SHOWN);
    assert_int_equal(strncmp(printed, "oneport ", 8), 0);
    assert_non_null(strchr(printed, '\n'));

    FILE *out = tmpfile();
    opt_help(&program_with_h, out);
    rewind(out);
    printed[fread(printed, 1, sizeof printed - 1, out)] = '\0';
    fclose(out);
    assert_non_null(strstr(printed, "own help"));
    assert_null(strstr(printed, "-h, --help"));
    assert_null(strstr(printed, "show this and exit"));
}

/* What a reader of the table sees: each row once, with what the type says where the row does not.
 */
static void test_rows_for_readers(void **state)
{
    static const struct {
        const char *name, *metavar, *unit, *fallback, *env;
        bool repeats, built_in;
    } want[] = {
        {"verbose", "", "", NULL, "ONEPORTD_VERBOSE", false, false},
        {"quick", "", "", NULL, "ONEPORTD_QUICK", false, false},
        {"workers", "N", "", "1", "ONEPORTD_WORKERS", false, false},
        {"hold", "TIME", "ms", "4s", "ONEPORTD_HOLD", false, false},
        {"max-body", "SIZE", "bytes", "16m", "ONEPORTD_MAX_BODY", false, false},
        {"cert", "FILE", "", NULL, "ONEPORTD_CERT", false, false},
        {"listen", "ADDR:PORT", "", "127.0.0.1:80", "ONEPORTD_LISTEN", true, false},
        {"help", "", "", NULL, "ONEPORTD_HELP", false, true},
        {"version", "", "", NULL, "ONEPORTD_VERSION", false, true},
    };
    struct opt_row row;
    size_t at = 0;
    for (size_t i = 0; i < COUNT(want); i++) {
        char env[OPT_LABEL_MAX];
        assert_true(opt_next(&program, &at, &row));
        assert_string_equal(row.opt->name, want[i].name);
        assert_string_equal(row.metavar, want[i].metavar);
        assert_string_equal(row.unit, want[i].unit);
        assert_int_equal(!row.fallback, !want[i].fallback);
        if (row.fallback)
            assert_string_equal(row.fallback, want[i].fallback);
        assert_int_equal(row.repeats, want[i].repeats);
        assert_int_equal(row.built_in, want[i].built_in);
        opt_env_name(&program, row.opt, env);
        assert_string_equal(env, want[i].env);
    }
    assert_false(opt_next(&program, &at, &row));
    at = 0;
    size_t rows_seen = 0;
    while (opt_next(&program_with_h, &at, &row))
        rows_seen++;
    assert_int_equal(rows_seen, 3); /* its own --help, no built-in one */
}

/* Values are printed as they would be typed, and cut where there is no room. */
static void test_value_text(void **state)
{
    static const struct {
        const char *line, *want[7];
    } table[] = {
        {"", {"0", "0", "1", "4s", "16m", "", "127.0.0.1:80"}},
        {"-vw0|--hold=90s|--max-body=1025|-ca.pem|-la:1|-lb:2",
         {"1", "0", "0", "90s", "1025", "a.pem", "a:1,b:2"}},
        {"--hold=60000ms|--max-body=0", {"0", "0", "1", "1m", "0", "", "127.0.0.1:80"}},
    };
    char text[64], little[4];
    for (size_t i = 0; i < COUNT(table); i++) {
        assert_int_equal(parse(&program, table[i].line), OPT_RUN);
        for (size_t at = 0; at < COUNT(table[i].want); at++) {
            const char *field = (const char *)&options + rows[at].offset;
            size_t len = opt_value_text(&rows[at], field, text, sizeof text);
            assert_string_equal(text, table[i].want[at]);
            assert_int_equal(len, strlen(text));
            assert_int_equal(opt_value_text(&rows[at], field, little, sizeof little), len);
            assert_int_equal(strncmp(little, text, 3), 0);
            assert_int_equal(strlen(little), len < 3 ? len : 3);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_defaults),
        cmocka_unit_test(test_forms),
        cmocka_unit_test(test_operands),
        cmocka_unit_test(test_list),
        cmocka_unit_test(test_environment),
        cmocka_unit_test(test_error_lines),
        cmocka_unit_test(test_environment_errors),
        cmocka_unit_test(test_variables_of_services),
        cmocka_unit_test(test_contradictions),
        cmocka_unit_test(test_list_too_long),
        cmocka_unit_test(test_help_rows),
        cmocka_unit_test(test_generate),
        cmocka_unit_test(test_rows_win_over_built_in),
        cmocka_unit_test(test_rows_for_readers),
        cmocka_unit_test(test_value_text),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
