/* SPDX-License-Identifier: MIT */
/* tls_certs.h - the certificates of a server, each with its context, and which of them a connection
 * gets by the name that it asks for (RFC 6066 3): the one that has exactly that name; else the one
 * with the wildcard of its first label (RFC 9525 6.3); else the first one. Of several with one name
 * the first one counts. Only alternative names of type DNS count.
 *
 * The set has no lock: it is filled by one thread, and does not change after that. */
#ifndef H2MUX_IO_TLS_CERTS_H
#define H2MUX_IO_TLS_CERTS_H

#include <stdbool.h>
#include <stdint.h>

#include "h2mux/base/slice.h"

struct ssl_ctx_st;
struct x509_st;
struct tls_certs;

/* What a certificate says. Times are seconds since the epoch. */
struct tls_certificate {
    const char *cert_file, *key_file;
    int64_t not_before_s, not_after_s;
    const struct x509_st *x509;
};

struct tls_certs *tls_certs_new(void) MUSTCHECK;
/* Connections that have begun keep their contexts. NULL is fine. */
void tls_certs_free(struct tls_certs *c);

/* Adds the context @ctx, which belongs to the set from then on, and whose certificate and key are
 * of these files. */
void tls_certs_add(struct tls_certs *c, struct ssl_ctx_st *ctx, const char *cert_file,
                   const char *key_file);

/* Returns the context for @name, which may be empty, borrowed; NULL when the set is empty. */
struct ssl_ctx_st *tls_certs_find(const struct tls_certs *c, struct slice name);

/* Returns the context of @cert_file, borrowed, or NULL. */
struct ssl_ctx_st *tls_certs_of_file(const struct tls_certs *c, const char *cert_file);

/* Returns whether one of the certificates has @name, or the wildcard that covers it. "*.test" asks
 * for the wildcard itself. */
bool tls_certs_cover(const struct tls_certs *c, struct slice name);

/* Calls @visit for each certificate, in order. */
void tls_certs_each(const struct tls_certs *c,
                    void (*visit)(const struct tls_certificate *one, void *user), void *user);

/* Returns whether @one has @name, or the wildcard that covers it. */
bool tls_certificate_covers(const struct tls_certificate *one, struct slice name);

#endif
