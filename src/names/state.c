/* SPDX-License-Identifier: MIT */
/* state.c - reads and writes files by open, rename and link, and checks the form of the file
 * `node`; see state.h. */
#include "src/names/state.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "h2mux/base/err.h"
#include "h2mux/base/file.h"

enum { NODE_FILE_MAX = 256, NODE_LEN = sizeof "oneport-" - 1 + 8 };

/* ---- the directory and its files */

/* Makes @dir and each missing directory above it. Each gets mode 0700, as the XDG specification
 * asks; /var/lib exists already. Returns 0, or ERR_IO with errno set. */
int state_prepare(const char *dir)
{
    char *path = xstrdup(dir);
    int err = 0;
    for (char *at = path + 1; err == 0; at++) {
        char c = *at;
        if (c != '/' && c != '\0')
            continue;
        *at = '\0';
        if (mkdir(path, 0700) < 0 && errno != EEXIST)
            err = ERR_IO;
        *at = c;
        if (c == '\0')
            break;
    }
    struct stat st;
    if (err == 0 && (stat(dir, &st) < 0 || !S_ISDIR(st.st_mode))) {
        errno = ENOTDIR;
        err = ERR_IO;
    }
    free(path);
    return err;
}

int state_read(const char *dir, const char *file, struct buf *out)
{
    char *path = xasprintf("%s/%s", dir, file);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    free(path);
    if (fd < 0)
        return errno == ENOENT ? ERR_NOT_FOUND : ERR_IO;
    int err = file_read_all(fd, out);
    int why = errno;
    close(fd);
    errno = why;
    return err;
}

/* Writes a new file at @path, and syncs the file if @sync is set. @path contains the process id, so
 * no other process writes there. Returns 0, or ERR_IO with errno set. */
static int write_temporary(const char *path, struct slice content, bool sync)
{
    unlink(path);
    int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd < 0)
        return ERR_IO;
    int err = file_write_all(fd, content);
    if (err == 0 && sync && fsync(fd) < 0)
        err = ERR_IO;
    int why = errno;
    close(fd);
    errno = why;
    return err;
}

/* Writes a temporary file and moves it to @dir/@file: by rename(2) if @replace is set, which
 * replaces an existing file; otherwise by link(2), which fails when the file exists. Returns 0,
 * ERR_TAKEN when link(2) found an existing file, or ERR_IO with errno set. */
static int write_and_move(const char *dir, const char *file, struct slice content, bool replace)
{
    char *path = xasprintf("%s/%s", dir, file);
    char *temporary = xasprintf("%s/.%s.%ld", dir, file, (long)getpid());
    int err = write_temporary(temporary, content, !replace);
    if (err == 0 && (replace ? rename(temporary, path) : link(temporary, path)) < 0)
        err = errno == EEXIST ? ERR_TAKEN : ERR_IO;
    int why = errno;
    if (err < 0 || !replace)
        unlink(temporary);
    free(temporary);
    free(path);
    errno = why;
    return err;
}

int state_write(const char *dir, const char *file, struct slice content)
{
    return write_and_move(dir, file, content, true);
}

int state_create(const char *dir, const char *file, struct slice content)
{
    return write_and_move(dir, file, content, false);
}

bool state_is_exposed(const char *dir, const char *file)
{
    struct stat st;
    char *path = xasprintf("%s/%s", dir, file);
    bool exposed = stat(path, &st) == 0 && (st.st_mode & 077) != 0;
    free(path);
    return exposed;
}

/* ---- node */

static bool node_valid(struct slice text)
{
    char node[STATE_NODE_MAX];
    snprintf(node, sizeof node, "%.*s", SLICE_FMT(text));
    return text.len == NODE_LEN && slice_starts(text, SLICE("oneport-")) &&
           strspn(node + sizeof "oneport-" - 1, "0123456789abcdef") == 8;
}

static struct slice first_line(struct slice text)
{
    ptrdiff_t end = slice_find(text, '\n');
    return end < 0 ? text : slice_make(text.ptr, (size_t)end);
}

/* Reads the server's name from the file `node` into @node. Returns 0; ERR_NOT_FOUND when the file
 * does not exist; ERR_LIMIT when it is too long; ERR_SYNTAX when it holds no name; or ERR_IO with
 * errno set. */
static int node_read(const char *dir, char node[static STATE_NODE_MAX])
{
    struct buf b;
    buf_init(&b, NODE_FILE_MAX);
    int err = state_read(dir, STATE_NODE, &b);
    struct slice line = first_line(buf_slice(&b));
    if (err == 0 && !node_valid(line))
        err = ERR_SYNTAX;
    if (err == 0)
        snprintf(node, STATE_NODE_MAX, "%.*s", SLICE_FMT(line));
    buf_release(&b);
    return err;
}

int state_node(const char *dir, char node[static STATE_NODE_MAX], char *reason, size_t reason_cap)
{
    int err = state_prepare(dir);
    if (err == 0)
        err = node_read(dir, node);
    if (err == ERR_NOT_FOUND) {
        char fresh[STATE_NODE_MAX];
        int len = snprintf(fresh, sizeof fresh, "oneport-%08x\n", (unsigned)arc4random());
        err = state_create(dir, STATE_NODE, slice_make(fresh, (size_t)len));
        if (err == 0 || err == ERR_TAKEN)
            err = node_read(dir, node);
    }
    if (err < 0)
        snprintf(reason, reason_cap, "%s/%s: %s", dir, STATE_NODE,
                 err == ERR_IO ? strerrordesc_np(errno) : "is not \"oneport-\" and 8 hex digits");
    return err;
}
