/* SPDX-License-Identifier: MIT */
/* state.c - reads and writes files by open, rename and link, and checks the form of the file
 * `node`; see state.h. */
#include "src/names/state.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "h2mux/base/err.h"
#include "h2mux/base/file.h"
#include "h2mux/base/log.h"

enum { NODE_FILE_MAX = 256, NODE_LEN = sizeof "oneport-" - 1 + 8 };

static const uid_t KEEP = (uid_t)-1; /* new directories stay ours */

static int fail_io(const char **why)
{
    *why = strerrordesc_np(errno);
    return ERR_IO;
}

bool state_may_pass(int err)
{
    return err == ERR_IO && (errno == EROFS || errno == ENOSPC || errno == EDQUOT);
}

/* ---- the directory */

int state_open(const char *dir, const char **why)
{
    char *path = xstrdup(dir);
    size_t len = strlen(path);
    while (len > 1 && path[len - 1] == '/') /* or a symbolic link would be followed */
        path[--len] = '\0';
    int fd = file_open_own(AT_FDCWD, path, O_RDONLY | O_DIRECTORY, why);
    int error = errno;
    free(path);
    errno = error;
    return fd;
}

/* Makes @dir and each missing directory above it, for @uid unless that is KEEP. Each gets mode
 * 0700, as the XDG specification asks; /var/lib exists already. Returns 0, or ERR_IO with errno
 * set. */
static int make_directories(const char *dir, uid_t uid, gid_t gid)
{
    char *path = xstrdup(dir);
    int err = 0;
    for (char *at = path + 1; err == 0; at++) {
        char c = *at;
        if (c != '/' && c != '\0')
            continue;
        *at = '\0';
        if (mkdir(path, 0700) == 0)
            err = uid == KEEP || chown(path, uid, gid) == 0 ? 0 : ERR_IO;
        else if (errno != EEXIST)
            err = ERR_IO;
        *at = c;
        if (c == '\0')
            break;
    }
    int error = errno;
    free(path);
    errno = error;
    return err;
}

int state_prepare(const char *dir, const char **why)
{
    int fd = state_open(dir, why);
    if (fd == ERR_NOT_FOUND)
        fd = make_directories(dir, KEEP, 0) < 0 ? fail_io(why) : state_open(dir, why);
    if (fd < 0)
        return fd;
    close(fd);
    return 0;
}

/* ---- the directory's owner */

/* Returns whether a server may have made the file @name: one of the files above, or a temporary
 * one, which is such a name between a dot and a PID. A disk of its own has lost+found. */
static bool is_ours(const char *name)
{
    static const char *const files[] = {STATE_SECRET,   STATE_NODE,    STATE_NAMES,
                                        STATE_RESERVED, STATE_RELEASE, STATE_LOCK};
    for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
        size_t len = strlen(files[i]);
        if (strcmp(name, files[i]) == 0 ||
            (name[0] == '.' && strncmp(name + 1, files[i], len) == 0 && name[len + 1] == '.'))
            return true;
    }
    return strcmp(name, ".") == 0 || strcmp(name, "..") == 0 || strcmp(name, "lost+found") == 0;
}

/* Gives each file of the directory @d to @uid, or looks only if @dry is set. Returns 0, ERR_DENIED
 * or ERR_IO. */
static int give_files(DIR *d, uid_t uid, gid_t gid, bool dry, const char **why)
{
    int at = dirfd(d);
    rewinddir(d);
    for (const struct dirent *e; (e = readdir(d));) {
        if (!is_ours(e->d_name)) {
            *why = "has files that are not oneportd's: chown it to the --user";
            return ERR_DENIED;
        }
        if (dry || e->d_name[0] == '.')
            continue;
        if (fchownat(at, e->d_name, uid, gid, AT_SYMLINK_NOFOLLOW) < 0)
            return fail_io(why);
    }
    return 0;
}

int state_give(const char *dir, uid_t uid, gid_t gid, const char **why)
{
    struct stat st;
    if (stat(dir, &st) == 0 && st.st_uid == uid)
        return 0;
    int at = state_open(dir, why);
    if (at == ERR_NOT_FOUND)
        return make_directories(dir, uid, gid) < 0 ? fail_io(why) : 0;
    if (at < 0)
        return at;
    DIR *d = fdopendir(at);
    int err = d ? give_files(d, uid, gid, true, why) : fail_io(why);
    if (err == 0)
        err = give_files(d, uid, gid, false, why);
    if (err == 0 && fchown(at, uid, gid) < 0)
        err = fail_io(why);
    if (d)
        closedir(d);
    else
        close(at);
    return err;
}

/* ---- its files */

