/* SPDX-License-Identifier: MIT */
/* challenge.c - see challenge.h. */
#include "src/edge/challenge.h"

#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

/* Opens the file. Does not follow a link as its last part, and does not wait for a writer of a
 * FIFO. */
static int open_token(const char *dir, const char *token)
{
    int folder = open(dir, O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (folder < 0)
        return -1;
    int fd = openat(folder, token, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
    close(folder);
    return fd;
}

static int read_file(int fd, struct buf *out)
{
    struct stat st;
    char text[CHALLENGE_MAX + 1];
    if (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode))
        return ERR_NOT_FOUND;
    ssize_t n = read(fd, text, sizeof text);
    if (n <= 0 || n > CHALLENGE_MAX)
        return ERR_NOT_FOUND;
    return buf_append(out, slice_make(text, (size_t)n)) < 0 ? ERR_NOT_FOUND : 0;
}

int challenge_read(const char *dir, struct slice token, struct buf *out)
{
    char *name = slice_dup(token);
    int fd = open_token(dir, name);
    free(name);
    if (fd < 0)
        return ERR_NOT_FOUND;
    int err = read_file(fd, out);
    close(fd);
    return err;
}
