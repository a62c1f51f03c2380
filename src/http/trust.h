/* SPDX-License-Identifier: MIT */
/* trust.h - finds out who a viewer is: the peer of the connection, or, if that is a trusted proxy,
 * the viewer that its X-Forwarded-* fields name. It also writes those fields for the origin. Rules
 * H7, H8, protocol.md#trust */
#ifndef SRC_HTTP_TRUST_H
#define SRC_HTTP_TRUST_H

#include <netinet/in.h>
#include <sys/socket.h>

#include "h2mux/http/fields.h"

enum { TRUST_ADDRESS_MAX = INET6_ADDRSTRLEN };

/* The networks of trusted proxies, whose X-Forwarded-* fields are believed. Loopback and unix
 * sockets are always among them. Once requests are served the set does not change, so any thread
 * may use it. */
struct trust;

/* Returns NULL when the loopback networks cannot be added. */
struct trust *trust_new(void) MUSTCHECK;
void trust_free(struct trust *t);

/* Adds a network like "10.0.0.0/8" or "2001:db8::/32", or an address. Returns 0, or ERR_SYNTAX. */
int trust_add(struct trust *t, const char *cidr) MUSTCHECK;

/* Returns whether @peer is in the set. */
bool trust_has(const struct trust *t, const struct sockaddr_storage *peer);

/* The other end of a connection: the same for all its requests. */
struct peer {
    char address[TRUST_ADDRESS_MAX]; /* as text; empty if it is local */
    bool local;                      /* it has no internet address: a unix socket */
    bool trusted;                    /* trust_has */
    bool tls;                        /* the connection uses our own TLS */
};

/* Fills @out with the peer at @addr. */
void trust_peer(const struct trust *t, const struct sockaddr_storage *addr, bool tls,
                struct peer *out);

/* The viewer of one request. */
struct viewer {
    char address[TRUST_ADDRESS_MAX]; /* as text; "unix" if the peer is local and named nobody */
    bool trusted;                    /* the peer is trusted */
    bool proxied;                    /* the peer is trusted and sent X-Forwarded-For */
    bool https;              /* a trusted X-Forwarded-Proto says so, or without one peer.tls */
    uint16_t forwarded_port; /* of a trusted X-Forwarded-Port; 0: none */

    /* The part of X-Forwarded-For that is believed and passed on: the end of one line, borrowed
     * from the fields, or empty; and the number of lines behind that one, which are believed as a
     * whole. */
    struct slice accepted_for;
    size_t accepted_lines;
};

/* Fills @out with the viewer of a request. @f: the request's fields as they came. */
void trust_viewer(const struct trust *t, const struct peer *peer, const struct fields *f,
                  struct viewer *out);

/* Replaces the fields of @f that say who a viewer is by those that oneportd vouches for: it removes
 * x-forwarded-for, -proto, -host and -port, x-real-ip and forwarded, their aliases with '_', and
 * all x-forwarded-* of a peer that is not trusted; then it adds the first three, and
 * x-forwarded-port if a trusted proxy named one (rules H7, H8). @v: of trust_viewer for the same
 * fields. @host: the Host as it came. */
void trust_rewrite(struct fields *f, const struct viewer *v, const struct peer *peer,
                   struct slice host);

#endif
