/* SPDX-License-Identifier: MIT */
/* proxy_choice.h - says whether the server is dialled by a proxy, and by which: the one of --proxy,
 * or that of the environment of all programs (HTTPS_PROXY, else ALL_PROXY), but for the hosts of
 * NO_PROXY. Pure but for proxy_choice_load, which reads the environment.
 *
 * Connections to the origin never go by a proxy. */
#ifndef CLIENT_SERVER_PROXY_CHOICE_H
#define CLIENT_SERVER_PROXY_CHOICE_H

#include "h2mux/http/url.h"
#include "h2mux/io/proxy.h"

struct proxy_choice {
    struct proxy proxy; /* host is empty: none */
    bool given;         /* by --proxy, so for a host of loopback as well */
    const char *from;   /* the variable, or "--proxy"; static */
    const char *spared; /* NO_PROXY: borrowed from the environment; NULL: none */
};

/* Parses [http|socks5h|socks5://][USER[:PASSWORD]@]HOST[:PORT][/]; % in USER and PASSWORD is
 * decoded. Either SOCKS means that the proxy looks names up, and has port 1080 when none is given.
 * Fails with ERR_SYNTAX or ERR_UNSUPPORTED; @reason is static text then, and has nothing of @text,
 * which may hold a password. */
int proxy_parse(const char *text, struct proxy *out, const char **reason) MUSTCHECK;

/* Loads what --proxy says: @given is NULL without it, and "none" for no proxy. Fails as
 * proxy_parse; out->from says then which value is wrong. */
int proxy_choice_load(struct proxy_choice *out, const char *given, const char **reason) MUSTCHECK;

/* Returns the proxy by which @to is dialled, or NULL. A proxy of the environment is not for
 * loopback. Plain http goes to loopback only, and by no proxy. */
const struct proxy *proxy_for(const struct proxy_choice *c, const struct url *to);

/* Returns whether NO_PROXY spares @host, a name or an address without brackets, as curl reads that
 * list: hosts with commas or blanks between them. "example.com" and ".example.com" are that name
 * and all below it, an address is itself, 192.0.2.0/24 and 2001:db8::/32 are networks of addresses,
 * and a list of "*" is everything. */
bool proxy_spares(const char *list, const char *host);

/* Overwrites the user and the password of a proxy's URL in place, so that ps does not show them. */
void proxy_hide(char *text);

#endif
