/* SPDX-License-Identifier: MIT */
/* file.c - see file.h. */
#include "h2mux/base/file.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "h2mux/base/err.h"

enum { READ_STEP = 16384 };

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
