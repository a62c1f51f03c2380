/* SPDX-License-Identifier: MIT */
/* tls_clients.h - asks clients of one name for a certificate, which an authority of a file has to
 * have signed (RFC 8446 4.3.2, RFC 5246 7.4.4). A client need not show one; one that shows a
 * certificate that does not verify is refused. The request names the authorities, so a browser that
 * has no certificate of theirs does not ask its user. Immutable once made. */
#ifndef H2MUX_IO_TLS_CLIENTS_H
#define H2MUX_IO_TLS_CLIENTS_H

#include <stdbool.h>
#include <stddef.h>

#include "h2mux/base/slice.h"

struct ssl_st;
struct tls_clients;

/* Reads the authorities of @ca_file, PEM. @name is the name whose clients are asked, and those who
 * ask for no name. Returns NULL, with a sentence in @reason, when the file cannot be used. */
struct tls_clients *tls_clients_new(const char *ca_file, struct slice name, char *reason,
                                    size_t cap) MUSTCHECK;
/* NULL is fine. */
void tls_clients_free(struct tls_clients *c);

/* Has the connection @ssl, which has not begun and asks for @name, ask for a certificate, if it is
 * one of those. */
void tls_clients_ask(const struct tls_clients *c, struct ssl_st *ssl, struct slice name);

/* Writes the common name (CN) of the certificate that the other end of @ssl has shown and that has
 * verified into @out. Returns false, with an empty text, when there is none, when it has no CN or
 * several, or when the CN has a zero byte or does not fit into @cap. */
bool tls_clients_subject(const struct ssl_st *ssl, char *out, size_t cap);

#endif
