/* SPDX-License-Identifier: MIT */
/* address.c - reads addresses from sockaddrs and from text; see address.h. */
#include "src/limits/address.h"

#include <arpa/inet.h>

#include "h2mux/base/err.h"
#include "h2mux/base/inet.h"

static struct address of_v4(struct in_addr v4)
{
    return (struct address){0, UINT64_C(0xffff) << 32 | ntohl(v4.s_addr)};
}

static struct address of_v6(const struct in6_addr *v6)
{
    struct in_addr v4;
    struct address out = {0, 0};
    memcpy(&v4, v6->s6_addr + 12, sizeof v4);
    if (IN6_IS_ADDR_V4MAPPED(v6))
        return of_v4(v4);
    memcpy(&out.network, v6->s6_addr, sizeof out.network);
    return out;
}

bool address_of_peer(const struct sockaddr *peer, struct address *out)
{
    if (peer->sa_family == AF_INET)
        *out = of_v4(((const struct sockaddr_in *)(const void *)peer)->sin_addr);
    else if (peer->sa_family == AF_INET6)
        *out = of_v6(&((const struct sockaddr_in6 *)(const void *)peer)->sin6_addr);
    else
        return false;
    return true;
}

bool address_of_viewer(const struct viewer *v, struct address *out)
{
    struct in6_addr v6;
    struct in_addr v4;
    if (v->trusted && !v->proxied)
        return false;
    if (inet_pton(AF_INET, v->address, &v4) == 1)
        *out = of_v4(v4);
    else if (inet_pton(AF_INET6, v->address, &v6) == 1)
        *out = of_v6(&v6);
    else
        return false;
    return true;
}

bool address_eq(const struct address *a, const struct address *b)
{
    return a->network == b->network && a->host == b->host;
}

void address_text(const struct address *a, char out[static TRUST_ADDRESS_MAX])
{
    struct in6_addr v6 = {0};
    struct in_addr v4 = {htonl((uint32_t)a->host)};
    memcpy(v6.s6_addr, &a->network, sizeof a->network);
    if (a->host != 0)
        inet_ntop(AF_INET, &v4, out, TRUST_ADDRESS_MAX);
    else
        inet_ntop(AF_INET6, &v6, out, TRUST_ADDRESS_MAX);
}

int address_parse(struct slice text, struct address *out)
{
    union inet a;
    if (inet_parse(AF_INET, text, &a))
        *out = of_v4(a.v4);
    else if (inet_parse(AF_INET6, text, &a))
        *out = of_v6(&a.v6);
    else
        return ERR_SYNTAX;
    return 0;
}
