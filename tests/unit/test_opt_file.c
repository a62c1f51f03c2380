/* SPDX-License-Identifier: MIT */
/* test_opt_file.c - options of files: what is refused with file and line, and what beats what. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

#include "h2mux/base/err.h"
#include "h2mux/base/opt.h"

#define COUNT(rows) (sizeof rows / sizeof((rows)[0]))

static struct options {
    bool quick, log;
    uint64_t workers, hold_ms;
    const char *cert, *key, *file;
    struct opt_list listen, user;
    enum opt_source cert_from, workers_from;
} options;

static int check_address(const char *value)
{
    return strchr(value, ':') ? 0 : ERR_SYNTAX;
}

static struct opt_layers layers; /* what the program finds */

static bool find_layers(void *into, struct opt_layers *out)
{
    assert_ptr_equal(into, &options);
    *out = layers;
    return true;
}

#define AT(field) .offset = offsetof(struct options, field)
static const struct opt rows[] = {
    {.name = "quick", .type = OPT_FLAG, AT(quick), .help = "-"},
    {.name = "log", .type = OPT_FLAG, AT(log), .help = "-", .traits = OPT_AT_TOP},
    {.name = "workers",
     .type = OPT_UINT,
     AT(workers),
     .fallback = "1",
     .max = 8,
     .help = "-",
     .source = offsetof(struct options, workers_from)},
    {.name = "hold", .type = OPT_MSEC, AT(hold_ms), .fallback = "4s", .max = 600000, .help = "-"},
    {.name = "cert",
     .type = OPT_TEXT,
     AT(cert),
     .help = "-",
     .beats = "key",
     .source = offsetof(struct options, cert_from)},
    {.name = "key", .type = OPT_TEXT, AT(key), .help = "-", .beats = "cert"},
    {.name = "config", .type = OPT_TEXT, AT(file), .help = "-", .traits = OPT_NO_FILE},
    {.name = "listen",
     .type = OPT_LIST,
     AT(listen),
     .fallback = "a:0",
     .help = "-",
     .check = check_address,
     .wants = "ADDR:PORT"},
    {.name = "user",
     .type = OPT_LIST,
     AT(user),
     .help = "-",
     .check = check_address,
     .wants = "NAME:PASSWORD",
     .traits = OPT_VEILED | OPT_LINES},
    {.name = NULL},
};
static const struct opt_program program = {.name = "x",
                                           .env_prefix = "X_",
                                           .usage = "-",
                                           .about = "-",
                                           .beats = "cert",
                                           .rows = rows,
                                           .find_layers = find_layers};

static bool fits(const char *section)
{
    return strcmp(section, "web") == 0;
}

/* Runs @act with standard error in @said. */
#define SAYING(said, act)                                                                          \
    do {                                                                                           \
        FILE *to_ = tmpfile();                                                                     \
        fflush(NULL);                                                                              \
        int saved_ = dup(STDERR_FILENO);                                                           \
        dup2(fileno(to_), STDERR_FILENO);                                                          \
        act;                                                                                       \
        fflush(NULL);                                                                              \
        dup2(saved_, STDERR_FILENO);                                                               \
        close(saved_);                                                                             \
        rewind(to_);                                                                               \
        said[fread(said, 1, sizeof said - 1, to_)] = '\0';                                         \
        fclose(to_);                                                                               \
    } while (0)

static struct conf *conf_of(const char *path, const char *text)
{
    char why[CONF_WHY_MAX];
    struct conf *c = NULL;
    assert_int_equal(conf_parse(path, slice_str(text), &c, why), 0);
    return c;
}

static const struct {
    const char *label, *text, *want; /* NULL: it is good */
} judged[] = {
    {"O100 all types", "quick = 1\nworkers = 3\nhold=5s\ncert = f\nlisten = a:1, b:2\n", NULL},
    {"O100 a list in several lines", "listen = a:1\nlisten = b:2, c:3\n", NULL},
    {"O100 the same in two sections", "workers = 3\n[web]\nworkers = 4\n", NULL},
    {"O101 an unknown option", "\nworker = 3\n", "x: f:2: unknown option 'worker'\n"},
    {"O101 with dashes", "--workers = 3\n", "x: f:1: unknown option '--workers'\n"},
    {"O101 a built-in one", "help = 1\n", "x: f:1: unknown option 'help'\n"},
    {"O101 a number", "workers = x\n", "x: f:1: workers: 'x' is not a number\n"},
    {"O101 a range", "workers = 9\n", "x: f:1: workers: '9' is out of range (0 to 8)\n"},
    {"O101 a flag", "quick = perhaps\n", "x: f:1: quick: 'perhaps' is not 1, 0, true or false\n"},
    {"O101 no value", "cert =\n", "x: f:1: cert needs a value\n"},
    {"O101 no value in a list", "listen =\n", "x: f:1: listen needs a value\n"},
    {"O101 an element", "listen = a:1, b\n", "x: f:1: listen: 'b' is not ADDR:PORT\n"},
    {"O101 twice", "cert = f\nquick = 1\ncert = g\n", "x: f:3: cert stands in line 1 already\n"},
    {"O101 twice in a section", "[web]\ncert = f\ncert = f\n",
     "x: f:3: cert stands in line 2 already\n"},
    {"O101 an unknown section", "[wbe]\ncert = f\n", "x: f:2: unknown section [wbe]\n"},
    {"O191 a secret", "user = hidden\n", "x: f:1: user is not NAME:PASSWORD\n"},
    {"O191 one with a comma", "user = ann:a,b\nuser = bob:c\n", NULL},
    {"O101 a file in a file", "config = g\n", "x: f:1: config has no place in a file\n"},
    {"O101 for the whole program", "log = 1\n[web]\nlog = 1\n",
     "x: f:3: log is for the whole program: it belongs above the sections\n"},
};

