/* SPDX-License-Identifier: MIT */
/* tls_certs.c - see tls_certs.h. The names of all certificates are keys of one map, in lower case.
 */
#include "h2mux/io/tls_certs.h"

#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <stdlib.h>
#include <time.h>

#include "h2mux/base/alloc.h"
#include "h2mux/base/map.h"

enum { NAME_MAX_BYTES = 255 };

struct cert {
    struct cert *next;
    SSL_CTX *ctx; /* owned */
    char *cert_file, *key_file;
};

struct tls_certs {
    struct cert *first, **end;
    struct map names; /* of struct cert; borrowed */
};

/* Holds a name in lower case. */
struct key {
    char text[NAME_MAX_BYTES];
    size_t len; /* 0: there is none */
};

/* Makes the key of @name behind @prefix. A name that is too long has none. */
static struct key key_of(struct slice prefix, struct slice name)
{
    struct key k = {.len = 0};
    if (name.len == 0 || prefix.len + name.len > sizeof k.text)
        return k;
    memcpy(k.text, prefix.ptr, prefix.len);
    memcpy(k.text + prefix.len, name.ptr, name.len);
    k.len = prefix.len + name.len;
    ascii_lower(k.text, k.len);
    return k;
}

static struct slice key_text(const struct key *k)
{
    return slice_make(k->text, k->len);
}

/* Returns what stands behind the first label of @name, with its dot. */
static struct slice behind_label(struct slice name)
{
    ptrdiff_t dot = slice_find(name, '.');
    return dot < 0 ? SLICE("") : slice_skip(name, (size_t)dot);
}

/* ---- the names of one certificate */

/* Calls @visit for each name of @x509 until it returns true. Returns whether it did. */
static bool find_name(const X509 *x509, bool (*visit)(struct slice name, void *user), void *user)
{
    GENERAL_NAMES *names = X509_get_ext_d2i(x509, NID_subject_alt_name, NULL, NULL);
    bool found = false;
    for (int i = 0; i < sk_GENERAL_NAME_num(names) && !found; i++) {
        const GENERAL_NAME *name = sk_GENERAL_NAME_value(names, i);
        if (name->type == GEN_DNS)
            found = visit(slice_make((const char *)ASN1_STRING_get0_data(name->d.dNSName),
                                     (size_t)ASN1_STRING_length(name->d.dNSName)),
                          user);
    }
    GENERAL_NAMES_free(names);
    return found;
}

static bool is_equal(struct slice name, void *wanted)
{
    return slice_ieq(name, *(struct slice *)wanted);
}

bool tls_certificate_covers(const struct tls_certificate *one, struct slice name)
{
    struct key wild = key_of(SLICE("*"), behind_label(name));
    struct slice text = key_text(&wild);
    if (find_name(one->x509, is_equal, &name))
        return true;
    return text.len > 0 && find_name(one->x509, is_equal, &text);
}

static int64_t seconds(const ASN1_TIME *at)
{
    struct tm tm = {0};
    return ASN1_TIME_to_tm(at, &tm) == 1 ? timegm(&tm) : 0;
}

/* ---- the set */

struct tls_certs *tls_certs_new(void)
{
    struct tls_certs *c = xcalloc(1, sizeof *c);
    c->end = &c->first;
    map_init(&c->names);
    return c;
}

void tls_certs_free(struct tls_certs *c)
{
    if (!c)
        return;
    map_deinit(&c->names);
    for (struct cert *one = c->first, *next; one; one = next) {
        next = one->next;
        SSL_CTX_free(one->ctx);
        free(one->cert_file);
        free(one->key_file);
        free(one);
    }
    free(c);
}

struct adding {
    struct map *names;
    struct cert *cert;
};

static bool add_name(struct slice name, void *user)
{
    struct adding *a = user;
    struct key k = key_of(SLICE(""), name);
    if (k.len > 0 && !map_get(a->names, key_text(&k)))
        (void)map_set(a->names, key_text(&k), a->cert);
    return false;
}

void tls_certs_add(struct tls_certs *c, SSL_CTX *ctx, const char *cert_file, const char *key_file)
{
    struct cert *one = xcalloc(1, sizeof *one);
    struct adding a = {&c->names, one};
    one->ctx = ctx;
    one->cert_file = xstrdup(cert_file);
    one->key_file = xstrdup(key_file);
    *c->end = one;
    c->end = &one->next;
    find_name(SSL_CTX_get0_certificate(ctx), add_name, &a);
}

/* Returns the certificate with @name or the wildcard that covers it, or NULL. */
static const struct cert *find(const struct tls_certs *c, struct slice name)
{
    struct key exact = key_of(SLICE(""), name), wild = key_of(SLICE("*"), behind_label(name));
    const struct cert *one = exact.len > 0 ? map_get(&c->names, key_text(&exact)) : NULL;
    if (!one && wild.len > 0)
        one = map_get(&c->names, key_text(&wild));
    return one;
}

SSL_CTX *tls_certs_find(const struct tls_certs *c, struct slice name)
{
    const struct cert *one = find(c, name);
    if (!one)
        one = c->first;
    return one ? one->ctx : NULL;
}

SSL_CTX *tls_certs_of_file(const struct tls_certs *c, const char *cert_file)
{
    for (const struct cert *one = c->first; one; one = one->next)
        if (strcmp(one->cert_file, cert_file) == 0)
            return one->ctx;
    return NULL;
}

bool tls_certs_cover(const struct tls_certs *c, struct slice name)
{
    return find(c, name);
}

void tls_certs_each(const struct tls_certs *c,
                    void (*visit)(const struct tls_certificate *one, void *user), void *user)
{
    for (const struct cert *one = c->first; one; one = one->next) {
        const X509 *x509 = SSL_CTX_get0_certificate(one->ctx);
        struct tls_certificate t = {
            .cert_file = one->cert_file,
            .key_file = one->key_file,
            .not_before_s = seconds(X509_get0_notBefore(x509)),
            .not_after_s = seconds(X509_get0_notAfter(x509)),
            .x509 = x509,
        };
        visit(&t, user);
    }
}
