/* SPDX-License-Identifier: MIT */
/* passed.c - see passed.h. */
#include "src/edge/passed.h"

#include <fcntl.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "h2mux/base/slice.h"
#include "h2mux/io/sock.h"

enum { FIRST = 3 };

static const char *const variables[] = {"LISTEN_PID", "LISTEN_FDS", "LISTEN_FDNAMES"};

/* Returns the number that the environment variable @name has, or 0. */
static uint64_t number(const char *name)
{
    const char *text = getenv(name);
    uint64_t n = 0;
    return text && slice_to_u64(slice_str(text), INT32_MAX, &n) == 0 ? n : 0;
}

void passed_open(struct passed *p)
{
    p->n = 0;
    if (number(variables[0]) == (uint64_t)getpid())
        p->n = (size_t)number(variables[1]);
    if (p->n > PASSED_MAX)
        p->n = PASSED_MAX;
    for (size_t i = 0; i < p->n; i++) {
        p->fds[i] = FIRST + (int)i;
        fcntl(p->fds[i], F_SETFD, FD_CLOEXEC);
    }
    for (size_t i = 0; i < sizeof variables / sizeof *variables; i++)
        unsetenv(variables[i]);
}

static bool is_same(const struct sockaddr_storage *a, const struct sockaddr_storage *b)
{
    const struct sockaddr_in *a4 = (const void *)a, *b4 = (const void *)b;
    const struct sockaddr_in6 *a6 = (const void *)a, *b6 = (const void *)b;
    if (a->ss_family != b->ss_family)
        return false;
    if (a->ss_family == AF_INET)
        return a4->sin_port == b4->sin_port && a4->sin_addr.s_addr == b4->sin_addr.s_addr;
    return a->ss_family == AF_INET6 && a6->sin6_port == b6->sin6_port &&
           IN6_ARE_ADDR_EQUAL(&a6->sin6_addr, &b6->sin6_addr);
}

/* Returns whether @fd is a socket that listens. Fills @addr with its address. */
static bool listens(int fd, struct sockaddr_storage *addr)
{
    int yes = 0;
    socklen_t size = sizeof yes, len = sizeof *addr;
    *addr = (struct sockaddr_storage){0};
    return getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &yes, &size) == 0 && yes &&
           getsockname(fd, (struct sockaddr *)addr, &len) == 0;
}

int passed_take(struct passed *p, const struct listen_address *a)
{
    struct sockaddr_storage addr;
    for (size_t i = 0; i < p->n; i++) {
        int fd = p->fds[i];
        if (fd < 0 || !listens(fd, &addr) || !is_same(&addr, &a->addr))
            continue;
        p->fds[i] = -1;
        fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK);
        sock_keep_alive(fd);
        return fd;
    }
    return -1;
}

bool passed_rest(const struct passed *p, char text[static PASSED_TEXT_MAX])
{
    struct sockaddr_storage addr;
    for (size_t i = 0; i < p->n; i++) {
        if (p->fds[i] < 0)
            continue;
        snprintf(text, PASSED_TEXT_MAX, "descriptor %d", p->fds[i]);
        if (listens(p->fds[i], &addr) && addr.ss_family != AF_UNIX)
            sock_address_text((const struct sockaddr *)&addr, true, text, PASSED_TEXT_MAX);
        return true;
    }
    return false;
}

void passed_close(struct passed *p)
{
    for (size_t i = 0; i < p->n; i++)
        if (p->fds[i] >= 0)
            close(p->fds[i]);
    p->n = 0;
}
