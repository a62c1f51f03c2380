/* SPDX-License-Identifier: MIT */
/* state_lock.c - takes and gives up the lock; see state_lock.h. */
#include "src/names/state_lock.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "h2mux/base/clock.h"
#include "h2mux/base/err.h"
#include "h2mux/base/file.h"
#include "h2mux/base/kernel.h"
#include "src/names/state.h"

enum { WAIT_US = 10 * 1000000, LOOK_US = 10 * 1000, PID_TEXT_MAX = 24 };

/* Opens the lock file, and makes it if it does not exist. On a read-only disk a file that exists
 * can be locked all the same. */
static int open_file(int at, const char **why)
{
    int fd = file_open_own(at, STATE_LOCK, O_RDWR | O_CREAT, why);
    if (fd == ERR_IO && errno == EROFS)
        fd = file_open_own(at, STATE_LOCK, O_RDONLY, why);
    if (fd == ERR_NOT_FOUND) {
        errno = EROFS;
        *why = strerrordesc_np(errno);
        return ERR_IO;
    }
    return fd;
}

/* Returns the PID in the file, or 0. */
static long read_pid(int fd)
{
    char text[PID_TEXT_MAX] = "";
    return pread(fd, text, sizeof text - 1, 0) > 0 ? strtol(text, NULL, 10) : 0;
}

/* Writes our PID. A failure, as on a full disk, costs only the PID in another process's message. */
static void write_pid(int fd)
{
    char text[PID_TEXT_MAX];
    int len = snprintf(text, sizeof text, "%ld\n", (long)getpid());
    if (ftruncate(fd, 0) == 0)
        (void)!pwrite(fd, text, (size_t)len, 0);
}

/* Returns whether the directory still has the file @fd under its name: somebody may have removed
 * it, and another process locked a new one. */
static bool is_current(int at, int fd)
{
    struct stat ours, there;
    return fstat(fd, &ours) == 0 && fstatat(at, STATE_LOCK, &there, AT_SYMLINK_NOFOLLOW) == 0 &&
           ours.st_ino == there.st_ino && ours.st_dev == there.st_dev;
}

/* Tries once. Returns the locked descriptor; ERR_TAKEN with the PID of the holder, or 0, in
 * @holder; or an error of file_open_own. */
static int try_once(int at, long *holder, const char **why)
{
    int fd = open_file(at, why);
    if (fd < 0)
        return fd;
    if (flock(fd, LOCK_EX | LOCK_NB) == 0 && is_current(at, fd))
        return fd;
    int error = errno;
    bool taken = error == EWOULDBLOCK || !is_current(at, fd);
    *holder = read_pid(fd);
    *why = strerrordesc_np(error);
    close(fd);
    errno = error;
    return taken ? ERR_TAKEN : ERR_IO;
}

static int wait_for(int at, long *holder, const char **why)
{
    const struct timespec pause = {.tv_nsec = LOOK_US * 1000};
    uint64_t until = clock_now_us() + WAIT_US;
    int fd = try_once(at, holder, why);
    while (fd == ERR_TAKEN && *holder == 0 && clock_now_us() < until) {
        nanosleep(&pause, NULL);
        fd = try_once(at, holder, why);
    }
    return fd;
}

static void explain(const char *dir, int err, long holder, const char *why, char *reason,
                    size_t cap)
{
    if (err != ERR_TAKEN)
        snprintf(reason, cap, "%s/%s: %s", dir, STATE_LOCK, why);
    else if (holder > 0)
        snprintf(reason, cap,
                 "%s: the oneportd with PID %ld serves from this directory: stop it first, or give "
                 "this one a --state-dir of its own",
                 dir, holder);
    else
        snprintf(reason, cap,
                 "%s: another oneportd has locked this directory and does not end: stop it first",
                 dir);
}

int state_lock_take(const char *dir, int *fd, char *reason, size_t reason_cap)
{
    const char *why = NULL;
    long holder = 0;
    *fd = STATE_LOCK_NONE;
    int at = state_open(dir, &why);
    if (at < 0) {
        snprintf(reason, reason_cap, "%s: %s", dir, why);
        return at;
    }
    int got = wait_for(at, &holder, &why);
    int error = errno;
    close(at);
    if (got >= 0) {
        write_pid(got);
        *fd = got;
        return 0;
    }
    explain(dir, got, holder, why, reason, reason_cap);
    errno = error;
    return got;
}

int state_lock_renew(const char *dir, int fd)
{
    const char *why;
    if (fd == STATE_LOCK_NONE || (fcntl(fd, F_GETFL) & O_ACCMODE) == O_RDWR)
        return fd;
    int at = state_open(dir, &why);
    int fresh = at < 0 ? at : file_open_own(at, STATE_LOCK, O_RDWR | O_CREAT, &why);
    if (at >= 0)
        close(at);
    if (fresh < 0)
        return fd;
    flock(fd, LOCK_UN);
    bool ours = flock(fresh, LOCK_EX | LOCK_NB) == 0 && kernel_dup_to(fresh, fd) == fd;
    close(fresh);
    if (!ours) {
        close(fd);
        return STATE_LOCK_NONE;
    }
    write_pid(fd);
    return fd;
}

void state_lock_will_end(int fd)
{
    if (fd != STATE_LOCK_NONE)
        (void)!ftruncate(fd, 0);
}

void state_lock_give(int fd)
{
    if (fd == STATE_LOCK_NONE)
        return;
    (void)!ftruncate(fd, 0);
    flock(fd, LOCK_UN); /* also if somebody has a copy of the descriptor by now */
    close(fd);
}
