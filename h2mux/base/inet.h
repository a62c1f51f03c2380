/* SPDX-License-Identifier: MIT */
/* inet.h - parses and judges numeric IP addresses. The text need not end with a zero byte. */
#ifndef H2MUX_BASE_INET_H
#define H2MUX_BASE_INET_H

#include <netinet/in.h>

#include "h2mux/base/slice.h"

union inet {
    struct in_addr v4;
    struct in6_addr v6;
};

/* Parses @text as an IP address: with AF_INET as IPv4 ("192.0.2.1") into out->v4, with AF_INET6 as
 * IPv6 ("2001:db8::1") into out->v6. Returns false, and leaves @out undefined, if @text is no
 * address of @family. */
bool inet_parse(int family, struct slice text, union inet *out) MUSTCHECK;

/* Parses the host of a URL as an IP address. An IPv6 address has brackets (RFC 3986 3.2.2). Returns
 * AF_INET or AF_INET6, or AF_UNSPEC if @host is no address. */
int inet_parse_host(struct slice host, union inet *out) MUSTCHECK;

/* Returns whether @host is a name that means this machine and is never looked up: "localhost" or a
 * name below it, in any letter case, with or without a dot at its end (RFC 6761 6.3). */
bool inet_is_localhost(struct slice host);

/* Returns whether the socket address @a is one of the internet at large. Loopback, link-local and
 * private addresses are not, neither are shared ones of providers (RFC 6598), multicast, the
 * unspecified address, what is reserved (RFC 6890), and IPv6 addresses that stand for such an IPv4
 * address. Addresses for documentation are. Returns false for other families. */
bool inet_is_public(const struct sockaddr *a) MUSTCHECK;

/* Fills @out with the address of a socket. Returns AF_INET or AF_INET6, or AF_UNSPEC if the socket
 * has no such address. An IPv4 address that is mapped into IPv6 (RFC 4291 2.5.5.2) is AF_INET. */
int inet_of_socket(const struct sockaddr *socket, union inet *out);

/* Returns whether @a is of 127.0.0.0/8 or ::1, mapped or not. */
bool inet_is_loopback(int family, const union inet *a);
/* Returns whether @peer is at a loopback address or a unix socket. */
bool inet_is_of_this_machine(const struct sockaddr *peer);

#endif
