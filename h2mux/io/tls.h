/* SPDX-License-Identifier: MIT */
/* tls.h - OpenSSL contexts: TLS 1.2 and up, ALPN, verification. RFC 8446, RFC 7301.
 *
 * A context is shared by its connections, on any thread, and freed by its owner after them. */
#ifndef H2MUX_IO_TLS_H
#define H2MUX_IO_TLS_H

#include <stdbool.h>

#include "h2mux/base/slice.h"

struct tls;

/* Longest reason that a function below writes for people. */
enum { TLS_REASON_MAX = 256 };

/* Certificate chain and key, PEM. NULL: @reason names the file and what is wrong. */
struct tls *tls_server_new(const char *cert_file, const char *key_file,
                           char reason[static TLS_REASON_MAX]) MUSTCHECK;

/* Reads the pair anew: connections that begin from now on use it, those of before keep theirs. From
 * any thread, while others begin connections. -1: nothing has changed, @reason as above. */
int tls_server_reload(struct tls *t, const char *cert_file, const char *key_file,
                      char reason[static TLS_REASON_MAX]) MUSTCHECK;

struct tls_client_options {
    const char *ca_file;   /* PEM; NULL: the system's */
    const char *cert_file; /* client certificate, may be NULL */
    const char *key_file;  /* its key; NULL: in cert_file */
    bool insecure;         /* the peer is not verified at all */
};
struct tls *tls_client_new(const struct tls_client_options *o,
                           char reason[static TLS_REASON_MAX]) MUSTCHECK;
void tls_free(struct tls *t);

/* For sock.c: an SSL of this context, its BIOs not yet set. @host: checked against the certificate
 * (name or address), sent as SNI; NULL is returned for an empty one, which OpenSSL would take for
 * "any". */
struct ssl_st;
struct ssl_st *tls_ssl_server(struct tls *t) MUSTCHECK;
struct ssl_st *tls_ssl_client(struct tls *t, const char *host) MUSTCHECK;

/* The newest OpenSSL error of this thread as a short sentence; the error queue is emptied. */
void tls_reason(char reason[static TLS_REASON_MAX]);

#endif
