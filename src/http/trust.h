/* SPDX-License-Identifier: MIT */
/* trust.h - finds out who a viewer is: the peer of the connection, or, when that peer is a trusted
 * proxy, the viewer that the proxy's X-Forwarded-* fields name. The module also writes those fields
 * for the origin. Rules H7 and H8 list the fields; protocol.md#trust */
#ifndef SRC_HTTP_TRUST_H
#define SRC_HTTP_TRUST_H

#include <netinet/in.h>
#include <sys/socket.h>

#include "h2mux/http/fields.h"

enum { TRUST_ADDRESS_MAX = INET6_ADDRSTRLEN, TRUST_CONNECTION_LEN = 32 };

/* Holds the networks of trusted proxies, whose X-Forwarded-* fields are believed. Loopback and unix
 * sockets are always trusted. The set does not change while requests are served, so any thread may
 * use it. */
struct trust;

/* Makes a set that trusts the loopback networks and unix sockets. Returns NULL when the networks
 * cannot be added. */
struct trust *trust_new(void) MUSTCHECK;
/* Makes a set that trusts nobody. */
struct trust *trust_new_empty(void) MUSTCHECK;
void trust_free(struct trust *t);

/* Adds a network like "10.0.0.0/8" or "2001:db8::/32", or a single address, to the set. Returns 0,
 * or ERR_SYNTAX when @cidr is malformed. */
int trust_add(struct trust *t, const char *cidr) MUSTCHECK;

/* Add a field's name to those that viewers and proxies may not send, or to those that a trusted
 * proxy may (--drop-field, --forward-field; rule H18). @name is borrowed as long as the set lives.
 * Return 0, or ERR_LIMIT when there are too many. */
int trust_drop_field(struct trust *t, const char *name) MUSTCHECK;
int trust_forward_field(struct trust *t, const char *name) MUSTCHECK;

/* Returns whether the set trusts @peer. */
bool trust_has(const struct trust *t, const struct sockaddr *peer);

/* Returns whether @address, an internet address as text, is in a network of the set. Other texts
 * are in none. */
bool trust_has_text(const struct trust *t, const char *address);

/* Describes the other end of a connection. All requests of a connection have the same peer. */
struct peer {
    char address[TRUST_ADDRESS_MAX]; /* as text; empty if it is local */
    bool local;                      /* the peer has no internet address: a unix socket */
    bool trusted;                    /* trust_has */
    bool tls;                        /* the connection uses our own TLS */
    bool redirects;                  /* it came to --redirect, and gets redirects to https alone */
    bool relayed;                    /* a front end carries it, by its own word */

    /* The connection's name: random hex digits. Empty if it may carry requests of several viewers,
     * since the peer is trusted or a request has shown a proxy (rule H20). */
    char connection[TRUST_CONNECTION_LEN + 1];
};

/* Fills @out with the peer at @addr, who has just connected. */
void trust_peer(const struct trust *t, const struct sockaddr *addr, bool tls, struct peer *out);

/* The viewer of one request. */
struct viewer {
    char address[TRUST_ADDRESS_MAX]; /* as text; "unix" if a local peer names no viewer */
    const struct trust *trust;       /* borrowed: says which fields pass; NULL: the defaults do */
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

    struct slice connection; /* of trust_connection, borrowed from the peer */

    /* The request came over HTTP/2, by a connection that would have a name over HTTP/1.1. */
    bool nameless;
};

/* Fills @out with the viewer of a request. @f are the request's fields as the peer sent them. */
void trust_viewer(const struct trust *t, const struct peer *peer, const struct fields *f,
                  struct viewer *out);

/* Returns the name of the connection of @peer if it is one viewer's alone, as far as anybody can
 * tell; otherwise an empty slice. @f are the fields of a request as the peer sent them. If they
 * show that a proxy has passed the request on, the connection has no name any more (rule H20). The
 * slice is borrowed from @peer. */
struct slice trust_connection(struct peer *peer, const struct fields *f);

/* Returns whether a field is removed from a request's head and trailers because the viewer @v must
 * not send it to an origin: a forwarding field, or a field that only proxies may send (rules H7,
 * H17 to H19). A trusted peer may send the fields of --forward-field. @rules is the result of
 * field_rules. */
bool trust_drops(const struct viewer *v, struct slice name, unsigned rules);

/* Removes the fields of --drop-field from a head or from trailers (rule H18). */
void trust_drop_fields(const struct viewer *v, struct fields *f);

/* Writes the X-Forwarded-For that the origin gets into @list, which the caller releases. @f has the
 * fields that trust_viewer saw. */
void trust_list(const struct fields *f, const struct viewer *v, const struct peer *peer,
                struct buf *list);

/* Adds the fields by which oneportd says who the viewer is: x-forwarded-for with the @list of
 * trust_list, -proto and -host, and x-forwarded-port if a trusted proxy named a port (rule H7).
 * @host is the value of Host as the viewer sent it. */
void trust_add_fields(struct fields *f, const struct viewer *v, struct slice list,
                      struct slice host);

#endif