static int read_at(int at, const char *file, struct buf *out, const char **why)
{
    int fd = file_open_own(at, file, O_RDONLY, why);
    if (fd < 0)
        return fd;
    int err = file_read_all(fd, out);
    *why = err == ERR_IO ? strerrordesc_np(errno) : err_text(err);
    int error = errno;
    close(fd);
    errno = error;
    return err;
}

int state_read(const char *dir, const char *file, struct buf *out, const char **why)
{
    int at = state_open(dir, why);
    if (at < 0)
        return at;
    int err = read_at(at, file, out, why);
    int error = errno;
    close(at);
    errno = error;
    return err;
}

/* Writes a new file @name, and syncs the file if @sync is set. @name contains the process id, and
 * the lock keeps other processes out. Returns 0, or ERR_IO with errno set. */
static int write_temporary(int at, const char *name, struct slice content, bool sync)
{
    unlinkat(at, name, 0);
    int fd = openat(at, name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd < 0)
        return ERR_IO;
    int err = file_write_all(fd, content);
    if (err == 0 && sync && fsync(fd) < 0)
        err = ERR_IO;
    int error = errno;
    if (close(fd) < 0 && err == 0) /* NFS tells here that the disk is full */
        return ERR_IO;
    errno = error;
    return err;
}

/* Writes a temporary file and moves it to @file: by rename(2) if @replace is set, which replaces an
 * existing file; otherwise by link(2), which fails when the file exists. Returns 0, ERR_TAKEN when
 * link(2) found an existing file, or ERR_IO with errno set. */
static int write_and_move(int at, const char *file, struct slice content, bool replace)
{
    char *temporary = xasprintf(".%s.%ld", file, (long)getpid());
    int err = write_temporary(at, temporary, content, !replace);
    if (err == 0 &&
        (replace ? renameat(at, temporary, at, file) : linkat(at, temporary, at, file, 0)) < 0)
        err = errno == EEXIST ? ERR_TAKEN : ERR_IO;
    int error = errno;
    if (err < 0 || !replace)
        unlinkat(at, temporary, 0);
    free(temporary);
    errno = error;
    return err;
}

static int put(const char *dir, const char *file, struct slice content, bool replace,
               const char **why)
{
    int at = state_open(dir, why);
    if (at < 0)
        return at;
    int err = write_and_move(at, file, content, replace);
    int error = errno;
    close(at);
    errno = error;
    *why = err == ERR_IO ? strerrordesc_np(errno) : err_text(err);
    return err;
}

int state_write(const char *dir, const char *file, struct slice content, const char **why)
{
    return put(dir, file, content, true, why);
}

int state_create(const char *dir, const char *file, struct slice content, const char **why)
{
    return put(dir, file, content, false, why);
}

void state_remove(const char *dir, const char *file)
{
    const char *why;
    int at = state_open(dir, &why);
    if (at < 0)
        return;
    unlinkat(at, file, 0);
    close(at);
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

/* Reads the server's name from the file `node` into @node. Returns 0; ERR_LIMIT when the file is
 * too long; ERR_SYNTAX when it holds no name; or an error of state_read. */
static int node_read(const char *dir, char node[static STATE_NODE_MAX], const char **why)
{
    struct buf b;
    buf_init(&b, NODE_FILE_MAX);
    int err = state_read(dir, STATE_NODE, &b, why);
    struct slice line = first_line(buf_slice(&b));
    if (err == 0 && !node_valid(line))
        err = ERR_SYNTAX;
    if (err == 0)
        snprintf(node, STATE_NODE_MAX, "%.*s", SLICE_FMT(line));
    buf_release(&b);
    return err;
}

int state_node_save(const char *dir, const char *node, const char **why)
{
    char text[STATE_NODE_MAX + 1];
    int len = snprintf(text, sizeof text, "%s\n", node);
    return state_write(dir, STATE_NODE, slice_make(text, (size_t)len), why);
}

int state_node(const char *dir, char node[static STATE_NODE_MAX], bool *unsaved, const char **why)
{
    int err = node_read(dir, node, why);
    *unsaved = false;
    if (err == ERR_SYNTAX || err == ERR_LIMIT)
        LOG(WARN, "node_made_anew", LOG_STR("dir", dir), LOG_STR("file", STATE_NODE),
            LOG_STR("reason", "it is not \"oneport-\" and 8 hex digits"));
    else if (err != ERR_NOT_FOUND)
        return err;
    snprintf(node, STATE_NODE_MAX, "oneport-%08x", (unsigned)arc4random());
    err = state_node_save(dir, node, why);
    *unsaved = err < 0;
    return err == ERR_NOT_FOUND || state_may_pass(err) ? 0 : err;
}
