/* SPDX-License-Identifier: MIT */
/* config_reload.c - reads the options of a running server once more; see config.h.
 *
 * Workers read the configuration without a lock, through one pointer. So a reload makes a new one,
 * and the old one stays for those who still look at it. Reloads that change nothing leave nothing
 * behind. */
#include <stdlib.h>

#include "h2mux/base/err.h"
#include "src/worker/config_int.h"

enum { LIST_MAX = 2048, ROWS_MAX = 128 };

static char *value_of(const struct opt *row, const struct config *c)
{
    const char *field = (const char *)c + row->offset;
    char nothing[1];
    size_t len = opt_value_text(row, field, nothing, sizeof nothing);
    char *text = xmalloc(len + 1);
    opt_value_text(row, field, text, len + 1);
    return text;
}

static bool differs(const struct opt *row, const struct config *a, const struct config *b)
{
    char *one = value_of(row, a), *other = value_of(row, b);
    bool different = strcmp(one, other) != 0;
    free(one);
    free(other);
    return different;
}

static size_t size_of(enum opt_type type)
{
    switch (type) {
    case OPT_FLAG:
        return sizeof(bool);
    case OPT_UINT:
    case OPT_MSEC:
    case OPT_SIZE:
    case OPT_RATE:
        return sizeof(uint64_t);
    case OPT_TEXT:
        return sizeof(char *);
    case OPT_LIST:
        return sizeof(struct opt_list);
    }
    return 0;
}

/* Gives the field of @row in @to the value of @from, which outlives @to. */
static void keep_value(const struct opt *row, const struct config *from, struct config *to)
{
    char *field = (char *)to + row->offset;
    struct opt_list *list = (struct opt_list *)(void *)field;
    if (row->type == OPT_LIST)
        free(list->copy);
    memcpy(field, (const char *)from + row->offset, size_of(row->type));
    if (row->type == OPT_LIST)
        list->copy = NULL;
}

/* Returns whether the option can get its new value now. The first certificate comes, and the last
 * one goes, with a restart alone: without them there is no TLS. */
static bool is_live(const struct opt *row, const struct config *old, const struct config *now)
{
    bool of_tls = strcmp(row->name, "cert") == 0 || strcmp(row->name, "key") == 0 ||
                  strcmp(row->name, "cert-dir") == 0;
    return (row->traits & OPT_LIVE) && !(of_tls && config_has_tls(old) != config_has_tls(now));
}

static void add_name(struct buf *list, const char *name)
{
    int err = buf_printf(list, "%s%s", buf_len(list) > 0 ? "," : "", name);
    (void)err; /* all names together fit */
}

/* Parses the words of @old again into @now. */
static int read_again(const struct config *old, struct config *now, struct buf *why)
{
    opt_errors_to(why);
    enum opt_result result = config_parse(old->argc, old->argv, now);
    opt_errors_to(NULL);
    return result == OPT_RUN ? 0 : ERR_SYNTAX;
}

/* Names the options that differ, and keeps the old values of those that need a restart. */
static void compare(const struct config *old, struct config *now, struct buf *applied,
                    struct buf *waiting)
{
    bool live[ROWS_MAX];
    const struct opt *rows = config_program.rows;
    size_t n = 0;
    for (; rows[n].name && n < ROWS_MAX; n++)
        live[n] = is_live(&rows[n], old, now);
    for (size_t i = 0; i < n; i++) {
        if (differs(&rows[i], old, now))
            add_name(live[i] ? applied : waiting, rows[i].name);
        if (!live[i])
            keep_value(&rows[i], old, now);
    }
}

int config_reload(const struct config *old, struct config_change *out, struct buf *why)
{
    struct config *now = xcalloc(1, sizeof *now);
    struct buf applied, waiting;
    *out = (struct config_change){.now = NULL};
    int err = read_again(old, now, why);
    if (err < 0) {
        config_deinit(now);
        free(now);
        return err;
    }
    buf_init(&applied, LIST_MAX);
    buf_init(&waiting, LIST_MAX);
    compare(old, now, &applied, &waiting);
    out->applied = slice_dup(buf_slice(&applied));
    out->waiting = slice_dup(buf_slice(&waiting));
    buf_release(&applied);
    buf_release(&waiting);
    if (out->applied[0]) {
        out->now = now;
        return 0;
    }
    config_deinit(now);
    free(now);
    return 0;
}

void config_free_newer(const struct config *newest, const struct config *oldest)
{
    while (newest != oldest) {
        struct config *c = (struct config *)(uintptr_t)newest; /* made by config_reload */
        newest = c->older ? c->older : oldest;
        config_deinit(c);
        free(c);
    }
}
