/* SPDX-License-Identifier: MIT */
/* reach.c - see reach.h. */
#include "client/server/reach.h"

#include <string.h>

#include "h2mux/base/inet.h"

/* A host in the form that is compared. */
struct place {
    int family; /* AF_UNSPEC: a name */
    union inet address;
    struct slice name; /* without a dot at its end */
};

static struct place place_of(const char *host)
{
    struct place p = {.name = slice_str(host)};
    if (inet_parse(AF_INET, p.name, &p.address))
        p.family = AF_INET;
    else if (inet_parse(AF_INET6, p.name, &p.address))
        p.family = AF_INET6;
    if (p.name.len > 1 && p.name.ptr[p.name.len - 1] == '.')
        p.name.len--;
    return p;
}

static bool is_same(const struct place *a, const struct place *b)
{
    if (a->family != b->family)
        return false;
    switch (a->family) {
    case AF_INET:
        return a->address.v4.s_addr == b->address.v4.s_addr;
    case AF_INET6:
        return memcmp(&a->address.v6, &b->address.v6, sizeof a->address.v6) == 0;
    default:
        return slice_ieq(a->name, b->name);
    }
}

/* Returns whether the name @a ends with "." and the name @b. */
static bool is_below(const struct place *a, const struct place *b)
{
    if (a->family != AF_UNSPEC || b->family != AF_UNSPEC || a->name.len < b->name.len + 2)
        return false;
    struct slice end = slice_skip(a->name, a->name.len - b->name.len);
    return end.ptr[-1] == '.' && slice_ieq(end, b->name);
}

bool reach_host_valid(const char *host)
{
    struct url url = {.https = true};
    struct slice text = slice_str(host);
    union inet address;
    if (inet_parse(AF_INET6, text, &address))
        return true;
    return url_parse_authority(text, &url) == 0 && url.port == 0;
}

/* Returns whether the user has named the host @to. An IPv6 address may have brackets there. */
static bool is_named(const struct reach *r, const struct place *to)
{
    for (size_t i = 0; r->hosts && i < r->hosts->count; i++) {
        struct url url = {.https = true};
        const char *host = r->hosts->item[i];
        if (host[0] == '[' && url_parse_authority(slice_str(host), &url) == 0)
            host = url.host;
        struct place named = place_of(host);
        if (is_same(&named, to))
            return true;
    }
    return false;
}

bool reach_covers(const struct reach *r, const struct url *server, const struct url *to)
{
    struct place own = place_of(server->host), other = place_of(to->host);
    return is_same(&other, &own) || is_below(&other, &own) || is_named(r, &other);
}

bool reach_allows(const void *reach, const struct sockaddr *a)
{
    const struct sockaddr_in *v4 = (const struct sockaddr_in *)(const void *)a;
    const struct sockaddr_in6 *v6 = (const struct sockaddr_in6 *)(const void *)a;
    struct place place = {.family = a->sa_family};
    if (a->sa_family == AF_INET)
        place.address.v4 = v4->sin_addr;
    else if (a->sa_family == AF_INET6)
        place.address.v6 = v6->sin6_addr;
    else
        return false;
    return inet_is_public(a) || is_named(reach, &place);
}
