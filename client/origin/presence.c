/* SPDX-License-Identifier: MIT */
/* presence.c - see presence.h. */
#include "client/origin/presence.h"

#include <stdio.h>
#include <sys/stat.h>

enum { LISTENING = 0x0a };

bool presence_in_line(const char *line, uint16_t port)
{
    unsigned local = 0, state = 0;
    return sscanf(line, " %*u: %*[0-9A-Fa-f]:%x %*[0-9A-Fa-f]:%*x %x", &local, &state) == 2 &&
           state == LISTENING && local == port;
}

/* Looks through one table. A machine without IPv6 has no table of it. */
static enum presence look(const char *table, uint16_t port)
{
    char line[512];
    enum presence found = PRESENCE_NOBODY;
    FILE *f = fopen(table, "re");
    if (!f)
        return PRESENCE_UNKNOWN;
    while (found == PRESENCE_NOBODY && fgets(line, sizeof line, f))
        if (presence_in_line(line, port))
            found = PRESENCE_LISTENS;
    fclose(f);
    return found;
}

enum presence presence_of(const struct origin_address *a)
{
    struct stat st;
    if (a->unix_path[0] != '\0')
        return stat(a->unix_path, &st) == 0 ? PRESENCE_LISTENS : PRESENCE_NOBODY;
    if (!url_is_loopback(&a->url))
        return PRESENCE_UNKNOWN;
    enum presence v4 = look("/proc/net/tcp", a->url.port);
    if (v4 != PRESENCE_NOBODY)
        return v4;
    return look("/proc/net/tcp6", a->url.port) == PRESENCE_LISTENS ? PRESENCE_LISTENS
                                                                   : PRESENCE_NOBODY;
}
