/* SPDX-License-Identifier: MIT */
/* listen_address.c - see listen_address.h. */
#include "src/worker/listen_address.h"

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

static int parse_unix(const char *path, struct sockaddr_storage *out, socklen_t *len)
{
    struct sockaddr_un *un = (struct sockaddr_un *)out;
    size_t size = strlen(path) + 1;
    if (path[0] != '/' || size > sizeof un->sun_path)
        return ERR_SYNTAX;
    un->sun_family = AF_UNIX;
    memcpy(un->sun_path, path, size);
    *len = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + size);
    return 0;
}

static int parse_inet(struct slice host, uint16_t port, struct sockaddr_storage *out,
                      socklen_t *len)
{
    struct sockaddr_in *in = (struct sockaddr_in *)out;
    struct sockaddr_in6 *in6 = (struct sockaddr_in6 *)out;
    union inet a;
    int family = inet_parse_host(host, &a);
    if (family == AF_UNSPEC)
        return ERR_SYNTAX;
    bool v6 = family == AF_INET6;
    if (v6)
        *in6 = (struct sockaddr_in6){
            .sin6_family = AF_INET6, .sin6_port = htons(port), .sin6_addr = a.v6};
    else
        *in =
            (struct sockaddr_in){.sin_family = AF_INET, .sin_port = htons(port), .sin_addr = a.v4};
    *len = v6 ? sizeof *in6 : sizeof *in;
    return 0;
}

int listen_address_parse(const char *text, struct sockaddr_storage *out, socklen_t *len)
{
    struct slice s = slice_str(text);
    uint16_t port;
    *out = (struct sockaddr_storage){0};
    if (slice_starts(s, SLICE("unix:")))
        return parse_unix(text + 5, out, len);
    ptrdiff_t colon = slice_rfind(s, ':');
    if (colon <= 0 || listen_port_parse(slice_skip(s, (size_t)colon + 1), &port) < 0)
        return ERR_SYNTAX;
    return parse_inet(slice_make(s.ptr, (size_t)colon), port, out, len);
}
