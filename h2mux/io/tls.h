/* SPDX-License-Identifier: MIT */
/* tls.h - makes OpenSSL contexts: TLS 1.2 and up, ALPN, verification. RFC 8446, RFC 7301.
 *
 * Connections on any thread share a context; its owner frees it after them. */
#ifndef H2MUX_IO_TLS_H
#define H2MUX_IO_TLS_H

#include <stdbool.h>

#include "h2mux/base/slice.h"

struct tls;

/* The longest reason that a function below writes for people, with its end. */
enum { TLS_REASON_MAX = 256 };

/* Makes a server's context of a certificate chain and its key, both PEM. Returns NULL if they
 * cannot be used; then @reason names the file and what is wrong. */
struct tls *tls_server_new(const char *cert_file, const char *key_file,
                           char reason[static TLS_REASON_MAX]) MUSTCHECK;

/* Reads the pair anew: connections that begin from now on use it, those of before keep theirs. May
 * run on any thread, while others begin connections. Returns -1 if the pair cannot be used; then
 * nothing has changed, and @reason is as above. */
int tls_server_reload(struct tls *t, const char *cert_file, const char *key_file,
                      char reason[static TLS_REASON_MAX]) MUSTCHECK;

struct tls_client_options {
    const char *ca_file;   /* PEM; NULL: the system's */
    const char *cert_file; /* client certificate, may be NULL */
    const char *key_file;  /* its key; NULL: in cert_file */
    bool insecure;         /* the peer is not verified at all */
};

/* Makes a client's context. Returns NULL if a file cannot be used, with @reason as above. */
struct tls *tls_client_new(const struct tls_client_options *o,
                           char reason[static TLS_REASON_MAX]) MUSTCHECK;

void tls_free(struct tls *t);

/* Make an SSL of this context for sock_tls.c, its BIOs not yet set. @host (a name or an address) is
 * checked against the certificate, and a name is sent as SNI. Returns NULL for an empty @host,
 * which OpenSSL would take for "any". */
struct ssl_st;
struct ssl_st *tls_ssl_server(struct tls *t) MUSTCHECK;
struct ssl_st *tls_ssl_client(struct tls *t, const char *host) MUSTCHECK;

/* Writes the newest OpenSSL error of this thread as a short sentence, and empties the error queue.
 */
void tls_reason(char reason[static TLS_REASON_MAX]);

#endif