static void test_judged(void **state)
{
    char said[512];
    for (size_t i = 0; i < COUNT(judged); i++) {
        struct conf *c = conf_of("f", judged[i].text);
        bool good = false;
        print_message("%s\n", judged[i].label);
        SAYING(said, good = opt_judge_conf(&program, c, fits));
        assert_string_equal(said, judged[i].want ? judged[i].want : "");
        assert_int_equal(good, !judged[i].want);
        conf_free(c);
    }
}

/* O101: a program without sections refuses each. */
static void test_no_sections(void **state)
{
    char said[512];
    struct conf *c = conf_of("f", "[web]\nquick = 1\n");
    bool good = true;
    SAYING(said, good = opt_judge_conf(&program, c, NULL));
    assert_false(good);
    assert_string_equal(said, "x: f:2: unknown section [web]\n");
    conf_free(c);
}

static const struct {
    const char *label;
    const char *own, *machine; /* files; the section [web] of each comes first */
    const char *words[4];
    const char *env[2]; /* a variable and its value */
    uint64_t workers, hold_ms;
    const char *cert, *key;
    const char *listen;
} layered[] = {
    {"O102 files alone",
     "workers = 3\n",
     "hold = 1s\n",
     {NULL},
     {NULL},
     3,
     1000,
     NULL,
     NULL,
     "a:0"},
    {"O102 the user's file beats the machine's",
     "workers = 3\n",
     "workers = 4\nhold = 1s\n",
     {NULL},
     {NULL},
     3,
     1000,
     NULL,
     NULL,
     "a:0"},
    {"O102 a section beats what is above it",
     "workers = 3\nhold = 2s\n[web]\nworkers = 5\n",
     "",
     {NULL},
     {NULL},
     5,
     2000,
     NULL,
     NULL,
     "a:0"},
    {"O102 the environment beats a section",
     "[web]\nworkers = 5\n",
     "",
     {NULL},
     {"X_WORKERS", "6"},
     6,
     4000,
     NULL,
     NULL,
     "a:0"},
    {"O102 the command line beats a section",
     "[web]\nworkers = 5\n",
     "",
     {"--workers=7"},
     {"X_WORKERS", "6"},
     7,
     4000,
     NULL,
     NULL,
     "a:0"},
    {"O102 lists do not add up",
     "listen = b:1\nlisten = c:2, d:3\n",
     "listen = e:4\n",
     {NULL},
     {NULL},
     1,
     4000,
     NULL,
     NULL,
     "b:1,c:2,d:3"},
    {"O102 a list of the command line",
     "listen = b:1\n",
     "",
     {"--listen=z:9"},
     {NULL},
     1,
     4000,
     NULL,
     NULL,
     "z:9"},
    {"O102 a contradiction of the command line",
     "cert = f\n",
     "",
     {"--key=k"},
     {NULL},
     1,
     4000,
     NULL,
     "k",
     "a:0"},
    {"O102 a contradiction of the environment",
     "cert = f\n",
     "",
     {NULL},
     {"X_KEY", "k"},
     1,
     4000,
     NULL,
     "k",
     "a:0"},
    {"O102 a contradiction among files",
     "key = k\n",
     "cert = f\n",
     {NULL},
     {NULL},
     1,
     4000,
     NULL,
     "k",
     "a:0"},
    {"O102 a contradiction in a section",
     "cert = f\n[web]\nkey = k\n",
     "",
     {NULL},
     {NULL},
     1,
     4000,
     NULL,
     "k",
     "a:0"},
    {"O102 no contradiction in one place",
     "cert = f\nkey = k\n",
     "",
     {NULL},
     {NULL},
     1,
     4000,
     "f",
     "k",
     "a:0"},
    {"O102 an operand", "cert = f\n", "", {"operand"}, {NULL}, 1, 4000, NULL, NULL, "a:0"},
};

static void check_text(const char *got, const char *want)
{
    assert_int_equal(!got, !want);
    if (want)
        assert_string_equal(got, want);
}

