/* SPDX-License-Identifier: MIT */
/* kernel.c - see kernel.h. */
#include "h2mux/base/kernel.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/sockios.h>
#include <linux/tcp.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/random.h>
#include <time.h>
#include <unistd.h>

enum { LISTENING = 0x0a, PATH_ROOM = 32, LINE_ROOM = 512 };

/* ---- descriptors */

int kernel_socket(int family, int type, bool ready)
{
    return socket(family, type | SOCK_CLOEXEC | (ready ? SOCK_NONBLOCK : 0), 0);
}

int kernel_accept(int fd, struct sockaddr *from, socklen_t *len)
{
    return accept4(fd, from, len, SOCK_NONBLOCK | SOCK_CLOEXEC);
}

int kernel_pipe(int ends[2])
{
    return pipe2(ends, O_CLOEXEC);
}

int kernel_reopen(int fd, int flags)
{
    char path[PATH_ROOM];
    snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    return open(path, flags | O_CLOEXEC);
}

int kernel_dup_to(int fd, int to)
{
    return dup3(fd, to, O_CLOEXEC);
}

/* A new descriptor has the lowest free number. */
int kernel_next_descriptor(void)
{
    int fd = eventfd(0, EFD_CLOEXEC);
    if (fd >= 0)
        close(fd);
    return fd;
}

size_t kernel_open_descriptors(void)
{
    size_t n = 0;
    DIR *dir = opendir("/proc/self/fd");
    if (!dir)
        return 0;
    for (struct dirent *entry; (entry = readdir(dir));)
        n += entry->d_name[0] != '.';
    closedir(dir);
    return n - 1; /* without that of the directory */
}

/* ---- waking */

int kernel_wake_new(void)
{
    return eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
}

/* The write can fail only with EAGAIN: the counter is full, so its reader is awake already. */
int kernel_wake_ring(int fd)
{
    uint64_t one = 1;
    return write(fd, &one, sizeof one) < 0 && errno != EAGAIN ? -1 : 0;
}

bool kernel_wake_heed(int fd)
{
    uint64_t count;
    return read(fd, &count, sizeof count) >= 0;
}

/* ---- TCP */

int kernel_tcp_look(int fd, struct kernel_tcp *out)
{
    struct tcp_info info = {.tcpi_state = 0};
    socklen_t len = sizeof info;
    if (getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &len) < 0)
        return -1;
    *out = (struct kernel_tcp){
        .retransmits = info.tcpi_retransmits,
        .probes = info.tcpi_probes,
        .quiet_ms = info.tcpi_last_ack_recv,
        .waiting = info.tcpi_unacked > 0 || info.tcpi_notsent_bytes > 0,
    };
    return 0;
}

int kernel_tcp_trip(int fd, uint64_t *rtt_us, uint64_t *least_us)
{
    struct tcp_info info = {.tcpi_min_rtt = UINT32_MAX};
    socklen_t len = sizeof info;
    if (getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &len) < 0 || info.tcpi_rtt == 0 ||
        info.tcpi_min_rtt == 0 || info.tcpi_min_rtt == UINT32_MAX)
        return -1;
    *rtt_us = info.tcpi_rtt;
    *least_us = info.tcpi_min_rtt;
    return 0;
}

int kernel_unacknowledged(int fd)
{
    int waiting;
    return ioctl(fd, SIOCOUTQ, &waiting) < 0 ? -1 : waiting;
}

static void set(int fd, int level, int option, int value)
{
    setsockopt(fd, level, option, &value, sizeof value);
}

void kernel_keep_alive(int fd, int idle_s, int interval_s, int probes)
{
    set(fd, SOL_SOCKET, SO_KEEPALIVE, 1);
    set(fd, IPPROTO_TCP, TCP_KEEPIDLE, idle_s);
    set(fd, IPPROTO_TCP, TCP_KEEPINTVL, interval_s);
    set(fd, IPPROTO_TCP, TCP_KEEPCNT, probes);
}

int kernel_congestion(int fd, const char *name)
{
    return setsockopt(fd, IPPROTO_TCP, TCP_CONGESTION, name, (socklen_t)strlen(name)) == 0 ? 0
                                                                                           : errno;
}

uid_t kernel_peer_user(int fd)
{
    struct ucred who = {.uid = (uid_t)-1};
    socklen_t len = sizeof who;
    return getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &who, &len) == 0 ? who.uid : (uid_t)-1;
}

bool kernel_peer_left(int fd)
{
    struct pollfd p = {.fd = fd, .events = POLLRDHUP};
    return poll(&p, 1, 0) > 0;
}

bool kernel_listens_in_line(const char *line, uint16_t port)
{
    char *state;
    const char *number = strchr(line, ':');
    const char *local = number ? strchr(number + 1, ':') : NULL;
    const char *remote = local ? strchr(local + 1, ':') : NULL;
    if (!remote || strtoul(local + 1, NULL, 16) != port)
        return false;
    strtoul(remote + 1, &state, 16); /* the port of the remote end */
    return strtoul(state, NULL, 16) == LISTENING;
}

/* Looks through one table, as kernel_listens does. */
static int look(const char *table, uint16_t port)
{
    char line[LINE_ROOM];
    int found = 0;
    FILE *f = fopen(table, "re");
    if (!f)
        return -1;
    while (found == 0 && fgets(line, sizeof line, f))
        found = kernel_listens_in_line(line, port);
    fclose(f);
    return found;
}

/* A machine without IPv6 has no table of it. */
int kernel_listens(uint16_t port)
{
    int v4 = look("/proc/net/tcp", port);
    return v4 != 0 ? v4 : look("/proc/net/tcp6", port) == 1;
}

/* ---- the process */

void kernel_random_early(void *out, size_t size)
{
    (void)!getrandom(out, size, GRND_NONBLOCK);
}

uint64_t kernel_boot_us(void)
{
    struct timespec ts;
    clock_gettime(CLOCK_BOOTTIME, &ts);
    return (uint64_t)ts.tv_sec * 1000000 + (uint64_t)ts.tv_nsec / 1000;
}

size_t kernel_resident(void)
{
    char line[LINE_ROOM] = "", *at = line;
    FILE *statm = fopen("/proc/self/statm", "re");
    if (!statm)
        return 0;
    if (!fgets(line, sizeof line, statm))
        line[0] = '\0';
    fclose(statm);
    strtoul(at, &at, 10); /* skips the size of all mappings */
    size_t pages = strtoul(at, &at, 10);
    size_t of_files = strtoul(at, &at, 10);
    return pages < of_files ? 0 : (pages - of_files) * (size_t)sysconf(_SC_PAGESIZE);
}
