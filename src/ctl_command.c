/* SPDX-License-Identifier: MIT */
/* ctl_command.c - see ctl_command.h. A table has the verbs; people get tables, programs JSON. */
#include "src/ctl_command.h"

#include <cjson/cJSON.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "h2mux/base/conf.h"
#include "h2mux/base/file.h"
#include "h2mux/base/opt.h"
#include "src/board_call.h"
#include "src/limits/bans.h"
#include "src/worker/config.h"

enum { ANSWER_MAX = 64 * 1024 * 1024, TOKEN_FILE_MAX = 512, WORDS_MAX = 4, PATH_TEXT = 160 };

struct options {
    const char *admin, *token;
    bool json;
};

static const struct opt rows[] = {
    {.name = "admin",
     .type = OPT_TEXT,
     .offset = offsetof(struct options, admin),
     .value = "unix:/PATH|ADDR:PORT",
     .help = "where the board is (default: what the configuration file of oneportd says)",
     .wants = "unix:/PATH or ADDR:PORT"},
    {.name = "admin-token",
     .type = OPT_TEXT,
     .offset = offsetof(struct options, token),
     .value = "FILE",
     .help = "the token that opens it; a unix socket needs none",
     .wants = "a file"},
    {.name = "json",
     .type = OPT_FLAG,
     .offset = offsetof(struct options, json),
     .help = "print the answer as it came"},
    {.name = NULL},
};

static const struct opt_program program = {
    .name = "oneportd ctl",
    .env_prefix = "ONEPORTD_",
    .usage = "oneportd ctl [options] tunnels | viewers NAME | end NAME [TIME] |\n"
             "       kick NAME ADDRESS [TIME] | ban NAME|NETWORK [TIME] | unban NAME|NETWORK "
             "[ADDRESS] |\n"
             "       bans | metrics | drain",
    .about = "Shows and ends what a running server serves.",
    .rows = rows,
};

static int complain(const char *why)
{
    fprintf(stderr, "%s: %s\n", program.name, why);
    return EXIT_FAILURE;
}

/* ---- tables */

struct column {
    const char *title, *member;
    int width; /* characters; 0: the last one */
};

static void print_cell(const struct column *c, const char *text)
{
    if (c->width > 0)
        printf("%-*s ", c->width, text);
    else
        printf("%s\n", text);
}

static void print_row(const struct column *columns, const cJSON *row)
{
    for (const struct column *c = columns;; c++) {
        const cJSON *value = cJSON_GetObjectItemCaseSensitive(row, c->member);
        char number[32] = "-";
        if (cJSON_IsNumber(value))
            snprintf(number, sizeof number, "%.0f", value->valuedouble);
        print_cell(c, cJSON_IsString(value) ? value->valuestring : number);
        if (c->width == 0)
            return;
    }
}

static void print_table(const struct column *columns, const cJSON *rows_of_it)
{
    const cJSON *row;
    for (const struct column *c = columns;; c++) {
        print_cell(c, c->title);
        if (c->width == 0)
            break;
    }
    cJSON_ArrayForEach(row, rows_of_it) print_row(columns, row);
}

static const struct column tunnels[] = {
    {"NAME", "name", 32},      {"STATE", "state", 8},
    {"VIEWERS", "viewers", 8}, {"WEBSOCKETS", "websockets", 10},
    {"OPEN", "open", 6},       {"REQUESTS", "requests", 10},
    {"SENT", "tx_octets", 0},
};
static const struct column viewers[] = {
    {"ADDRESS", "address", 40},
    {"OPEN", "open", 6},
    {"WEBSOCKETS", "websockets", 10},
    {"SINCE", "since", 0},
};
static const struct column bans[] = {
    {"NAME", "name", 32},
    {"NETWORK", "network", 44},
    {"UNTIL", "until", 0},
};

/* ---- calls */

static char *read_token(const char *path)
{
    struct buf text;
    const char *why;
    buf_init(&text, TOKEN_FILE_MAX);
    int fd = file_open_trusted(path, &why);
    int err = fd < 0 ? fd : file_read_all(fd, &text);
    struct slice line = buf_slice(&text);
    if (slice_ends(line, SLICE("\n")))
        line.len--;
    char *token = err == 0 ? slice_dup(line) : NULL;
    if (fd >= 0)
        close(fd);
    buf_release(&text);
    if (!token)
        fprintf(stderr, "%s: %s: %s\n", program.name, path, fd < 0 ? why : "cannot be read");
    return token;
}

/* What the answer is printed as. */
struct print {
    const struct column *columns; /* NULL: as text */
    const char *member;           /* the array of the rows */
};

static void print_answer(const struct options *o, const struct print *p, struct slice text)
{
    cJSON *json = p->columns && !o->json ? cJSON_ParseWithLength(text.ptr, text.len) : NULL;
    if (json) {
        print_table(p->columns, cJSON_GetObjectItemCaseSensitive(json, p->member));
        if (cJSON_IsTrue(cJSON_GetObjectItemCaseSensitive(json, "more")))
            printf("... and more: --json and api/tunnels?after=NAME have all\n");
    } else {
        fwrite(text.ptr, 1, text.len, stdout);
        if (text.len > 0 && text.ptr[text.len - 1] != '\n')
            putchar('\n');
    }
    cJSON_Delete(json);
}

/* Prints what the server says against the call. */
static int refused(int status, struct slice text)
{
    cJSON *json = cJSON_ParseWithLength(text.ptr, text.len);
    const char *message = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(json, "message"));
    fprintf(stderr, "%s: %s (%d)\n", program.name, message ? message : "refused", status);
    cJSON_Delete(json);
    return EXIT_FAILURE;
}