static void test_layers(void **state)
{
    for (size_t i = 0; i < COUNT(layered); i++) {
        struct conf *own = conf_of("own", layered[i].own);
        struct conf *machine = conf_of("machine", layered[i].machine);
        char *argv[5] = {(char[]){"x"}}, text[64];
        const char *operands[1];
        size_t n_operands;
        int argc = 1;
        for (; layered[i].words[argc - 1]; argc++)
            argv[argc] = (char *)(uintptr_t)layered[i].words[argc - 1];
        if (layered[i].env[0])
            setenv(layered[i].env[0], layered[i].env[1], 1);
        layers = (struct opt_layers){
            .layer = {{own, "web"}, {own, ""}, {machine, "web"}, {machine, ""}}, .count = 4};
        print_message("%s\n", layered[i].label);
        assert_int_equal(opt_parse(&program, argc, argv, &options, operands, 1, &n_operands),
                         OPT_RUN);
        assert_int_equal(options.workers, layered[i].workers);
        assert_int_equal(options.hold_ms, layered[i].hold_ms);
        check_text(options.cert, layered[i].cert);
        check_text(options.key, layered[i].key);
        opt_value_text(&rows[7], &options.listen, text, sizeof text);
        assert_string_equal(text, layered[i].listen);
        free(options.listen.copy);
        if (layered[i].env[0])
            unsetenv(layered[i].env[0]);
        conf_free(own);
        conf_free(machine);
    }
}

/* O102: the source of a value is told. */
static void test_sources(void **state)
{
    struct conf *own = conf_of("own", "cert = f\n");
    char *argv[] = {(char[]){"x"}, NULL};
    layers = (struct opt_layers){.layer = {{own, ""}}, .count = 1};
    assert_int_equal(opt_parse(&program, 1, argv, &options, NULL, 0, NULL), OPT_RUN);
    assert_int_equal(options.cert_from, OPT_FILE);
    assert_int_equal(options.workers_from, OPT_FALLBACK);
    conf_free(own);
}

/* O101: more elements than a list has places, over several lines. */
/* O191: no error shows the secret, and a comma does not end it. */
static void test_secrets(void **state)
{
    static const struct {
        const char *file, *variable, *argument, *first, *second, *said;
    } table[] = {
        {"user = ann:a,b\nuser = bob:c , d\n", NULL, NULL, "ann:a,b", "bob:c , d", ""},
        {"", "ann:a,b", NULL, "ann:a,b", NULL, ""},
        {"", "ann:a,b\n\nbob: c\n", NULL, "ann:a,b", "bob: c", ""},
        {"", NULL, "--user=ann:a,b", "ann:a,b", NULL, ""},
        {"", "hidden", NULL, NULL, NULL, "x: X_USER is not NAME:PASSWORD\n"},
        {"", "ann:a\nhidden,b:c\nx", NULL, NULL, NULL, "x: X_USER is not NAME:PASSWORD\n"},
        {"", NULL, "--user=hidden", NULL, NULL, "x: --user is not NAME:PASSWORD\n"},
    };
    for (size_t i = 0; i < COUNT(table); i++) {
        struct conf *c = conf_of("own", table[i].file);
        char argument[32], said[512], *argv[] = {(char[]){"x"}, argument, NULL};
        int argc = table[i].argument ? 2 : 1;
        enum opt_result result = OPT_WRONG;
        snprintf(argument, sizeof argument, "%s", table[i].argument ? table[i].argument : "");
        layers = (struct opt_layers){.layer = {{c, ""}}, .count = 1};
        if (table[i].variable)
            setenv("X_USER", table[i].variable, 1);
        SAYING(said, result = opt_parse(&program, argc, argv, &options, NULL, 0, NULL));
        unsetenv("X_USER");
        assert_string_equal(said, table[i].said);
        assert_int_equal(result, table[i].first ? OPT_RUN : OPT_WRONG);
        assert_int_equal(options.user.count, !!table[i].first + !!table[i].second);
        for (size_t k = 0; k < options.user.count; k++)
            assert_string_equal(options.user.item[k], k ? table[i].second : table[i].first);
        free(options.user.copy);
        conf_free(c);
    }
}

static void test_long_list(void **state)
{
    char text[OPT_LIST_MAX * 16 + 64] = "", said[512];
    char *argv[] = {(char[]){"x"}, NULL};
    enum opt_result result = OPT_RUN;
    for (size_t i = 0; i <= OPT_LIST_MAX; i++)
        memcpy(text + strlen(text), "listen = a:1\n", 14);
    struct conf *own = conf_of("own", text);
    layers = (struct opt_layers){.layer = {{own, ""}}, .count = 1};
    assert_true(opt_judge_conf(&program, own, NULL));
    SAYING(said, result = opt_parse(&program, 1, argv, &options, NULL, 0, NULL));
    assert_int_equal(result, OPT_WRONG);
    assert_string_equal(said, "x: own:1: listen: more than 64 values\n");
    conf_free(own);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_judged),    cmocka_unit_test(test_no_sections),
        cmocka_unit_test(test_layers),    cmocka_unit_test(test_sources),
        cmocka_unit_test(test_long_list), cmocka_unit_test(test_secrets),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
