/* SPDX-License-Identifier: MIT */
/* proxy_header.h - reads the header by which a front end says whose connection it passes on: the
 * PROXY protocol, version 2 (binary) and version 1 (text, which nginx sends). Pure. The
 * specification is HAProxy's "The PROXY protocol", sections 2.1 and 2.2. */
#ifndef SRC_HTTP_PROXY_HEADER_H
#define SRC_HTTP_PROXY_HEADER_H

#include <sys/socket.h>

#include "h2mux/base/slice.h"

enum {
    PROXY_HEADER_TEXT_MAX = 107, /* bytes of version 1, with its CRLF */
    PROXY_HEADER_MAX = 2048      /* bytes of version 2 that are taken, with its TLVs */
};

struct proxy_header {
    bool named;                   /* `peer` is set; false: the connection is the front end's own */
    struct sockaddr_storage peer; /* AF_INET or AF_INET6 */
    size_t bytes;                 /* of the header: what the peer sends follows */
};

/* Reads the header at the start of @in into @out. Returns 0; ERR_AGAIN when it goes on behind @in;
 * or ERR_SYNTAX when there is none, or a malformed one. */
int proxy_header_read(struct slice in, struct proxy_header *out) MUSTCHECK;

#endif
