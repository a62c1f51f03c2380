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

/* Turns a mapped address into the IPv4 address that it stands for. Returns the family of @a, which
 * was @family, from then on. */
static int unmap(int family, union inet *a)
{
    struct in6_addr v6;
    if (family != AF_INET6 || !IN6_IS_ADDR_V4MAPPED(&a->v6))
        return family;
    v6 = a->v6;
    memcpy(&a->v4, v6.s6_addr + 12, sizeof a->v4);
    return AF_INET;
}

int inet_of_socket(const struct sockaddr *socket, union inet *out)
{
    switch (socket->sa_family) {
    case AF_INET:
        out->v4 = ((const struct sockaddr_in *)(const void *)socket)->sin_addr;
        return AF_INET;
    case AF_INET6:
        out->v6 = ((const struct sockaddr_in6 *)(const void *)socket)->sin6_addr;
        return unmap(AF_INET6, out);
    default:
        return AF_UNSPEC;
    }
}

bool inet_is_of_this_machine(const struct sockaddr *peer)
{
    union inet address;
    int family = inet_of_socket(peer, &address);
    return peer->sa_family == AF_UNIX || inet_is_loopback(family, &address);
}

bool inet_is_loopback(int family, const union inet *a)
{
    union inet plain = *a;
    switch (unmap(family, &plain)) {
    case AF_INET:
        return ntohl(plain.v4.s_addr) >> 24 == 127;
    case AF_INET6:
        return IN6_IS_ADDR_LOOPBACK(&plain.v6);
    default:
        return false;
    }
}

/* ---- public addresses */

struct v4_net {
    uint32_t net;
    unsigned bits;
};

static bool v4_is_public(uint32_t address)
{
    static const struct v4_net others[] = {
        {0x00000000, 8},  /* this network */
        {0x0a000000, 8},  /* private: RFC 1918 */
        {0x64400000, 10}, /* of providers: RFC 6598 */
        {0x7f000000, 8},  /* loopback */
        {0xa9fe0000, 16}, /* link-local */
        {0xac100000, 12}, /* private */
        {0xc0000000, 24}, /* protocol assignments */
        {0xc0a80000, 16}, /* private */
        {0xc6120000, 15}, /* benchmarks */
        {0xe0000000, 3},  /* multicast, reserved, broadcast */
    };
    for (size_t i = 0; i < sizeof others / sizeof *others; i++)
        if ((address ^ others[i].net) >> (32 - others[i].bits) == 0)
            return false;
    return true;
}

static uint32_t v4_at(const uint8_t *bytes)
{
    return (uint32_t)bytes[0] << 24 | (uint32_t)bytes[1] << 16 | (uint32_t)bytes[2] << 8 | bytes[3];
}

/* Prefixes of IPv6 addresses that hold an IPv4 address, and where they hold it. */
static const struct {
    uint8_t prefix[12];
    size_t len, at;
} holders[] = {
    {{0}, 12, 12},                                           /* ::a.b.c.d, :: and ::1 */
    {{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff}, 12, 12},    /* mapped: RFC 4291 2.5.5.2 */
    {{0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 0, 0}, 12, 12},    /* translated: RFC 2765 */
    {{0, 0x64, 0xff, 0x9b, 0, 0, 0, 0, 0, 0, 0, 0}, 12, 12}, /* NAT64: RFC 6052 */
    {{0x20, 0x02}, 2, 2},                                    /* 6to4: RFC 3056 */
};

static bool v6_is_public(const uint8_t b[static 16])
{
    for (size_t i = 0; i < sizeof holders / sizeof *holders; i++)
        if (memcmp(b, holders[i].prefix, holders[i].len) == 0)
            return v4_is_public(v4_at(b + holders[i].at));
    return (b[0] & 0xe0) == 0x20; /* 2000::/3 is global unicast: RFC 4291 2.4 */
}

bool inet_is_public(const struct sockaddr *a)
{
    const struct sockaddr_in *v4 = (const struct sockaddr_in *)(const void *)a;
    const struct sockaddr_in6 *v6 = (const struct sockaddr_in6 *)(const void *)a;
    if (a->sa_family == AF_INET)
        return v4_is_public(ntohl(v4->sin_addr.s_addr));
    return a->sa_family == AF_INET6 && v6_is_public(v6->sin6_addr.s6_addr);
}
