/* SPDX-License-Identifier: MIT */
/* inet.c - see inet.h. */
#include "h2mux/base/inet.h"

#include <arpa/inet.h>

bool inet_parse(int family, struct slice text, union inet *out)
{
    char copy[INET6_ADDRSTRLEN];
    if (text.len == 0 || text.len >= sizeof copy || memchr(text.ptr, '\0', text.len))
        return false;
    memcpy(copy, text.ptr, text.len);
    copy[text.len] = '\0';
    return inet_pton(family, copy, out) == 1;
}

int inet_parse_host(struct slice host, union inet *out)
{
    bool v6 = host.len > 2 && host.ptr[0] == '[' && host.ptr[host.len - 1] == ']';
    int family = v6 ? AF_INET6 : AF_INET;
    struct slice address = v6 ? slice_make(host.ptr + 1, host.len - 2) : host;
    return inet_parse(family, address, out) ? family : AF_UNSPEC;
}

bool inet_is_localhost(struct slice host)
{
    struct slice local = SLICE("localhost");
    if (slice_ends(host, SLICE(".")))
        host.len--;
    if (host.len <= local.len)
        return slice_ieq(host, local);
    size_t above = host.len - local.len;
    return above > 1 && host.ptr[above - 1] == '.' && slice_ieq(slice_skip(host, above), local);
}
