/* SPDX-License-Identifier: MIT */
/* base.c - see base.h. */
#include "client/origin/base.h"

static bool is_https(struct slice scheme)
{
    return slice_ieq(scheme, SLICE("https"));
}

/* Returns @authority without the scheme's default port: where that is 80, "host:80", "host:" and
 * "host" are the same authority. */
static struct slice without_default_port(struct slice scheme, struct slice authority)
{
    struct slice port = is_https(scheme) ? SLICE(":443") : SLICE(":80");
    if (slice_ends(authority, SLICE(":")))
        port = SLICE(":");
    if (slice_ends(authority, port))
        authority.len -= port.len;
    return authority;
}

static bool same_authority(struct slice scheme, struct slice a, struct slice b)
{
    return slice_ieq(without_default_port(scheme, a), without_default_port(scheme, b));
}

/* Returns the authority that @s begins with. */
static struct slice authority_of(struct slice s)
{
    size_t n = 0;
    while (n < s.len && s.ptr[n] != '/' && s.ptr[n] != '?' && s.ptr[n] != '#')
        n++;
    return slice_make(s.ptr, n);
}

/* Returns whether @value begins with "@scheme://", and sets @tail to what is behind that. */
static bool has_scheme(struct slice value, struct slice scheme, struct slice *tail)
{
    if (!slice_istarts(value, scheme) || !slice_starts(slice_skip(value, scheme.len), SLICE("://")))
        return false;
    *tail = slice_skip(value, scheme.len + 3);
    return true;
}

bool base_begins(const struct base *b, struct slice value, struct slice *rest)
{
    struct slice tail;
    if (!has_scheme(value, b->scheme, &tail) ||
        !same_authority(b->scheme, authority_of(tail), b->authority))
        return false;
    *rest = slice_skip(tail, authority_of(tail).len);
    return true;
}

bool base_begins_short(const struct base *b, struct slice value, struct slice *rest)
{
    struct slice tail = slice_skip(value, 2);
    if (!slice_starts(value, SLICE("//")) ||
        !same_authority(b->scheme, authority_of(tail), b->authority))
        return false;
    *rest = slice_skip(tail, authority_of(tail).len);
    return true;
}

struct slice base_host(struct slice authority)
{
    ptrdiff_t colon = slice_rfind(authority, ':'), bracket = slice_rfind(authority, ']');
    return colon > bracket ? slice_make(authority.ptr, (size_t)colon) : authority;
}

/* Returns the port of @authority, or the default one of @scheme; 0: it has none that is valid. */
static uint64_t port_of(struct slice scheme, struct slice authority)
{
    struct slice digits = slice_skip(authority, base_host(authority).len + 1);
    uint64_t port = is_https(scheme) ? 443 : 80;
    if (digits.len > 0 && slice_to_u64(digits, UINT16_MAX, &port) < 0)
        return 0;
    return port;
}

bool base_is_mixed(const struct base *viewer, const struct base *origin, struct slice value,
                   struct slice *rest, bool *is_short)
{
    struct base said = {.scheme = viewer->scheme};
    struct slice tail;
    *is_short = slice_starts(value, SLICE("//"));
    if (*is_short)
        tail = slice_skip(value, 2);
    else if (has_scheme(value, origin->scheme, &tail))
        said.scheme = origin->scheme;
    else if (!has_scheme(value, viewer->scheme, &tail))
        return false;
    said.authority = authority_of(tail);
    *rest = slice_skip(tail, said.authority.len);
    struct slice host = base_host(said.authority);
    if (!slice_ieq(host, base_host(viewer->authority)))
        return false;
    bool steps_up = is_https(said.scheme) && !is_https(viewer->scheme);
    bool steps_down = is_https(viewer->scheme) && !is_https(said.scheme);
    bool origin_port =
        port_of(said.scheme, said.authority) == port_of(origin->scheme, origin->authority);
    if (origin_port)
        return !steps_up || host.len != said.authority.len;
    return steps_down && same_authority(said.scheme, said.authority, viewer->authority);
}