static int call(const struct options *o, const char *method, const char *path, cJSON *body,
                const struct print *p)
{
    char reason[BOARD_CALL_REASON_MAX];
    struct buf answer;
    char *token = o->token ? read_token(o->token) : NULL;
    char *text = body ? cJSON_PrintUnformatted(body) : NULL;
    struct board_ask ask = {o->admin, token, method, path, text};
    int code = EXIT_FAILURE;
    buf_init(&answer, ANSWER_MAX);
    if (token || !o->token) {
        int status = board_call(&ask, &answer, reason);
        if (status < 0)
            code = complain(reason);
        else if (status != 200)
            code = refused(status, buf_slice(&answer));
        else
            code = EXIT_SUCCESS;
    }
    if (code == EXIT_SUCCESS)
        print_answer(o, p, buf_slice(&answer));
    buf_release(&answer);
    cJSON_free(text);
    cJSON_Delete(body);
    free(token);
    return code;
}

/* ---- verbs: @w are the words behind the verb, NULL where there is none */

static const struct print as_text = {NULL, NULL};

static int show_tunnels(const struct options *o, const char *const *w)
{
    static const struct print p = {tunnels, "tunnels"};
    return call(o, "GET", "/api/tunnels", NULL, &p);
}

static int show_viewers(const struct options *o, const char *const *w)
{
    static const struct print p = {viewers, "viewers"};
    char path[PATH_TEXT];
    snprintf(path, sizeof path, "/api/tunnels/%.63s/viewers", w[0]);
    return call(o, "GET", path, NULL, &p);
}

static int show_bans(const struct options *o, const char *const *w)
{
    static const struct print p = {bans, "bans"};
    return call(o, "GET", "/api/bans", NULL, &p);
}

static int show_metrics(const struct options *o, const char *const *w)
{
    return call(o, "GET", "/metrics?tunnels=1", NULL, &as_text);
}

static int drain(const struct options *o, const char *const *w)
{
    return call(o, "POST", "/api/drain", cJSON_CreateObject(), &as_text);
}

/* Makes the JSON of a ban. A word that is an address or a network is one; others are names. */
static cJSON *ban_of(const char *what, const char *address, const char *time)
{
    struct bans_network ignored;
    cJSON *json = cJSON_CreateObject();
    bool network = bans_network_parse(slice_str(what), &ignored) != ERR_SYNTAX;
    cJSON_AddStringToObject(json, network ? "network" : "name", what);
    if (address)
        cJSON_AddStringToObject(json, "network", address);
    if (time)
        cJSON_AddStringToObject(json, "for", time);
    return json;
}

static int ban(const struct options *o, const char *const *w)
{
    return call(o, "POST", "/api/ban", ban_of(w[0], NULL, w[1]), &as_text);
}

static int kick(const struct options *o, const char *const *w)
{
    return call(o, "POST", "/api/ban", ban_of(w[0], w[1], w[2]), &as_text);
}

static int unban(const struct options *o, const char *const *w)
{
    return call(o, "POST", "/api/unban", ban_of(w[0], w[1], NULL), &as_text);
}

static const struct {
    const char *verb;
    size_t least, most; /* words behind it */
    int (*run)(const struct options *o, const char *const *w);
} verbs[] = {
    {"tunnels", 0, 0, show_tunnels},
    {"viewers", 1, 1, show_viewers},
    {"end", 1, 2, ban},
    {"kick", 2, 3, kick},
    {"ban", 1, 2, ban},
    {"unban", 1, 2, unban},
    {"bans", 0, 0, show_bans},
    {"metrics", 0, 0, show_metrics},
    {"drain", 0, 0, drain},
};

static int run(const struct options *o, const char *const *words, size_t n)
{
    for (size_t i = 0; n > 0 && i < sizeof verbs / sizeof *verbs; i++)
        if (strcmp(words[0], verbs[i].verb) == 0 && n - 1 >= verbs[i].least &&
            n - 1 <= verbs[i].most)
            return verbs[i].run(o, words + 1);
    fprintf(stderr, "usage: %s\n", program.usage);
    return EXIT_FAILURE;
}

/* Takes what the options do not say from the configuration file of oneportd. Returns the file,
 * which the options borrow from; NULL: there is none. */
static struct conf *take_from_file(struct options *o)
{
    const char *file = getenv("ONEPORTD_CONFIG");
    struct conf *conf = NULL;
    char why[CONF_WHY_MAX];
    if (conf_read(file ? file : config_default_file, &conf, why) < 0)
        return NULL;
    const struct conf_entry *admin = conf_find(conf, "", "admin", NULL);
    const struct conf_entry *token = conf_find(conf, "", "admin-token", NULL);
    o->admin = admin ? admin->value : NULL;
    if (!o->token && token)
        o->token = token->value;
    return conf;
}

int ctl_command_run(int argc, char **argv)
{
    struct options o = {.admin = NULL};
    const char *words[WORDS_MAX + 1] = {NULL};
    struct conf *conf = NULL;
    size_t n = 0;
    switch (opt_parse(&program, argc, argv, &o, words, WORDS_MAX, &n)) {
    case OPT_SHOWN:
        return EXIT_SUCCESS;
    case OPT_WRONG:
        return EXIT_FAILURE;
    case OPT_RUN:
        break;
    }
    if (!o.admin)
        conf = take_from_file(&o);
    int code = o.admin ? run(&o, words, n)
                       : complain("--admin is needed, since no configuration file of oneportd "
                                  "says where the board is");
    conf_free(conf);
    return code;
}
