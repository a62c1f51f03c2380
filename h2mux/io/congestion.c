/* SPDX-License-Identifier: MIT */
/* congestion.c - see congestion.h. */
#include "h2mux/io/congestion.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "h2mux/base/log.h"
#include "h2mux/base/slice.h"

enum { NAME_MOST = 15 }; /* TCP_CA_NAME_MAX, without the zero byte */

int congestion_check(const char *name)
{
    size_t len = strlen(name);
    static const char allowed[] = "abcdefghijklmnopqrstuvwxyz"
                                  "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_";
    return len > 0 && len <= NAME_MOST && strspn(name, allowed) == len ? 0 : ERR_SYNTAX;
}

/* Asks the kernel for @name on a socket that is never connected. Returns 0 or the kernel's errno.
 */
static int try(const char *name)
{
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return errno;
    bool set = setsockopt(fd, IPPROTO_TCP, TCP_CONGESTION, name, (socklen_t)strlen(name)) == 0;
    int error = set ? 0 : errno;
    close(fd);
    return error;
}

const char *congestion_choose(const char *name)
{
    int error = name ? try(name) : 0;
    if (error == 0)
        return name;
    LOG(WARN, "congestion_refused", LOG_STR("congestion", name),
        LOG_STR("reason", error == ENOENT  ? "this kernel does not have it"
                          : error == EPERM ? "net.ipv4.tcp_allowed_congestion_control has it not"
                                           : strerror(error)),
        LOG_STR("instead", "the system's own"));
    return NULL;
}

void congestion_set(int fd, const char *name)
{
    if (fd >= 0 && name)
        setsockopt(fd, IPPROTO_TCP, TCP_CONGESTION, name, (socklen_t)strlen(name));
}
