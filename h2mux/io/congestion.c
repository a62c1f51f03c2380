/* SPDX-License-Identifier: MIT */
/* congestion.c - see congestion.h. */
#include "h2mux/io/congestion.h"

#include <errno.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "h2mux/base/kernel.h"
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
    int fd = kernel_socket(AF_INET, SOCK_STREAM, false);
    if (fd < 0)
        return errno;
    int error = kernel_congestion(fd, name);
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
        kernel_congestion(fd, name);
}
