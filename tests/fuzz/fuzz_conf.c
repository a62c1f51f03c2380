/* SPDX-License-Identifier: MIT */
/* fuzz_conf.c - an input as a configuration file.
 *
 * Checks that an error names a line of the file, that an accepted file means the same when its
 * entries are written out again, and that a file which the table accepts gives values that are in
 * range. */
#include <stddef.h>

#include "h2mux/base/opt.h"
#include "tests/fuzz/fuzz.h"

static struct values {
    bool flag;
    uint64_t number, time, size;
    const char *text;
    struct opt_list list;
    struct conf *conf; /* borrowed */
} values;

static bool find_layers(void *into, struct opt_layers *out)
{
    const struct values *v = into;
    out->layer[out->count++] = (struct opt_layer){v->conf, "web"};
    out->layer[out->count++] = (struct opt_layer){v->conf, ""};
    return true;
}

static bool fits(const char *section)
{
    return strcmp(section, "web") == 0;
}

#define AT(field) .offset = offsetof(struct values, field)
static const struct opt rows[] = {
    {.name = "flag", .type = OPT_FLAG, AT(flag), .help = "-"},
    {.name = "number", .type = OPT_UINT, AT(number), .min = 1, .max = 9, .help = "-"},
    {.name = "time", .type = OPT_MSEC, AT(time), .max = 60000, .help = "-", .beats = "text"},
    {.name = "size", .type = OPT_SIZE, AT(size), .help = "-", .traits = OPT_AT_TOP},
    {.name = "text", .type = OPT_TEXT, AT(text), .help = "-"},
    {.name = "list", .type = OPT_LIST, AT(list), .help = "-"},
    {.name = NULL},
};
static const struct opt_program program = {.name = "x",
                                           .env_prefix = "FUZZ_CONF_",
                                           .usage = "-",
                                           .about = "-",
                                           .rows = rows,
                                           .find_layers = find_layers};

/* Appends the entries of @c as a file; each line is as long as it was, or shorter. */
static void write_out(const struct conf *c, struct buf *to)
{
    const char *section = "";
    int err = buf_append(to, SLICE("#\n"));
    for (size_t i = 0; i < c->count && err == 0; i++) {
        if (strcmp(section, c->entries[i].section) != 0)
            err = buf_printf(to, "[%s]\n", c->entries[i].section);
        section = c->entries[i].section;
        if (err == 0)
            err = buf_printf(to, "%s=%s\n", c->entries[i].key, c->entries[i].value);
    }
    assert(err == 0);
}

static void check_again(const struct conf *c)
{
    char why[CONF_WHY_MAX];
    struct conf *again;
    struct buf text;
    buf_init(&text, 64 * 1024 * 1024);
    write_out(c, &text);
    int err = conf_parse("again", buf_slice(&text), &again, why);
    assert(err == 0 && again->count == c->count);
    for (size_t i = 0; i < c->count; i++) {
        assert(strcmp(c->entries[i].section, again->entries[i].section) == 0);
        assert(strcmp(c->entries[i].key, again->entries[i].key) == 0);
        assert(strcmp(c->entries[i].value, again->entries[i].value) == 0);
        assert(i == 0 || c->entries[i].line > c->entries[i - 1].line);
    }
    conf_free(again);
    buf_release(&text);
}

static void check_values(struct conf *c)
{
    char name[] = "x", *argv[] = {name, NULL};
    values = (struct values){.conf = c};
    if (!opt_judge_conf(&program, c, fits))
        return;
    enum opt_result result = opt_parse(&program, 1, argv, &values, NULL, 0, NULL);
    bool long_list = conf_find(c, "", "list", NULL) || conf_find(c, "web", "list", NULL);
    assert(result == OPT_RUN || long_list);
    if (result == OPT_RUN)
        assert(values.number <= 9 && values.time <= 60000 && values.list.count <= OPT_LIST_MAX);
    free(values.list.copy);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char why[CONF_WHY_MAX] = "";
    struct conf *c;
    struct fuzz_streams streams = fuzz_quiet();
    int err = conf_parse("file", fuzz_input(data, size), &c, why);
    if (err == 0) {
        check_again(c);
        check_values(c);
    } else {
        assert(!c && strncmp(why, "file:", 5) == 0 && why[5] >= '1' && why[5] <= '9');
    }
    conf_free(c);
    fuzz_loud(streams);
    return 0;
}
