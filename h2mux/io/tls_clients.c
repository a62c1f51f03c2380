/* SPDX-License-Identifier: MIT */
/* tls_clients.c - see tls_clients.h. */
#include "h2mux/io/tls_clients.h"

#include <stdio.h>
#include <stdlib.h>

#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>

struct tls_clients {
    X509_STORE *store;           /* owned */
    STACK_OF(X509_NAME) * names; /* owned: of the authorities */
    char *name;                  /* owned */
};

struct tls_clients *tls_clients_new(const char *ca_file, struct slice name, char *reason,
                                    size_t cap)
{
    struct tls_clients *c = xcalloc(1, sizeof *c);
    ERR_clear_error();
    c->name = slice_dup(name);
    c->store = X509_STORE_new();
    c->names = SSL_load_client_CA_file(ca_file);
    if (!c->store || !c->names || X509_STORE_load_file(c->store, ca_file) != 1) {
        snprintf(reason, cap, "cannot use the authorities of %.200s: no certificate in PEM form",
                 ca_file);
        ERR_clear_error();
        tls_clients_free(c);
        return NULL;
    }
    return c;
}

void tls_clients_free(struct tls_clients *c)
{
    if (!c)
        return;
    sk_X509_NAME_pop_free(c->names, X509_NAME_free);
    X509_STORE_free(c->store);
    free(c->name);
    free(c);
}

void tls_clients_ask(const struct tls_clients *c, SSL *ssl, struct slice name)
{
    if (name.len > 0 && !slice_ieq(name, slice_str(c->name)))
        return;
    STACK_OF(X509_NAME) *names = SSL_dup_CA_list(c->names);
    if (!names || SSL_set1_verify_cert_store(ssl, c->store) != 1)
        abort(); /* no memory */
    SSL_set_client_CA_list(ssl, names);
    SSL_set_verify(ssl, SSL_VERIFY_PEER, NULL);
}

/* Returns the only CN of @name, or NULL. */
static const ASN1_STRING *common_name(const X509_NAME *name)
{
    int at = X509_NAME_get_index_by_NID(name, NID_commonName, -1);
    if (at < 0 || X509_NAME_get_index_by_NID(name, NID_commonName, at) >= 0)
        return NULL;
    return X509_NAME_ENTRY_get_data(X509_NAME_get_entry(name, at));
}

/* A session that is resumed has the result of its first handshake. */
static bool is_over(const X509 *shown)
{
    return X509_cmp_current_time(X509_get0_notAfter(shown)) <= 0;
}

bool tls_clients_subject(const SSL *ssl, char *out, size_t cap)
{
    unsigned char *text = NULL;
    const X509 *shown = SSL_get0_peer_certificate(ssl);
    out[0] = '\0';
    if (!shown || SSL_get_verify_result(ssl) != X509_V_OK ||
        SSL_get_verify_mode(ssl) == SSL_VERIFY_NONE || is_over(shown))
        return false;
    const ASN1_STRING *cn = common_name(X509_get_subject_name(shown));
    int len = cn ? ASN1_STRING_to_UTF8(&text, cn) : -1;
    bool fits = len > 0 && (size_t)len < cap && !memchr(text, '\0', (size_t)len);
    if (fits) {
        memcpy(out, text, (size_t)len);
        out[len] = '\0';
    }
    OPENSSL_free(text);
    return fits;
}
