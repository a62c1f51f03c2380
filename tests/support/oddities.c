/* SPDX-License-Identifier: MIT */
/* oddities.c - preloaded into a program: its sockets do what the kernel's may do on a bad day, all
 * the time. Reads and writes are short, interrupted (EINTR) or have to wait (EAGAIN).
 *
 * With edge-triggered epoll a program may rely on an event after EAGAIN and after a short read or
 * write, so each of those is followed by one: the descriptor is registered anew, with what the
 * program registered it with. What is not in an epoll set is left alone. The dice are the same in
 * every run (ODDITIES_SEED). */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/uio.h>

enum { FDS = 4096, PARTS = 64, SHORTEST = 1, SHORT = 100 };

static struct watched {
    _Atomic int epoll; /* 0: in none */
    struct epoll_event event;
} watched[FDS];

static atomic_uint_fast64_t counter;

/* splitmix64 */
static uint64_t dice(void)
{
    uint64_t z = atomic_fetch_add(&counter, 1) * 0x9e3779b97f4a7c15U;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9U;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebU;
    return z ^ (z >> 31);
}

__attribute__((constructor)) static void seed(void)
{
    const char *text = getenv("ODDITIES_SEED");
    atomic_store(&counter, text ? strtoull(text, NULL, 10) << 32 : 0);
}

#define REAL(name) ((__typeof__(&(name)))dlsym(RTLD_NEXT, #name))

int epoll_ctl(int epfd, int op, int fd, struct epoll_event *event)
{
    int done = REAL(epoll_ctl)(epfd, op, fd, event);
    if (done < 0 || fd < 0 || fd >= FDS)
        return done;
    if (op == EPOLL_CTL_DEL) {
        watched[fd].epoll = 0;
    } else {
        watched[fd].event = *event;
        watched[fd].epoll = epfd;
    }
    return done;
}

static int is_watched(int fd)
{
    return fd >= 0 && fd < FDS && watched[fd].epoll != 0;
}

/* An event comes for whatever is ready. */
static void rouse(int fd)
{
    struct epoll_event event = watched[fd].event;
    int before = errno;
    REAL(epoll_ctl)(watched[fd].epoll, EPOLL_CTL_MOD, fd, &event);
    errno = before;
}

/* -1: the call fails; else the most that it may move. */
static ssize_t fate(int fd, size_t len)
{
    uint64_t d = dice();
    if (d % 8 == 0) {
        errno = EINTR;
        return -1;
    }
    if (d % 8 == 1) {
        errno = EAGAIN;
        rouse(fd);
        return -1;
    }
    if (d % 8 < 5)
        return (ssize_t)len;
    size_t most = SHORTEST + (d >> 8) % SHORT;
    return (ssize_t)(most < len ? most : len);
}

ssize_t recv(int fd, void *to, size_t len, int flags)
{
    if (!is_watched(fd) || len == 0 || flags != 0)
        return REAL(recv)(fd, to, len, flags);
    ssize_t most = fate(fd, len);
    if (most < 0)
        return -1;
    ssize_t n = REAL(recv)(fd, to, (size_t)most, flags);
    if (n == most)
        rouse(fd);
    return n;
}

ssize_t send(int fd, const void *from, size_t len, int flags)
{
    if (!is_watched(fd) || len == 0)
        return REAL(send)(fd, from, len, flags);
    ssize_t most = fate(fd, len);
    if (most < 0)
        return -1;
    ssize_t n = REAL(send)(fd, from, (size_t)most, flags);
    if (n == most && (size_t)most < len)
        rouse(fd);
    return n;
}

ssize_t sendmsg(int fd, const struct msghdr *message, int flags)
{
    struct iovec parts[PARTS];
    struct msghdr shorter = *message;
    size_t len = 0, count = 0;
    for (size_t i = 0; i < message->msg_iovlen; i++)
        len += message->msg_iov[i].iov_len;
    if (!is_watched(fd) || len == 0 || message->msg_iovlen > PARTS)
        return REAL(sendmsg)(fd, message, flags);
    ssize_t most = fate(fd, len);
    if (most < 0)
        return -1;
    for (size_t left = (size_t)most; left > 0; count++) {
        parts[count] = message->msg_iov[count];
        if (parts[count].iov_len > left)
            parts[count].iov_len = left;
        left -= parts[count].iov_len;
    }
    shorter.msg_iov = parts;
    shorter.msg_iovlen = count;
    ssize_t n = REAL(sendmsg)(fd, &shorter, flags);
    if (n == most && (size_t)most < len)
        rouse(fd);
    return n;
}

int accept4(int fd, struct sockaddr *address, socklen_t *len, int flags)
{
    if (is_watched(fd) && dice() % 4 == 0) {
        errno = EINTR;
        rouse(fd);
        return -1;
    }
    return REAL(accept4)(fd, address, len, flags);
}
