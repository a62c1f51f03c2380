/* SPDX-License-Identifier: MIT */
/* trust.h - finds out who a viewer is: the peer of the connection, or, when that peer is a trusted
 * proxy, the viewer that the proxy's X-Forwarded-* fields name. The module also writes those fields
 * for the origin. Rules H7 and H8 list the fields; protocol.md#trust */
#ifndef SRC_HTTP_TRUST_H
#define SRC_HTTP_TRUST_H

#include <netinet/in.h>
#include <sys/socket.h>

#include "h2mux/http/fields.h"

enum { TRUST_ADDRESS_MAX = INET6_ADDRSTRLEN };

/* Holds the networks of trusted proxies, whose X-Forwarded-* fields are believed. Loopback and unix
 * sockets are always trusted. The set does not change while requests are served, so any thread may
 * use it. */
struct trust;

/* Makes a set that trusts the loopback networks and unix sockets. Returns NULL when the networks
 * cannot be added. */
struct trust *trust_new(void) MUSTCHECK;
void trust_free(struct trust *t);

/* Adds a network like "10.0.0.0/8" or "2001:db8::/32", or a single address, to the set. Returns 0,
 * or ERR_SYNTAX when @cidr is malformed. */
int trust_add(struct trust *t, const char *cidr) MUSTCHECK;

/* Returns whether the set trusts @peer. */
bool trust_has(const struct trust *t, const struct sockaddr_storage *peer);

/* Describes the other end of a connection. All requests of a connection have the same peer. */
struct peer {
    char address[TRUST_ADDRESS_MAX]; /* as text; empty if it is local */
    bool local;                      /* the peer has no internet address: a unix socket */
    bool trusted;                    /* trust_has */
    bool tls;                        /* the connection uses our own TLS */
};

/* Fills @out with the peer at @addr. */
void trust_peer(const struct trust *t, const struct sockaddr_storage *addr, bool tls,
                struct peer *out);

/* The viewer of one request. */
struct viewer {
    char address[TRUST_ADDRESS_MAX]; /* as text; "unix" if a local peer names no viewer */
    bool trusted;                    /* the peer is trusted */
    bool proxied;                    /* the peer is trusted and sent X-Forwarded-For */

    /* The viewer uses https: by a trusted X-Forwarded-Proto, or without that field by peer.tls. */
    bool https;

    uint16_t forwarded_port; /* of a trusted X-Forwarded-Port; 0: none */

    /* The part of X-Forwarded-For that is believed and passed on. It is the end of one line,
     * borrowed from the fields, and the whole of each later line. `accepted_for` may be empty;
     * `accepted_lines` is the number of those later lines. */
    struct slice accepted_for;
    size_t accepted_lines;
};

/* Fills @out with the viewer of a request. @f are the request's fields as the peer sent them. */
void trust_viewer(const struct trust *t, const struct peer *peer, const struct fields *f,
                  struct viewer *out);

/* Replaces the fields of @f that say who the viewer is by fields that oneportd vouches for (rules
 * H7, H8). Removes x-forwarded-for, -proto, -host and -port, x-real-ip and forwarded, and the same
 * names with '_'. When the peer is not trusted, removes every other x-forwarded-* field as well.
 * Then adds x-forwarded-for, -proto and -host, and x-forwarded-port if a trusted proxy named a
 * port. @v is the result of trust_viewer for the same fields. @host is the value of Host as the
 * viewer sent it. */
void trust_rewrite(struct fields *f, const struct viewer *v, const struct peer *peer,
                   struct slice host);

#endif
