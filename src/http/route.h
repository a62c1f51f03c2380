/* SPDX-License-Identifier: MIT */
/* route.h - which tunnel or built-in a request is for: by Host, then by path. Pure.
 * protocol.md#names and protocol.md#register */
#ifndef SRC_HTTP_ROUTE_H
#define SRC_HTTP_ROUTE_H

#include "h2mux/http/message.h"

enum { NAME_MAX_LEN = 63 };

enum route_kind {
    ROUTE_TUNNEL, /* <name>.<domain>; there may be no tunnel of that name */
    ROUTE_BASE,   /* the base domain, an IP address or localhost: a built-in */
    ROUTE_UNKNOWN /* any other host, deeper labels included: 404 */
};

enum builtin_kind {
    BUILTIN_NONE,          /* 404 */
    BUILTIN_LANDING,       /* GET / */
    BUILTIN_REGISTER,      /* GET or POST /register[/NAME]; without a name: random */
    BUILTIN_REGISTER_OLD,  /* GET /?new or GET /NAME, as localtunnel asks; without a name: random */
    BUILTIN_ATTACH,        /* GET /tunnel/NAME */
    BUILTIN_STATUS,        /* GET /api/status */
    BUILTIN_TUNNEL_STATUS, /* GET /api/tunnels/NAME/status */
    BUILTIN_HEALTH,        /* GET /healthz */
    BUILTIN_METHOD         /* the path is one of these, the method is not: 405 */
};

struct builtin {
    enum builtin_kind kind;
    struct slice name; /* as it stands in the path, not validated; borrowed from it */
};

/* Where a request goes. */
struct route {
    enum route_kind kind;
    struct builtin builtin; /* of ROUTE_BASE; BUILTIN_NONE otherwise */
    /* The name that it is about, in lower case and zero-terminated: the tunnel's, or the one in the
     * path of a built-in. Empty where there is none, or one longer than a name can be. */
    char name[NAME_MAX_LEN + 1];
};

/* Fills @out with the route of the request @m, from which it borrows. @domain: the base domain. */
void route_find(struct slice domain, const struct message *m, struct route *out);

/* Returns what a Host names. Port, a trailing dot and case do not count. @name gets the label in
 * lower case, zero-terminated; empty unless ROUTE_TUNNEL. */
enum route_kind route_host(struct slice domain, struct slice authority,
                           char name[static NAME_MAX_LEN + 1]);

/* Returns the built-in that a path of the base domain names. */
struct builtin route_builtin(struct slice method, struct slice path);

#endif
