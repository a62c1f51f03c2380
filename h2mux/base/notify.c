/* SPDX-License-Identifier: MIT */
/* notify.c - see notify.h. */
#include "h2mux/base/notify.h"

#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#include "h2mux/base/kernel.h"

enum { WAIT_S = 1 };

static const char *const variables[] = {"NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID"};

/* Returns a connected socket, or -1 if @name is no name of a socket or nobody has it. */
static int connect_to(const char *name)
{
    struct sockaddr_un to = {.sun_family = AF_UNIX};
    const struct timeval patience = {.tv_sec = WAIT_S};
    size_t len = strlen(name);
    if ((name[0] != '/' && name[0] != '@') || len < 2 || len >= sizeof to.sun_path)
        return -1;
    memcpy(to.sun_path, name, len);
    if (name[0] == '@')
        to.sun_path[0] = '\0';
    int fd = kernel_socket(AF_UNIX, SOCK_DGRAM, false);
    if (fd < 0)
        return -1;
    socklen_t size = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + len);
    if (connect(fd, (const struct sockaddr *)&to, size) == 0) {
        setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience);
        return fd;
    }
    close(fd);
    return -1;
}

/* Returns the number that the environment variable @name has, or 0. */
static uint64_t number(const char *name)
{
    const char *text = getenv(name);
    char *end = NULL;
    if (!text || text[0] < '0' || text[0] > '9')
        return 0;
    uint64_t n = strtoull(text, &end, 10);
    return *end == '\0' ? n : 0;
}

void notify_open(struct notify *n)
{
    const char *name = getenv(variables[0]);
    uint64_t pid = number(variables[2]);
    *n = (struct notify){.fd = name ? connect_to(name) : -1};
    if (n->fd >= 0 && (pid == 0 || pid == (uint64_t)getpid()))
        n->watchdog_ms = number(variables[1]) / 1000;
    for (size_t i = 0; i < sizeof variables / sizeof *variables; i++)
        unsetenv(variables[i]);
}

void notify_tell(const struct notify *n, const char *text)
{
    if (n->fd >= 0)
        (void)!send(n->fd, text, strlen(text), MSG_NOSIGNAL);
}

void notify_close(struct notify *n)
{
    if (n->fd >= 0)
        close(n->fd);
    n->fd = -1;
}
