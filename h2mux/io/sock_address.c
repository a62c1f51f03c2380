/* SPDX-License-Identifier: MIT */
/* sock_address.c - writes socket addresses as text. */
#include "h2mux/io/sock.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>

#include "h2mux/base/inet.h"

void sock_address_text(const struct sockaddr *a, bool with_port, char *to, size_t cap)
{
    char host[INET6_ADDRSTRLEN] = "unix";
    const struct sockaddr_in *v4 = (const struct sockaddr_in *)(const void *)a;
    const struct sockaddr_in6 *v6 = (const struct sockaddr_in6 *)(const void *)a;
    union inet address;
    int family = inet_of_socket(a, &address);
    unsigned port = ntohs(a->sa_family == AF_INET6 ? v6->sin6_port : v4->sin_port);
    if (family != AF_UNSPEC)
        inet_ntop(family, &address, host, sizeof host);
    if (!with_port || family == AF_UNSPEC)
        snprintf(to, cap, "%s", host);
    else
        snprintf(to, cap, family == AF_INET6 ? "[%s]:%u" : "%s:%u", host, port);
}
