/* SPDX-License-Identifier: MIT */
/* url.h - parses "scheme://host[:port][/path]", as servers are given. http and https only; no
 * userinfo, query or fragment. Pure. RFC 3986. */
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

/* Parses a URL; without a scheme https is meant. Fails with ERR_SYNTAX, ERR_UNSUPPORTED (another
 * scheme) or ERR_LIMIT. */
int url_parse(struct slice text, struct url *out) MUSTCHECK;

/* Parses "host:port", "host", "[v6]:port" or "[v6]" into the members host, port and authority of
 * @out; port is 0 when none was given. The caller has set @out->https, which says what port
 * authority leaves out. Fails with ERR_SYNTAX or ERR_LIMIT. */
int url_parse_authority(struct slice text, struct url *out) MUSTCHECK;

/* Sets host and port, and rebuilds authority. Fails with ERR_LIMIT when the host is empty or too
 * long. */
int url_set_host(struct url *u, struct slice host, uint16_t port) MUSTCHECK;

/* Returns whether the host's name says loopback: 127.0.0.0/8, also mapped into IPv6, ::1,
 * localhost,
 * *.localhost. A dial of it does not leave the machine, whatever a name server says. */
bool url_is_loopback(const struct url *u);

#endif
