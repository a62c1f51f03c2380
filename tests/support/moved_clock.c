/* SPDX-License-Identifier: MIT */
/* moved_clock.c - preloaded into a program: one of its clocks is as far from the true one as a file
 * says, at every moment anew. All other clocks stay true.
 *
 * WALL_CLOCK or BOOT_CLOCK names a file of 8 bytes, a number of seconds in the machine's own order;
 * whoever writes it moves the clock of all programs that have it mapped. CLOCK_BOOTTIME is ahead
 * of the monotonic clock after a sleep of the machine. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

static const _Atomic int64_t true_time;
static const _Atomic int64_t *wall = &true_time, *boot = &true_time;

/* Maps the file that the environment variable @name names. Returns whether there is one. */
static int map_named(const char *name, const _Atomic int64_t **offset)
{
    const char *path = getenv(name);
    int fd = path ? open(path, O_RDONLY | O_CLOEXEC) : -1;
    void *at = fd >= 0 ? mmap(NULL, sizeof **offset, PROT_READ, MAP_SHARED, fd, 0) : MAP_FAILED;
    if (fd >= 0)
        close(fd);
    if (at == MAP_FAILED)
        return 0;
    *offset = at;
    return 1;
}

__attribute__((constructor)) static void map(void)
{
    if (map_named("WALL_CLOCK", &wall) + map_named("BOOT_CLOCK", &boot) == 0)
        abort(); /* a test with the true time would say nothing */
}

static int now(clockid_t clock, struct timespec *out)
{
    static int (*real)(clockid_t, struct timespec *);
    if (!real)
        *(void **)&real = dlsym(RTLD_NEXT, "clock_gettime");
    int err = real(clock, out);
    if (err == 0 && (clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_COARSE))
        out->tv_sec += atomic_load(wall);
    if (err == 0 && clock == CLOCK_BOOTTIME)
        out->tv_sec += atomic_load(boot);
    return err;
}

int clock_gettime(clockid_t clock, struct timespec *out)
{
    return now(clock, out);
}

int gettimeofday(struct timeval *restrict out, void *restrict zone)
{
    struct timespec t;
    (void)zone;
    if (now(CLOCK_REALTIME, &t) < 0)
        return -1;
    *out = (struct timeval){.tv_sec = t.tv_sec, .tv_usec = t.tv_nsec / 1000};
    return 0;
}

time_t time(time_t *out)
{
    struct timespec t;
    if (now(CLOCK_REALTIME_COARSE, &t) < 0)
        return -1;
    if (out)
        *out = t.tv_sec;
    return t.tv_sec;
}
