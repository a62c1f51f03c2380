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

/* Add a field's name to those that viewers and proxies may not send, or to those that a trusted
 * proxy may (--drop-field, --forward-field; rule H18). @name is borrowed as long as the set lives.
 * Return 0, or ERR_LIMIT when there are too many. */
int trust_drop_field(struct trust *t, const char *name) MUSTCHECK;
int trust_forward_field(struct trust *t, const char *name) MUSTCHECK;

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
    const struct trust *trust;       /* borrowed: says which fields pass; NULL: the defaults do */
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

/* Returns whether a field is removed from a request's head and trailers because the viewer @v must
 * not say it to an origin: a forwarding field, or one that only proxies may say (rules H7, H18,
 * H19). A trusted peer may send what --forward-field names. @rules: of field_rules. */
bool trust_drops(const struct viewer *v, struct slice name, unsigned rules);

/* Removes the fields of --drop-field from a head or from trailers (rule H18). */
void trust_drop_fields(const struct viewer *v, struct fields *f);

/* Writes the X-Forwarded-For that the origin gets. @f: the fields that trust_viewer saw. The caller
 * releases @list. */
void trust_list(const struct fields *f, const struct viewer *v, const struct peer *peer,
                struct buf *list);

/* Adds the fields by which oneportd says who the viewer is: x-forwarded-for with @list of
 * trust_list, -proto and -host, and x-forwarded-port if a trusted proxy named one (rule H7). @host:
 * the Host as it came. */
void trust_add_fields(struct fields *f, const struct viewer *v, struct slice list,
                      struct slice host);

#endif
