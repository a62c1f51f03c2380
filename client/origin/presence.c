/* SPDX-License-Identifier: MIT */
/* presence.c - see presence.h. */
#include "client/origin/presence.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

enum { LISTENING = 0x0a };

bool presence_in_line(const char *line, uint16_t port)
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
