/* SPDX-License-Identifier: MIT */
/* route.h - finds the tunnel or the built-in that a request is for: by its Host, and on the base
 * domain by its path. The functions are pure. They do not look the tunnel up, so no tunnel may have
 * the name in a route. protocol.md#names, protocol.md#register */
#ifndef SRC_HTTP_ROUTE_H
#define SRC_HTTP_ROUTE_H

#include "h2mux/http/message.h"

enum { NAME_MAX_LEN = 63, TOKEN_MAX_LEN = 128 };

enum route_kind {
    ROUTE_TUNNEL, /* NAME.DOMAIN: the tunnel of that name */
    ROUTE_BASE,   /* the base domain, an IP address or localhost, or route_proves: a built-in */
    ROUTE_UNKNOWN /* any other host, also A.B.DOMAIN: 404, unless a tunnel has it as its domain */
};

enum builtin_kind {
    BUILTIN_NONE,          /* no built-in has this path: 404 */
    BUILTIN_LANDING,       /* GET / */
    BUILTIN_REGISTER,      /* GET or POST /register[/NAME]; without NAME a random name */
    BUILTIN_OLD_CLIENT,    /* GET /NAME and GET /?new: register calls of localtunnel's clients */
    BUILTIN_ATTACH,        /* GET /tunnel/NAME */
    BUILTIN_STATUS,        /* GET /api/status */
    BUILTIN_TUNNEL_STATUS, /* GET /api/tunnels/NAME/status */
    BUILTIN_HEALTH,        /* GET /healthz */
    BUILTIN_ROBOTS,        /* GET /robots.txt */
    BUILTIN_ICON,          /* GET /favicon.ico */
    BUILTIN_CHALLENGE,     /* GET /.well-known/acme-challenge/TOKEN, of every host */
    BUILTIN_OPTIONS,       /* OPTIONS of a built-in, or of the whole server by the target "*" */
    BUILTIN_METHOD         /* a built-in has this path, but not this method: 405 */
};

struct builtin {
    enum builtin_kind kind;

    /* The name or token in the path, borrowed from the path in its spelling; any text, or empty. A
     * token has letters, digits, '-' and '_' only, at least one and at most TOKEN_MAX_LEN. */
    struct slice name;

    /* Static: the methods that the built-in accepts, for Allow. NULL: those of tunnels. */
    const char *allow;
};

/* Says which tunnel or built-in serves a request. */
struct route {
    enum route_kind kind;
    struct builtin builtin; /* for ROUTE_BASE; otherwise its kind is BUILTIN_NONE */

    /* The name of the tunnel, or the name in the path of the built-in, in lower case and
     * zero-terminated. The text is empty when the request names no tunnel, or when the name is
     * longer than NAME_MAX_LEN. */
    char name[NAME_MAX_LEN + 1];
};

/* Fills @out with the route of the request @m. The route borrows from @m. @domain is the base
 * domain. */
void route_find(struct slice domain, const struct message *m, struct route *out);

/* Returns the host in @authority without its port and without a dot at its end. An IPv6 address
 * keeps its brackets. */
struct slice route_host_name(struct slice authority);

/* Returns the kind of route for the host @authority. The host's port, a dot at its end and upper
 * case make no difference. For ROUTE_TUNNEL, writes the label before @domain into @name, in lower
 * case and zero-terminated. For any other kind, @name becomes empty. */
enum route_kind route_host(struct slice domain, struct slice authority,
                           char name[static NAME_MAX_LEN + 1]);

/* Returns whether @path, of any host, is one by which authorities find out who controls the host,
 * and so is never a tunnel's (rule O201): all below /.well-known/acme-challenge/ and
 * /.well-known/pki-validation/. */
bool route_proves(struct slice path);

/* Returns the built-in that serves @method and @path of the base domain. Its kind is BUILTIN_NONE
 * when no built-in has @path, and BUILTIN_METHOD when @method is not allowed there. */
struct builtin route_builtin(struct slice method, struct slice path);

#endif
