/* SPDX-License-Identifier: MIT */
/* route.h - finds the tunnel or the built-in that a request is for: by its Host, and on the base
 * domain by its path. The functions are pure. They do not look for the tunnel; there may be none of
 * that name. protocol.md#names, protocol.md#register */
#ifndef SRC_HTTP_ROUTE_H
#define SRC_HTTP_ROUTE_H

#include "h2mux/http/message.h"

enum { NAME_MAX_LEN = 63 };

enum route_kind {
    ROUTE_TUNNEL, /* NAME.DOMAIN: the tunnel of that name */
    ROUTE_BASE,   /* the base domain, an IP address or localhost: a built-in */
    ROUTE_UNKNOWN /* any other host, also A.B.DOMAIN: 404 */
};

enum builtin_kind {
    BUILTIN_NONE,          /* no built-in has this path: 404 */
    BUILTIN_LANDING,       /* GET / */
    BUILTIN_REGISTER,      /* GET or POST /register[/NAME]; without NAME a random name */
    BUILTIN_REGISTER_OLD,  /* GET /NAME or, for a random name, GET /?new: localtunnel's way */
    BUILTIN_ATTACH,        /* GET /tunnel/NAME */
    BUILTIN_STATUS,        /* GET /api/status */
    BUILTIN_TUNNEL_STATUS, /* GET /api/tunnels/NAME/status */
    BUILTIN_HEALTH,        /* GET /healthz */
    BUILTIN_OPTIONS,       /* OPTIONS of a built-in, or of the whole server by the target "*" */
    BUILTIN_METHOD         /* a built-in has this path, but not this method: 405 */
};

struct builtin {
    enum builtin_kind kind;
    struct slice name; /* borrowed from the path, where it stands so; any text, maybe empty */
    const char *allow; /* static: the methods that it takes, for Allow; NULL: those of tunnels */
};

/* The way that a request takes. */
struct route {
    enum route_kind kind;
    struct builtin builtin; /* of ROUTE_BASE; otherwise its kind is BUILTIN_NONE */

    /* The name of the tunnel, or the name in the path of the built-in, in lower case and
     * zero-terminated. Empty if there is none, or if it is longer than a name can be. */
    char name[NAME_MAX_LEN + 1];
};

/* Fills @out with the route of the request @m, from which it borrows. @domain: the base domain. */
void route_find(struct slice domain, const struct message *m, struct route *out);

/* Returns the kind of the host @authority. Its port, a dot at its end and upper case make no
 * difference. Writes the label before the domain into @name, in lower case and zero-terminated;
 * @name is empty unless the kind is ROUTE_TUNNEL. */
enum route_kind route_host(struct slice domain, struct slice authority,
                           char name[static NAME_MAX_LEN + 1]);

/* Returns the built-in for a method and a path of the base domain. */
struct builtin route_builtin(struct slice method, struct slice path);

#endif
