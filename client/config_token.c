/* SPDX-License-Identifier: MIT */
/* config_token.c - finds the token by which a name is asked for: in the file of --token-file, in
 * the environment, or in a configuration file; see config_int.h. Its text is never printed. */
#include "client/config_int.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "h2mux/base/err.h"
#include "h2mux/base/file.h"

enum { TOKEN_FILE_MAX = 4096 };

int config_check_token(const char *value)
{
    static const char fit[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~+/=";
    size_t len = strlen(value);
    return len >= CONFIG_TOKEN_MIN && len <= CONFIG_TOKEN_MAX && strspn(value, fit) == len
               ? 0
               : ERR_SYNTAX;
}

/* Says that others on this machine may read the token in @path. */
static void warn_if_exposed(const char *path)
{
    struct stat st;
    if (stat(path, &st) == 0 && (st.st_mode & 077) != 0)
        fprintf(stderr, "oneport: %s holds a token, and others may read it: chmod 600 it\n", path);
}

/* Takes the first line of @text. Returns NULL when it is no token. */
static char *token_of(struct slice text)
{
    ptrdiff_t end = slice_find(text, '\n');
    char *token = slice_dup(slice_trim(end < 0 ? text : slice_make(text.ptr, (size_t)end)));
    if (strlen(token) == slice_trim(end < 0 ? text : slice_make(text.ptr, (size_t)end)).len &&
        config_check_token(token) == 0)
        return token;
    free(token);
    return NULL;
}

static enum opt_result read_token(struct config *c)
{
    const char *path = c->remote.token_file, *why = NULL;
    struct buf text;
    int fd = file_open_trusted(path, &why);
    if (fd < 0)
        return REFUSE("--token-file: %s: %s\n", path,
                      why            ? why
                      : fd == ERR_IO ? strerrordesc_np(errno)
                                     : err_text(fd));
    buf_init(&text, TOKEN_FILE_MAX);
    int err = file_read_all(fd, &text);
    close(fd);
    if (err == 0)
        c->token = token_of(buf_slice(&text));
    buf_release(&text);
    if (!c->token)
        return REFUSE("--token-file: %s: its first line is no token\n", path);
    warn_if_exposed(path);
    return OPT_RUN;
}

enum opt_result config_judge_token(struct config *c)
{
    if (c->remote.token_file && (!c->remote.token || c->token_file_from >= c->token_from))
        return read_token(c);
    if (!c->remote.token)
        return OPT_RUN;
    c->token = xstrdup(c->remote.token);
    for (size_t i = 0; c->token_from == OPT_FILE && i < 2 && c->files[i]; i++)
        for (size_t k = 0; k < c->files[i]->count; k++)
            if (strcmp(c->files[i]->entries[k].key, "token") == 0) {
                warn_if_exposed(c->files[i]->path);
                break;
            }
    return OPT_RUN;
}
