/* SPDX-License-Identifier: MIT */
/* inet.h - parses numeric IP addresses. The text need not end with a zero byte. */
#ifndef H2MUX_BASE_INET_H
#define H2MUX_BASE_INET_H

#include <netinet/in.h>

#include "h2mux/base/slice.h"

union inet {
    struct in_addr v4;
    struct in6_addr v6;
};

/* Parses an address of @family: with AF_INET "192.0.2.1" into @out's v4, with AF_INET6
 * "2001:db8::1" into v6. Returns false, and leaves @out undefined, if @text is no such address. */
bool inet_parse(int family, struct slice text, union inet *out) MUSTCHECK;

/* Parses the address in the host of a URL, where IPv6 has brackets (RFC 3986 3.2.2). Returns the
 * family, or AF_UNSPEC if @host is no address. */
int inet_parse_host(struct slice host, union inet *out) MUSTCHECK;

#endif
