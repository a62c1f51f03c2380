/* SPDX-License-Identifier: MIT */
/* route.h - which tunnel or built-in a request is for: by Host, then by path. Pure.
 * protocol.md#names and protocol.md#register */
#ifndef SRC_HTTP_ROUTE_H
#define SRC_HTTP_ROUTE_H

#include "h2mux/http/message.h"

enum { NAME_MAX_LEN = 63 };

enum route_kind {
    ROUTE_TUNNEL, /* <name>.<domain>: `name` is set; it may be of no tunnel */
    ROUTE_BASE,   /* the base domain, an IP address or localhost */
    ROUTE_UNKNOWN /* any other host, deeper labels included: 404 */
};
/* @authority: port, a trailing dot and case do not count. @name gets the label in lower case,
 * zero-terminated. */
enum route_kind router_host(struct slice domain, struct slice authority,
                            char name[static NAME_MAX_LEN + 1]);

enum builtin_kind {
    BUILTIN_NONE,          /* 404 */
    BUILTIN_LANDING,       /* GET / */
    BUILTIN_REGISTER,      /* GET or POST /register[/NAME]; `name` empty: random */
    BUILTIN_REGISTER_OLD,  /* GET /?new or GET /NAME: localtunnel's ways; `name` empty: random */
    BUILTIN_ATTACH,        /* GET /tunnel/NAME */
    BUILTIN_STATUS,        /* GET /api/status */
    BUILTIN_TUNNEL_STATUS, /* GET /api/tunnels/NAME/status */
    BUILTIN_HEALTH,        /* GET /healthz */
    BUILTIN_METHOD         /* the path is one of these, the method is not: 405 */
};
struct builtin {
    enum builtin_kind kind;
    struct slice name; /* as it stood in the path, not validated; borrowed from it */
};
struct builtin router_builtin(struct slice method, struct slice path);

#endif
