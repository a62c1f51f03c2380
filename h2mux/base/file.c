/* SPDX-License-Identifier: MIT */
/* file.c - see file.h. */
#include "h2mux/base/file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "h2mux/base/err.h"

enum { READ_STEP = 16384, GROUPS_MAX = 65536 /* NGROUPS_MAX of Linux */ };

/* ---- files that are ours */

static bool in_group(gid_t group)
{
    int count = getgroups(0, NULL);
    bool found = group == getegid();
    if (found || count <= 0 || count > GROUPS_MAX)
        return found;
    gid_t *groups = xcalloc((size_t)count, sizeof *groups);
    count = getgroups(count, groups);
    for (int i = 0; i < count && !found; i++)
        found = groups[i] == group;
    free(groups);
    return found;
}

/* Returns why the file is refused, or NULL. */
static const char *find_flaw(const struct stat *st, bool directory)
{
    if (directory ? !S_ISDIR(st->st_mode) : !S_ISREG(st->st_mode))
        return directory ? "is no directory" : "is no regular file: remove it";
    if (st->st_uid != geteuid() && st->st_uid != 0)
        return "belongs to another user: chown it to the user that runs this program";
    if ((st->st_mode & S_IWOTH) || ((st->st_mode & S_IWGRP) && !in_group(st->st_gid)))
        return "may be written by other users: chmod go-w it, and look what they have changed";
    return NULL;
}

static int refuse_open(int at, const char *path, int error, const char **why)
{
    struct stat st;
    bool link = (error == ELOOP || error == ENOTDIR) &&
                fstatat(at, path, &st, AT_SYMLINK_NOFOLLOW) == 0 && S_ISLNK(st.st_mode);
    errno = error;
    *why =
        link ? "is a symbolic link: put there, or name, what it points to" : strerrordesc_np(error);
    return link ? ERR_DENIED : error == ENOENT ? ERR_NOT_FOUND : ERR_IO;
}

static int open_judged(int at, const char *path, int flags, const char **why)
{
    struct stat st;
    int fd = openat(at, path, flags | O_NONBLOCK | O_NOCTTY | O_CLOEXEC, 0600);
    if (fd < 0)
        return refuse_open(at, path, errno, why);
    if (fstat(fd, &st) < 0) {
        int error = errno;
        close(fd);
        return refuse_open(at, path, error, why);
    }
    *why = find_flaw(&st, flags & O_DIRECTORY);
    if (!*why)
        return fd;
    close(fd);
    return ERR_DENIED;
}

int file_open_own(int at, const char *path, int flags, const char **why)
{
    return open_judged(at, path, flags | O_NOFOLLOW, why);
}

int file_open_trusted(const char *path, const char **why)
{
    return open_judged(AT_FDCWD, path, O_RDONLY, why);
}

/* ---- whole files */

/* Appends the rest of @fd to @to. When @to is full, reads one byte more: only this read tells a
 * file that ends here from a file that is too large. */
int file_read_all(int fd, struct buf *to)
{
    for (;;) {
        size_t room = to->limit - buf_len(to);
        size_t step = room < READ_STEP ? room : READ_STEP;
        char extra, *at = room > 0 ? buf_reserve(to, step) : &extra;
        ssize_t n = read(fd, at, room > 0 ? step : 1);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return n == 0 ? 0 : ERR_IO;
        if (room == 0)
            return ERR_LIMIT;
        buf_commit(to, (size_t)n);
    }
}

int file_write_all(int fd, struct slice content)
{
    while (content.len > 0) {
        ssize_t n = write(fd, content.ptr, content.len);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return ERR_IO;
        content = slice_skip(content, (size_t)n);
    }
    return 0;
}

int file_make_directories(const char *path)
{
    char *copy = xstrdup(path);
    int err = 0;
    for (char *slash = strchr(copy + 1, '/'); slash && err == 0; slash = strchr(slash + 1, '/')) {
        *slash = '\0';
        if (mkdir(copy, 0700) < 0 && errno != EEXIST)
            err = ERR_IO;
        *slash = '/';
    }
    free(copy);
    return err;
}

int file_replace(const char *path, const char *temporary, struct slice text)
{
    int fd = open(temporary, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (fd < 0)
        return ERR_IO;
    int err = fchmod(fd, 0600) < 0 ? ERR_IO : file_write_all(fd, text);
    if (err == 0 && fsync(fd) < 0)
        err = ERR_IO;
    close(fd);
    if (err == 0 && rename(temporary, path) < 0)
        err = ERR_IO;
    if (err < 0)
        unlink(temporary);
    return err;
}

int file_ensure_standard(void)
{
    for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++) {
        if (fcntl(fd, F_GETFD) >= 0)
            continue;
        /* The lowest free number is @fd, since those below are open. Nothing can be read from it,
         * and whatever is written to it is gone. */
        if (open("/dev/null", fd == STDIN_FILENO ? O_RDONLY : O_WRONLY) != fd)
            return ERR_IO;
    }
    return 0;
}
