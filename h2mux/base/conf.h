/* SPDX-License-Identifier: MIT */
/* conf.h - reads a configuration file: lines `KEY = VALUE`, `[SECTION]`, and comments.
 *
 * inih reads the lines. A comment begins with '#' or ';' at the start of a line, or with ';' behind
 * a blank. A line with an option begins with its key: inih would take an indented one for more of
 * the value above. What a key means is not known here; opt.h knows it. */
#ifndef H2MUX_BASE_CONF_H
#define H2MUX_BASE_CONF_H

#include <stddef.h>

#include "h2mux/base/buf.h"

enum {
    CONF_FILE_MAX = 256 * 1024, /* bytes of a file */
    CONF_LINE_MAX = 198,        /* bytes of a line: what inih takes at once */
    CONF_SECTION_MAX = 49,      /* bytes of a section's name: inih cuts longer ones */
    CONF_WHY_MAX = 512
};

/* One line `KEY = VALUE`. */
struct conf_entry {
    const char *section; /* "": the line stands above the first section */
    const char *key, *value;
    unsigned line; /* of the file, from 1 */
};

struct conf {
    char *path;                 /* as it was given */
    struct conf_entry *entries; /* in the order of the file */
    size_t count;
};

/* Reads the file at @path. It is refused if somebody else may have written it: file_open_trusted.
 * Stores NULL in @out and, after an error, one line about it, which names the file and the line
 * there, in @why. Returns 0, and the caller frees @out by conf_free; ERR_NOT_FOUND; ERR_DENIED for
 * a file that is refused; ERR_SYNTAX; ERR_LIMIT if the file is too large; ERR_IO. */
int conf_read(const char *path, struct conf **out, char why[static CONF_WHY_MAX]) MUSTCHECK;

/* The same for the text of a file. Returns 0 or ERR_SYNTAX. */
int conf_parse(const char *path, struct slice text, struct conf **out,
               char why[static CONF_WHY_MAX]) MUSTCHECK;

/* Returns the first entry with this section and key behind @after, which is NULL at the start; NULL
 * if there is none. */
const struct conf_entry *conf_find(const struct conf *c, const char *section, const char *key,
                                   const struct conf_entry *after);

/* Copies @text, a file that conf_parse accepts, to @out, with "@key = @value" above the sections:
 * in place of the value that stands there, or in a line of its own. All else stays as it is.
 * Returns 0; ERR_LIMIT if the line or the file becomes too long. conf_edit.c */
int conf_put(struct slice text, const char *key, const char *value, struct buf *out) MUSTCHECK;

/* Frees @c. NULL is fine. */
void conf_free(struct conf *c);

#endif
