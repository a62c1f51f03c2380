/* SPDX-License-Identifier: MIT */
/* presence.c - see presence.h. */
#include "client/origin/presence.h"

#include <sys/stat.h>

#include "h2mux/base/kernel.h"

enum presence presence_of(const struct origin_address *a)
{
    struct stat st;
    if (a->unix_path[0] != '\0')
        return stat(a->unix_path, &st) == 0 ? PRESENCE_LISTENS : PRESENCE_NOBODY;
    if (!url_is_loopback(&a->url))
        return PRESENCE_UNKNOWN;
    int listens = kernel_listens(a->url.port);
    return listens < 0 ? PRESENCE_UNKNOWN : listens ? PRESENCE_LISTENS : PRESENCE_NOBODY;
}
