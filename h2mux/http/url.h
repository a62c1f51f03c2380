/* SPDX-License-Identifier: MIT */
/* url.h - "scheme://host[:port][/path]" taken apart: the parts by which a server may be named.
 *
 * http and https only; no userinfo, query or fragment. Pure. RFC 3986. */
#ifndef H2MUX_HTTP_URL_H
#define H2MUX_HTTP_URL_H

#include <stdbool.h>
#include <stdint.h>

#include "h2mux/base/slice.h"

enum { URL_HOST_MAX = 256, URL_AUTHORITY_MAX = URL_HOST_MAX + 8, URL_PATH_MAX = 1024 };

struct url {
    bool https;
    uint16_t port;                     /* given, or the scheme's own */
    char host[URL_HOST_MAX];           /* lower case, an IPv6 address without its brackets */
    char authority[URL_AUTHORITY_MAX]; /* as in Host: brackets kept, default port left out */
    char path[URL_PATH_MAX];           /* "/" when none was given */
};

/* Without a scheme, https is meant. ERR_SYNTAX, ERR_UNSUPPORTED (another scheme), ERR_LIMIT. */
int url_parse(struct slice text, struct url *out) MUSTCHECK;

/* "host:port" or "host", "[v6]:port" or "[v6]" → the members host, port and authority; port 0: none
 * was given. ERR_SYNTAX, ERR_LIMIT. */
int url_parse_authority(struct slice text, struct url *out) MUSTCHECK;

/* Names host and port anew and rebuilds authority. ERR_LIMIT: the host is too long. */
int url_set_host(struct url *u, struct slice host, uint16_t port) MUSTCHECK;

bool url_is_loopback(
    const struct url *u); /* by its name: 127.0.0.0/8, ::1, localhost, *.localhost */

#endif
