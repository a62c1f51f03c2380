/* SPDX-License-Identifier: MIT */
/* conf.c - see conf.h. */
#include "h2mux/base/conf.h"

#include <ctype.h>
#include <errno.h>
#include <ini.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "h2mux/base/err.h"
#include "h2mux/base/file.h"

/* What is kept while inih reads. */
struct reading {
    struct slice rest;
    unsigned line; /* of what inih has got last */
    struct conf *conf;
    size_t room;       /* of conf->entries */
    unsigned bad_line; /* 0: none */
    const char *fault; /* of bad_line */
};

static void note_fault(struct reading *r, const char *fault)
{
    if (r->bad_line > 0)
        return;
    r->bad_line = r->line;
    r->fault = fault;
}

/* Returns why inih must not see @line, or NULL. */
static const char *find_fault(struct slice line)
{
    struct slice text = slice_trim(line);
    if (slice_find(line, '\0') >= 0)
        return "has a byte 0";
    if (line.len > CONF_LINE_MAX)
        return "is longer than 198 bytes";
    if (text.len == 0 || strchr("#;", text.ptr[0]))
        return NULL;
    if (isspace((unsigned char)line.ptr[0]))
        return "begins with a blank";
    if (text.ptr[0] == '[' && slice_find(text, ']') > CONF_SECTION_MAX + 1)
        return "has a section's name of more than 49 bytes";
    return NULL;
}

/* Gives inih the next line, as fgets does. inih's buffer has room for CONF_LINE_MAX bytes, a line
 * feed and a zero byte. */
static char *next_line(char *to, int size, void *stream)
{
    struct reading *r = stream;
    if (r->rest.len == 0)
        return NULL;
    ptrdiff_t lf = slice_find(r->rest, '\n');
    struct slice line = slice_make(r->rest.ptr, lf < 0 ? r->rest.len : (size_t)lf);
    r->rest = slice_skip(r->rest, lf < 0 ? line.len : line.len + 1);
    if (line.len > 0 && line.ptr[line.len - 1] == '\r')
        line.len--;
    r->line++;
    const char *fault = find_fault(line);
    if (fault) {
        note_fault(r, fault);
        line = SLICE("");
    }
    snprintf(to, (size_t)size, "%.*s\n", SLICE_FMT(line));
    return to;
}

/* Appends an entry. Its texts share one block, which begins with the section. */
static int take_entry(void *user, const char *section, const char *key, const char *value)
{
    struct reading *r = user;
    struct conf *c = r->conf;
    size_t s = strlen(section) + 1, k = strlen(key) + 1, v = strlen(value) + 1;
    if (k == 1)
        note_fault(r, "has no option before the '='");
    if (c->count == r->room) {
        r->room = r->room ? 2 * r->room : 16;
        c->entries = xrealloc(c->entries, r->room * sizeof *c->entries);
    }
    char *block = xmalloc(s + k + v);
    memcpy(block, section, s);
    memcpy(block + s, key, k);
    memcpy(block + s + k, value, v);
    c->entries[c->count++] = (struct conf_entry){
        .section = block, .key = block + s, .value = block + s + k, .line = r->line};
    return 1;
}

int conf_parse(const char *path, struct slice text, struct conf **out,
               char why[static CONF_WHY_MAX])
{
    struct reading r = {.rest = text, .conf = xcalloc(1, sizeof *r.conf)};
    r.conf->path = xstrdup(path);
    *out = NULL;
    int bad = ini_parse_stream(next_line, &r, take_entry, &r);
    if (bad > 0 && (r.bad_line == 0 || (unsigned)bad < r.bad_line)) {
        r.bad_line = (unsigned)bad;
        r.fault = "is neither OPTION = VALUE nor [SECTION]";
    }
    if (r.bad_line == 0) {
        *out = r.conf;
        return 0;
    }
    snprintf(why, CONF_WHY_MAX, "%s:%u: the line %s", path, r.bad_line, r.fault);
    conf_free(r.conf);
    return ERR_SYNTAX;
}

int conf_read(const char *path, struct conf **out, char why[static CONF_WHY_MAX])
{
    const char *reason = NULL;
    struct buf text;
    *out = NULL;
    int fd = file_open_trusted(path, &reason);
    if (fd < 0) {
        snprintf(why, CONF_WHY_MAX, "%s: %s", path, reason);
        return fd;
    }
    buf_init(&text, CONF_FILE_MAX);
    int err = file_read_all(fd, &text);
    if (err < 0)
        snprintf(why, CONF_WHY_MAX, "%s: %s", path,
                 err == ERR_LIMIT ? "has more than 256 KiB" : strerrordesc_np(errno));
    else
        err = conf_parse(path, buf_slice(&text), out, why);
    close(fd);
    buf_release(&text);
    return err;
}

const struct conf_entry *conf_find(const struct conf *c, const char *section, const char *key,
                                   const struct conf_entry *after)
{
    for (size_t i = after ? (size_t)(after - c->entries) + 1 : 0; i < c->count; i++)
        if (strcmp(c->entries[i].section, section) == 0 && strcmp(c->entries[i].key, key) == 0)
            return &c->entries[i];
    return NULL;
}

void conf_free(struct conf *c)
{
    if (!c)
        return;
    for (size_t i = 0; i < c->count; i++)
        free((void *)(uintptr_t)c->entries[i].section); /* the block of the entry */
    free(c->entries);
    free(c->path);
    free(c);
}
