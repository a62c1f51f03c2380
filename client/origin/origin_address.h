/* SPDX-License-Identifier: MIT */
/* origin_address.h - parses where the shared service is: PORT, HOST:PORT, http(s)://HOST[:PORT],
 * h2c://HOST[:PORT], https+h2://HOST[:PORT] or unix:/PATH. Pure. */
#ifndef CLIENT_ORIGIN_ORIGIN_ADDRESS_H
#define CLIENT_ORIGIN_ORIGIN_ADDRESS_H

#include <sys/un.h>

#include "h2mux/http/url.h"

enum {
    ORIGIN_UNIX_MAX = sizeof(((struct sockaddr_un *)0)->sun_path),
    ORIGIN_TEXT_MAX = URL_AUTHORITY_MAX
};

struct origin_address {
    struct url url; /* scheme, host, port, authority; host "localhost" for a unix socket */
    bool h2;        /* it is spoken to in HTTP/2: h2c:// or https+h2:// */
    char unix_path[ORIGIN_UNIX_MAX]; /* empty: TCP */
    char text[ORIGIN_TEXT_MAX];      /* for logs: "localhost:3000", "unix:/run/app.sock" */
};

/* Parses @text. @local_host is the host of a bare PORT; @https asks for TLS even when the text does
 * not. Fails with a negative value; @reason is static text then. */
int origin_address_parse(const char *text, const char *local_host, bool https,
                         struct origin_address *out, const char **reason) MUSTCHECK;

/* Returns how the origin is spoken to, as its URL says it: "http", "https", "h2c" or "https+h2". */
const char *origin_address_scheme(const struct origin_address *a);

#endif
