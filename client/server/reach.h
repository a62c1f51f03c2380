/* SPDX-License-Identifier: MIT */
/* reach.h - judges where a server may send the client. A server names an address to attach to, and
 * the URL that --open opens; a hostile one would have the client scan the network that it runs in,
 * or a browser there. Pure. */
#ifndef CLIENT_SERVER_REACH_H
#define CLIENT_SERVER_REACH_H

#include <sys/socket.h>

#include "h2mux/base/opt.h"
#include "h2mux/http/url.h"

/* What the user allows besides the server's own host. */
struct reach {
    const struct opt_list *hosts; /* of --attach-host: borrowed; NULL: none */
};

/* Returns whether @host may stand in --attach-host: a name, an IPv4 address, or an IPv6 address
 * with or without brackets, and no port. */
bool reach_host_valid(const char *host) MUSTCHECK;

/* Returns whether the host of @to is that of @server, a name below it, or one that the user has
 * named. */
bool reach_covers(const struct reach *r, const struct url *server, const struct url *to) MUSTCHECK;

/* Returns whether a server at a public address may send the client to the address @a: if that is
 * public too, or if the user has named the address itself. @reach is a struct reach (dial.h). */
bool reach_allows(const void *reach, const struct sockaddr *a) MUSTCHECK;

#endif
