/* SPDX-License-Identifier: MIT */
/* trust.h - who the viewer is: the peer, or what a trusted proxy says of it. Rule H7,
 * protocol.md#trust */
#ifndef SRC_HTTP_TRUST_H
#define SRC_HTTP_TRUST_H

#include <netinet/in.h>
#include <sys/socket.h>

#include "h2mux/http/fields.h"

enum { TRUST_ADDRESS_MAX = INET6_ADDRSTRLEN };

struct trust; /* a set of networks; loopback and unix sockets are always in it */
struct trust *trust_new(void) MUSTCHECK;
void trust_free(struct trust *t);
int trust_add(struct trust *t,
              const char *cidr) MUSTCHECK; /* "10.0.0.0/8", "2001:db8::/32", "192.0.2.1" */
bool trust_has(const struct trust *t, const struct sockaddr_storage *peer);

/* Who is at the other end of a connection: the same for all its requests. */
struct peer {
    char address[TRUST_ADDRESS_MAX]; /* as text; empty for what is no internet address */
    bool local;                      /* a unix socket, or nothing that has an address */
    bool trusted, tls;
};
void trust_peer(const struct trust *t, const struct sockaddr_storage *addr, bool tls,
                struct peer *out);

struct viewer {
    char address[TRUST_ADDRESS_MAX]; /* the viewer's, as text; "unix" when nobody said */
    bool trusted;                    /* the peer is a trusted proxy's address */
    bool proxied;                    /* and it carries X-Forwarded-For */
    bool https;                      /* trusted X-Forwarded-Proto, else the connection's own */
    uint16_t forwarded_port;         /* trusted X-Forwarded-Port; 0: none */
    struct slice accepted_for; /* the X-Forwarded-For list to pass on before the peer: borrowed from
                                  the fields, or empty */
    size_t accepted_lines; /* X-Forwarded-For lines behind the one that accepted_for is of: accepted
                              too */
};
/* @f: the request's fields as they came. */
void trust_viewer(const struct trust *t, const struct peer *peer, const struct fields *f,
                  struct viewer *out);

/* Removes and rewrites in @f: x-forwarded-for/-proto/-host/-port, x-real-ip, forwarded, of a peer
 * that is not trusted every x-forwarded-*, and aliases with '_' (H7, H8). @host: the Host as it
 * came. `accepted_for` stays usable: it is copied where needed. */
void trust_rewrite(struct fields *f, const struct viewer *v, const struct peer *peer,
                   struct slice host);

#endif
