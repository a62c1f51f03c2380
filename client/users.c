/* SPDX-License-Identifier: MIT */
/* users.c - see users.h. */
#include "client/users.h"

#include <crypt.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "h2mux/base/alloc.h"
#include "h2mux/base/err.h"
#include "h2mux/base/file.h"

enum {
    FILE_MAX = 64 * 1024,
    TEXT_MAX = 128 /* of a name or a password: as the server takes them */
};

static const char method[] = "$y$"; /* yescrypt */

static bool is_visible(struct slice s)
{
    for (size_t i = 0; i < s.len; i++)
        if (s.ptr[i] <= ' ' || s.ptr[i] > '~')
            return false;
    return s.len > 0;
}

int users_check(const char *value)
{
    struct slice text = slice_str(value);
    ptrdiff_t colon = slice_find(text, ':');
    size_t password = colon < 0 ? 0 : text.len - (size_t)colon - 1;
    return colon > 0 && colon <= TEXT_MAX && password > 0 && password <= TEXT_MAX &&
                   is_visible(slice_make(value, (size_t)colon))
               ? 0
               : ERR_SYNTAX;
}

/* Returns the hash of @password, which the caller frees; NULL if the machine has no random bytes or
 * no yescrypt. */
static char *hash_of(const char *password)
{
    char setting[CRYPT_GENSALT_OUTPUT_SIZE];
    char *hash = NULL;
    struct crypt_data *data = xcalloc(1, sizeof *data);
    if (crypt_gensalt_rn(method, 0, NULL, 0, setting, sizeof setting)) {
        const char *got = crypt_r(password, setting, data);
        hash = got && got[0] == '$' ? xstrdup(got) : NULL;
    }
    explicit_bzero(data, sizeof *data);
    free(data);
    return hash;
}

static int add(struct users *u, struct slice name, char *hash, char why[static USERS_WHY_MAX])
{
    if (!hash || u->n == USERS_MAX) {
        snprintf(why, USERS_WHY_MAX, hash ? "more than %d users" : "this machine cannot hash",
                 USERS_MAX);
        free(hash);
        return ERR_LIMIT;
    }
    u->v[u->n].name = slice_dup(name);
    u->v[u->n++].hash = hash;
    return 0;
}

static int read_lines(struct users *u, const char *path, struct slice text,
                      char why[static USERS_WHY_MAX])
{
    int err = 0;
    for (size_t number = 1; text.len > 0 && err == 0; number++) {
        ptrdiff_t end = slice_find(text, '\n');
        size_t len = end < 0 ? text.len : (size_t)end;
        struct slice line = slice_trim(slice_make(text.ptr, len));
        text = slice_skip(text, len + (end >= 0));
        if (line.len > 0 && line.ptr[line.len - 1] == '\r')
            line.len--;
        if (line.len == 0 || line.ptr[0] == '#')
            continue;
        ptrdiff_t colon = slice_find(line, ':');
        struct slice name = slice_make(line.ptr, colon < 0 ? 0 : (size_t)colon);
        struct slice hash = slice_skip(line, name.len + (colon >= 0));
        if (!is_visible(name) || !is_visible(hash) || hash.ptr[0] != '$') {
            snprintf(why, USERS_WHY_MAX, "%.180s:%zu: want NAME:HASH, as `htpasswd -B` writes it",
                     path, number);
            return ERR_SYNTAX;
        }
        err = add(u, name, slice_dup(hash), why);
    }
    return err;
}

static int read_file(struct users *u, const char *path, char why[static USERS_WHY_MAX])
{
    const char *reason = NULL;
    struct buf text;
    int fd = file_open_trusted(path, &reason);
    if (fd < 0) {
        snprintf(why, USERS_WHY_MAX, "%.180s: %s", path,
                 reason         ? reason
                 : fd == ERR_IO ? strerrordesc_np(errno)
                                : err_text(fd));
        return fd;
    }
    buf_init(&text, FILE_MAX);
    int err = file_read_all(fd, &text);
    close(fd);
    if (err < 0)
        snprintf(why, USERS_WHY_MAX, "%.180s: %s", path, err_text(err));
    else
        err = read_lines(u, path, buf_slice(&text), why);
    buf_release(&text);
    return err;
}

int users_read(const struct opt_list *list, const char *path, struct users *out,
               char why[static USERS_WHY_MAX])
{
    int err = 0;
    *out = (struct users){.n = 0};
    for (size_t i = 0; i < list->count && err == 0; i++) {
        struct slice text = slice_str(list->item[i]);
        size_t colon = (size_t)slice_find(text, ':');
        err = add(out, slice_make(text.ptr, colon), hash_of(list->item[i] + colon + 1), why);
    }
    return err == 0 && path ? read_file(out, path, why) : err;
}

void users_free(struct users *u)
{
    for (size_t i = 0; i < u->n; i++) {
        free(u->v[i].name);
        free(u->v[i].hash);
    }
    u->n = 0;
}

void users_hide(int argc, char **argv, const struct opt_list *list)
{
    for (size_t k = 0; k < list->count; k++)
        for (int i = 1; i < argc; i++) {
            size_t len = strlen(argv[i]);
            if (list->item[k] < argv[i] || list->item[k] > argv[i] + len)
                continue;
            char *password = strchr(argv[i] + (list->item[k] - argv[i]), ':');
            if (password)
                memset(password + 1, 'x', strlen(password + 1));
        }
}
