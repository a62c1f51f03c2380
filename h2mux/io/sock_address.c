/* SPDX-License-Identifier: MIT */
/* sock_address.c - writes socket addresses as text. */
#include "h2mux/io/sock.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>

void sock_address_text(const struct sockaddr_storage *a, bool with_port, char *to, size_t cap)
{
    char host[INET6_ADDRSTRLEN] = "unix";
    const struct sockaddr_in *v4 = (const struct sockaddr_in *)(const void *)a;
    const struct sockaddr_in6 *v6 = (const struct sockaddr_in6 *)(const void *)a;
    if (a->ss_family == AF_INET)
        inet_ntop(AF_INET, &v4->sin_addr, host, sizeof host);
    else if (a->ss_family == AF_INET6)
        inet_ntop(AF_INET6, &v6->sin6_addr, host, sizeof host);
    if (!with_port || (a->ss_family != AF_INET && a->ss_family != AF_INET6))
        snprintf(to, cap, "%s", host);
    else if (a->ss_family == AF_INET)
        snprintf(to, cap, "%s:%u", host, ntohs(v4->sin_port));
    else
        snprintf(to, cap, "[%s]:%u", host, ntohs(v6->sin6_port));
}
