/* SPDX-License-Identifier: MIT */
/* tls.h - makes OpenSSL contexts for TLS 1.2 and later, with ALPN and verification of the peer. RFC
 * 8446, RFC 7301.
 *
 * Connections on all threads share a context. Its owner frees the context after the last connection
 * has ended. */
#ifndef H2MUX_IO_TLS_H
#define H2MUX_IO_TLS_H

#include <stdbool.h>
#include <stdint.h>

#include "h2mux/base/slice.h"

struct tls;

/* The functions below write a reason in words to a buffer of this size. */
enum { TLS_REASON_MAX = 256 };

/* Makes a server's context of a certificate chain and its key, both PEM files. Returns NULL if the
 * files cannot be used; @reason then names the file and the fault. */
struct tls *tls_server_new(const char *cert_file, const char *key_file,
                           char reason[static TLS_REASON_MAX]) MUSTCHECK;

/* Reads certificate and key again. New connections use the new pair, older connections keep the old
 * one. May run on any thread, while other threads begin connections. Returns 0, or -1 if the pair
 * cannot be used; then nothing has changed, and @reason names the file and the fault. */
int tls_server_reload(struct tls *t, const char *cert_file, const char *key_file,
                      char reason[static TLS_REASON_MAX]) MUSTCHECK;

/* What a server's certificate says. Times are seconds since the epoch. */
struct tls_certificate {
    int64_t not_before_s, not_after_s;
    bool covers_domain;     /* valid for the domain */
    bool covers_subdomains; /* valid for each name right below the domain */
};

/* Judges the certificate that new connections to the server @t get, for @domain. Only subject
 * alternative names count (RFC 9525 6.3). May run on any thread. */
void tls_server_certificate(struct tls *t, const char *domain, struct tls_certificate *out);

/* Returns whether everybody on this machine may read the file @key_file. Returns false if that
 * cannot be found out. */
bool tls_key_exposed(const char *key_file) MUSTCHECK;

struct tls_client_options {
    const char *ca_file;   /* PEM; NULL: the system's */
    bool ca_beside;        /* the system's are trusted beside those of ca_file */
    const char *cert_file; /* client certificate, may be NULL */
    const char *key_file;  /* its key; NULL: in cert_file */
    bool insecure;         /* the peer is not verified at all */
    bool old;              /* also TLS 1.0 and 1.1, old ciphers, small keys and SHA-1 */

    /* A connection resumes the newest session that the same host has given (RFC 8446 2.2), which
     * saves the most of a handshake. The certificate was verified when the session began. */
    bool resumes;
};

/* Makes a client's context. Returns NULL if a file cannot be used; @reason then names the file and
 * the fault. */
struct tls *tls_client_new(const struct tls_client_options *o,
                           char reason[static TLS_REASON_MAX]) MUSTCHECK;

void tls_free(struct tls *t);

/* Make the SSL object of one connection for sock_tls.c, without its BIOs, as a server and as a
 * client. A client compares @host (a name or an address) with the certificate's alternative names,
 * never with its subject (RFC 9525 2), and sends a name as SNI. tls_ssl_client returns NULL if
 * @host is empty, because OpenSSL would accept any certificate then. */
struct ssl_st;
struct ssl_st *tls_ssl_server(struct tls *t) MUSTCHECK;
struct ssl_st *tls_ssl_client(struct tls *t, const char *host) MUSTCHECK;

/* Forgets the session that @ssl, of which the handshake has failed, may have tried to resume. */
void tls_forget_session(struct ssl_st *ssl);

/* Writes the newest OpenSSL error of this thread as a short sentence, and empties the error queue.
 */
void tls_reason(char reason[static TLS_REASON_MAX]);

#endif
