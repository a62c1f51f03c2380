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
#include "h2mux/io/tls_certs.h"

struct tls;

/* The functions below write a reason in words to a buffer of this size. */
enum { TLS_REASON_MAX = 256 };

/* A certificate chain and its key, both PEM; they may be one file. */
struct tls_pair {
    const char *cert_file, *key_file;
    char reason[TLS_REASON_MAX]; /* set by the functions below: the file and its fault; empty: none
                                  */
};

/* Makes a server's contexts of @n pairs, which share the keys of sessions: a session of one name
 * may be resumed for another one. A pair that cannot be used is left out, and has its reason. No
 * pair at all may be left; then no connection can begin TLS. */
struct tls *tls_server_new(struct tls_pair *pairs, size_t n) MUSTCHECK;

/* Reads the pairs, which may be others, again. New connections use what was read, older connections
 * keep what they have. A pair that cannot be used has its reason, and if its certificate's file was
 * in use, that goes on with what was read from it before. May run on any thread, while other
 * threads begin connections. */
void tls_server_reload(struct tls *t, struct tls_pair *pairs, size_t n);

/* Has the server @t ask those who ask for @name for a certificate of an authority of @ca_file
 * (tls_clients.h). Called before any connection begins. Returns 0, or ERR_SYNTAX with a sentence in
 * @reason. */
int tls_server_ask(struct tls *t, const char *ca_file, struct slice name,
                   char reason[static TLS_REASON_MAX]) MUSTCHECK;

/* Returns whether the server @t has a certificate. These three may run on any thread; they hold a
 * lock, so @visit calls no function of @t. tls_certs.h says what they find. */
bool tls_server_ready(struct tls *t) MUSTCHECK;
bool tls_server_covers(struct tls *t, struct slice name) MUSTCHECK;
void tls_server_each(struct tls *t, void (*visit)(const struct tls_certificate *one, void *user),
                     void *user);

/* Returns whether everybody on this machine may read the file @key_file. Returns false if that
 * cannot be found out. */
bool tls_key_exposed(const char *key_file) MUSTCHECK;

struct tls_client_options {
    const char *ca_file;   /* PEM; NULL: the system's */
    bool ca_beside;        /* the system's are trusted beside those of ca_file */
    const char *cert_file; /* client certificate, may be NULL */
    const char *key_file;  /* its key; NULL: in cert_file */
    bool insecure;         /* the peer is not verified at all */
    bool h2;               /* HTTP/2 is offered (ALPN), in place of HTTP/1.1 */
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

/* Make the SSL object of one connection for sock_tls.c, without its BIOs, as a server that is asked
 * for @name, and as a client. tls_ssl_server returns NULL if @t has no certificate. A client
 * compares @host (a name or an address) with the certificate's alternative names, never with its
 * subject (RFC 9525 2), and sends a name as SNI. tls_ssl_client returns NULL if
 * @host is empty, because OpenSSL would accept any certificate then. */
struct ssl_st;
struct ssl_st *tls_ssl_server(struct tls *t, struct slice name) MUSTCHECK;
struct ssl_st *tls_ssl_client(struct tls *t, const char *host) MUSTCHECK;

/* Forgets the session that @ssl, of which the handshake has failed, may have tried to resume. */
void tls_forget_session(struct ssl_st *ssl);

/* Writes the newest OpenSSL error of this thread as a short sentence, and empties the error queue.
 */
void tls_reason(char reason[static TLS_REASON_MAX]);

#endif
