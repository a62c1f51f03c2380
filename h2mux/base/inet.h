/* SPDX-License-Identifier: MIT */
/* inet.h - addresses in numbers, out of text that need not end with a zero. */
#ifndef H2MUX_BASE_INET_H
#define H2MUX_BASE_INET_H

#include <netinet/in.h>

#include "h2mux/base/slice.h"

union inet {
    struct in_addr v4;
    struct in6_addr v6;
};

/* @family AF_INET: "192.0.2.1" into @out's v4; AF_INET6: "2001:db8::1" into v6. false: it is
 * neither, and @out is undefined. */
bool inet_parse(int family, struct slice text, union inet *out) MUSTCHECK;

/* A host as it stands in a URL, IPv6 in brackets (RFC 3986 3.2.2): its family, or AF_UNSPEC for
 * what is no address. */
int inet_parse_host(struct slice host, union inet *out) MUSTCHECK;

#endif
