/* SPDX-License-Identifier: MIT */
/* no_family.c - preloaded into a program: the machine has no addresses of the family NO_FAMILY (4
 * or 6). With NO_FAMILY_AT=socket there are no such sockets, as without the kernel's module;
 * otherwise such an address cannot be bound, as with the sysctl disable_ipv6. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#define REAL(name) ((__typeof__(&(name)))dlsym(RTLD_NEXT, #name))

static int is_missing(int family)
{
    const char *text = getenv("NO_FAMILY");
    return text && family == (strcmp(text, "6") == 0 ? AF_INET6 : AF_INET);
}

int socket(int family, int type, int protocol)
{
    const char *at = getenv("NO_FAMILY_AT");
    if (is_missing(family) && at && strcmp(at, "socket") == 0) {
        errno = EAFNOSUPPORT;
        return -1;
    }
    return REAL(socket)(family, type, protocol);
}

int bind(int fd, const struct sockaddr *addr, socklen_t len)
{
    if (is_missing(addr->sa_family)) {
        errno = EADDRNOTAVAIL;
        return -1;
    }
    return REAL(bind)(fd, addr, len);
}
