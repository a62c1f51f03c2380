/* SPDX-License-Identifier: MIT */
/* who.c - makes the paths by which pools count their places; see who.h. */
#include "src/limits/who.h"

enum { WIDE_BITS = 48, MIDDLE_BITS = 56, NARROW_BITS = 64 };

/* Returns the first @bits of @network, which are whole bytes. The number of bits stands in `host`,
 * so that a network of one size never equals one of another size or an IPv4 address. */
static struct address cut(uint64_t network, unsigned bits)
{
    unsigned char bytes[sizeof network];
    struct address out = {.host = bits};
    memcpy(bytes, &network, sizeof bytes);
    memset(bytes + bits / 8, 0, sizeof bytes - bits / 8);
    memcpy(&out.network, bytes, sizeof bytes);
    return out;
}

struct who who_of_address(const struct address *a)
{
    if (a->host != 0)
        return (struct who){.depth = 1, .at = {*a}};
    return (struct who){.depth = WHO_DEPTH_MAX,
                        .at = {cut(a->network, WIDE_BITS), cut(a->network, MIDDLE_BITS),
                               cut(a->network, NARROW_BITS)}};
}

struct who who_of_peer(const struct trust *t, const struct sockaddr *peer)
{
    struct address a;
    if (trust_has(t, peer) || !address_of_peer(peer, &a))
        return (struct who){.depth = 0};
    return who_of_address(&a);
}

struct who who_of_viewer(const struct viewer *v)
{
    struct address a;
    if (!address_of_viewer(v, &a))
        return (struct who){.depth = 0};
    return who_of_address(&a);
}

struct who who_of_object(const void *object)
{
    return (struct who){.depth = 1, .at = {{.network = UINT64_MAX, .host = (uintptr_t)object}}};
}
