/* SPDX-License-Identifier: MIT */
/* listen_address.c - see listen_address.h. */
#include "src/worker/listen_address.h"

#include <assert.h>
#include <netinet/in.h>
#include <stddef.h>
#include <sys/un.h>

#include "h2mux/base/err.h"
#include "h2mux/base/inet.h"

int listen_port_parse(struct slice text, uint16_t *out)
{
    uint64_t port = 0;
    int err = slice_to_u64(text, UINT16_MAX, &port);
    *out = (uint16_t)port;
    return err;
}

static int parse_unix(const char *path, struct listen_addresses *out)
{
    struct listen_address *a = &out->v[0];
    struct sockaddr_un *un = (struct sockaddr_un *)(void *)&a->addr;
    size_t size = strlen(path) + 1;
    if (path[0] != '/' || size > sizeof un->sun_path)
        return ERR_SYNTAX;
    un->sun_family = AF_UNIX;
    memcpy(un->sun_path, path, size);
    a->len = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + size);
    out->n = 1;
    return 0;
}

static void add_v4(struct listen_addresses *out, struct in_addr host, uint16_t port)
{
    struct listen_address *a = &out->v[out->n++];
    *(struct sockaddr_in *)(void *)&a->addr =
        (struct sockaddr_in){.sin_family = AF_INET, .sin_port = htons(port), .sin_addr = host};
    a->len = sizeof(struct sockaddr_in);
}

static void add_v6(struct listen_addresses *out, struct in6_addr host, uint16_t port)
{
    struct listen_address *a = &out->v[out->n++];
    *(struct sockaddr_in6 *)(void *)&a->addr =
        (struct sockaddr_in6){.sin6_family = AF_INET6, .sin6_port = htons(port), .sin6_addr = host};
    a->len = sizeof(struct sockaddr_in6);
}

static int parse_inet(struct slice host, uint16_t port, struct listen_addresses *out)
{
    union inet a;
    if (host.len == 0 || slice_eq(host, SLICE("*"))) {
        add_v4(out, (struct in_addr){.s_addr = htonl(INADDR_ANY)}, port);
        add_v6(out, in6addr_any, port);
        return 0;
    }
    if (slice_ieq(host, SLICE("localhost"))) {
        add_v4(out, (struct in_addr){.s_addr = htonl(INADDR_LOOPBACK)}, port);
        add_v6(out, in6addr_loopback, port);
        return 0;
    }
    switch (inet_parse_host(host, &a)) {
    case AF_INET:
        add_v4(out, a.v4, port);
        return 0;
    case AF_INET6:
        add_v6(out, a.v6, port);
        return 0;
    default:
        return ERR_SYNTAX;
    }
}

int listen_address_parse(const char *text, struct listen_addresses *out)
{
    struct slice s = slice_str(text);
    uint16_t port;
    assert(text);
    *out = (struct listen_addresses){.n = 0};
    if (slice_starts(s, SLICE("unix:")))
        return parse_unix(text + 5, out);
    ptrdiff_t colon = slice_rfind(s, ':'); /* -1: the whole text is the port */
    if (listen_port_parse(slice_skip(s, (size_t)(colon + 1)), &port) < 0)
        return ERR_SYNTAX;
    return parse_inet(slice_make(s.ptr, colon < 0 ? 0 : (size_t)colon), port, out);
}

static in_port_t *port_of(struct sockaddr_storage *addr)
{
    if (addr->ss_family == AF_INET)
        return &((struct sockaddr_in *)(void *)addr)->sin_port;
    return addr->ss_family == AF_INET6 ? &((struct sockaddr_in6 *)(void *)addr)->sin6_port : NULL;
}

uint16_t listen_address_port(const struct listen_address *a)
{
    struct sockaddr_storage copy = a->addr;
    const in_port_t *port = port_of(&copy);
    return port ? ntohs(*port) : 0;
}

void listen_address_set_port(struct listen_address *a, uint16_t port)
{
    in_port_t *field = port_of(&a->addr);
    if (field)
        *field = htons(port);
}

bool listen_address_has_v4(const struct opt_list *all, uint16_t port)
{
    for (size_t i = 0; i < all->count; i++) {
        struct listen_addresses a;
        if (listen_address_parse(all->item[i], &a) < 0)
            continue;
        for (size_t n = 0; n < a.n; n++)
            if (a.v[n].addr.ss_family == AF_INET && listen_address_port(&a.v[n]) == port)
                return true;
    }
    return false;
}
