/* SPDX-License-Identifier: MIT */
/* url.c - see url.h. */
#include "h2mux/http/url.h"

#include <stdio.h>

#include "h2mux/base/err.h"
#include "h2mux/base/inet.h"
#include "h2mux/http/h1.h"

static uint16_t default_port(bool https)
{
    return https ? 443 : 80;
}

int url_set_host(struct url *u, struct slice host, uint16_t port)
{
    if (host.len == 0 || host.len >= sizeof u->host)
        return ERR_LIMIT;
    memcpy(u->host, host.ptr, host.len);
    u->host[host.len] = '\0';
    ascii_lower(u->host, host.len);
    u->port = port;

    bool v6 = slice_find(host, ':') >= 0;
    int n = snprintf(u->authority, sizeof u->authority, v6 ? "[%s]" : "%s", u->host);
    if (port != 0 && port != default_port(u->https))
        snprintf(u->authority + n, sizeof u->authority - (size_t)n, ":%u", port);
    return 0;
}

int url_parse_authority(struct slice text, struct url *out)
{
    uint64_t port = 0;
    struct slice host = text;
    bool bracketed = text.len > 0 && text.ptr[0] == '[';
    ptrdiff_t colon = slice_rfind(text, ':');
    ptrdiff_t bracket = slice_rfind(text, ']');
    if (!h1_authority_valid(text))
        return ERR_SYNTAX;
    if (colon >= 0 && colon > bracket) {
        host.len = (size_t)colon;
        if (slice_to_u64(slice_skip(text, host.len + 1), UINT16_MAX, &port) < 0 || port == 0)
            return ERR_SYNTAX;
    }
    if (bracketed)
        host = slice_make(host.ptr + 1, host.len - 2);
    if (host.len == 0)
        return ERR_SYNTAX;
    return url_set_host(out, host, (uint16_t)port);
}

static int parse_scheme(struct slice *text, bool *https)
{
    struct slice secure = SLICE("https://"), plain = SLICE("http://");
    *https = true;
    if (slice_istarts(*text, secure)) {
        *text = slice_skip(*text, secure.len);
    } else if (slice_istarts(*text, plain)) {
        *text = slice_skip(*text, plain.len);
        *https = false;
    } else if (memmem(text->ptr, text->len, "://", 3)) {
        return ERR_UNSUPPORTED;
    }
    return 0;
}

static int parse_path(struct slice path, char out[static URL_PATH_MAX])
{
    if (path.len == 0)
        path = SLICE("/");
    if (path.len >= URL_PATH_MAX)
        return ERR_LIMIT;
    if (!h1_target_valid(path) || slice_find(path, '?') >= 0)
        return ERR_SYNTAX;
    memcpy(out, path.ptr, path.len);
    out[path.len] = '\0';
    return 0;
}

int url_parse(struct slice text, struct url *out)
{
    int err = parse_scheme(&text, &out->https);
    if (err < 0)
        return err;
    ptrdiff_t slash = slice_find(text, '/');
    struct slice authority = slash < 0 ? text : slice_make(text.ptr, (size_t)slash);
    err = parse_path(slice_skip(text, authority.len), out->path);
    if (err < 0)
        return err;
    err = url_parse_authority(authority, out);
    if (err < 0)
        return err;
    if (out->port == 0)
        out->port = default_port(out->https);
    return 0;
}

bool url_is_loopback(const struct url *u)
{
    struct slice host = slice_str(u->host);
    union inet address;
    if (inet_is_localhost(host))
        return true;
    if (inet_parse(AF_INET, host, &address))
        return inet_is_loopback(AF_INET, &address);
    return inet_parse(AF_INET6, host, &address) && inet_is_loopback(AF_INET6, &address);
}
