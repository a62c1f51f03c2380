/* SPDX-License-Identifier: MIT */
/* secure.h - certificates made here, and two ends of a wire with TLS between them. For tests of
 * what TLS makes of a sock. */
#ifndef TESTS_UNIT_SECURE_H
#define TESTS_UNIT_SECURE_H

#include "wire.h"

#include <openssl/pem.h>
#include <openssl/x509v3.h>

#include "h2mux/io/sock_int.h"

/* ---- certificates */

enum { DAY_S = 86400, FILE_MAX = 128 };

struct authority {
    EVP_PKEY *key;
    X509 *cert;
};

static char dir[] = "/tmp/test_tls.XXXXXX";

static inline const char *path(const char *file)
{
    static char text[4][FILE_MAX];
    static unsigned turn;
    char *to = text[turn++ % 4];
    snprintf(to, FILE_MAX, "%s/%s", dir, file);
    return to;
}

static inline void write_pem(const char *file, X509 *cert, EVP_PKEY *key)
{
    FILE *f = fopen(path(file), "w");
    assert_non_null(f);
    if (cert)
        assert_int_equal(PEM_write_X509(f, cert), 1);
    if (key)
        assert_int_equal(PEM_write_PrivateKey(f, key, NULL, NULL, 0, NULL, NULL), 1);
    assert_int_equal(fclose(f), 0);
}

static inline void add_extension(X509 *cert, int nid, const char *value)
{
    X509V3_CTX ctx;
    X509V3_set_ctx(&ctx, cert, cert, NULL, NULL, 0);
    X509_EXTENSION *e = X509V3_EXT_conf_nid(NULL, &ctx, nid, value);
    assert_non_null(e);
    assert_int_equal(X509_add_ext(cert, e, -1), 1);
    X509_EXTENSION_free(e);
}

/* @by NULL: signed by itself, and able to sign others. */
static inline X509 *make_cert(const char *name, EVP_PKEY *key, const struct authority *by,
                              const char *san, long from_s, long until_s)
{
    static long serial;
    X509 *cert = X509_new();
    X509_set_version(cert, X509_VERSION_3);
    ASN1_INTEGER_set(X509_get_serialNumber(cert), ++serial);
    X509_gmtime_adj(X509_getm_notBefore(cert), from_s);
    X509_gmtime_adj(X509_getm_notAfter(cert), until_s);
    X509_set_pubkey(cert, key);
    X509_NAME_add_entry_by_txt(X509_get_subject_name(cert), "CN", MBSTRING_ASC,
                               (const unsigned char *)name, -1, -1, 0);
    X509_set_issuer_name(cert, X509_get_subject_name(by ? by->cert : cert));
    if (!by)
        add_extension(cert, NID_basic_constraints, "critical,CA:TRUE");
    if (san)
        add_extension(cert, NID_subject_alt_name, san);
    assert_true(X509_sign(cert, by ? by->key : key, EVP_sha256()) > 0);
    return cert;
}

static inline struct authority make_authority(const char *name, const char *file)
{
    struct authority a = {.key = EVP_EC_gen("P-256")};
    a.cert = make_cert(name, a.key, NULL, NULL, -DAY_S, DAY_S);
    write_pem(file, a.cert, NULL);
    return a;
}

static inline void make_leaf(const char *file, const struct authority *by, const char *san,
                             long from_s, long until_s)
{
    EVP_PKEY *key = EVP_EC_gen("P-256");
    X509 *cert = make_cert("leaf", key, by, san, from_s, until_s);
    write_pem(file, cert, key);
    X509_free(cert);
    EVP_PKEY_free(key);
}

static inline int make_certificates(void **state)
{
    static const char names[] = "DNS:tunnel.test,DNS:*.wild.test,IP:127.0.0.1,IP:::1";
    if (!mkdtemp(dir))
        return -1;
    struct authority good = make_authority("good", "ca.pem"),
                     other = make_authority("other", "other-ca.pem");
    make_leaf("good.pem", &good, names, -DAY_S, DAY_S);
    make_leaf("expired.pem", &good, names, -2 * DAY_S, -DAY_S);
    make_leaf("future.pem", &good, names, DAY_S / 2, DAY_S);
    make_leaf("unsigned.pem", NULL, names, -DAY_S, DAY_S);
    make_leaf("short.pem", &good, "DNS:tunnel.test,DNS:*.other.test", -DAY_S, 13 * DAY_S);
    make_leaf("local.pem", &good, "DNS:LOCALHOST,DNS:*.Localhost", -DAY_S, 40 * DAY_S);
    make_leaf("nameless.pem", &good, NULL, -DAY_S, DAY_S);
    X509_free(good.cert);
    X509_free(other.cert);
    EVP_PKEY_free(good.key);
    EVP_PKEY_free(other.key);
    return 0;
}

static inline int remove_certificates(void **state)
{
    char command[FILE_MAX + 8];
    snprintf(command, sizeof command, "rm -rf %s", dir);
    return system(command);
}

/* ---- two ends */

struct pairing {
    const char *cert, *ca, *host;
    bool insecure;
};

static const struct pairing ordinary = {"good.pem", "ca.pem", "tunnel.test", false};

/* a is the client, b the server. */
struct secure {
    struct wire *w;
    struct tls *client, *server;
};

static inline struct tls *server_context(const char *cert)
{
    struct tls_pair pair = {path(cert), path(cert), ""};
    struct tls *t = tls_server_new(&pair, 1);
    assert_string_equal(pair.reason, "");
    return t;
}

static inline struct tls *client_context(const char *ca, bool insecure)
{
    char reason[TLS_REASON_MAX] = "";
    struct tls_client_options o = {.ca_file = path(ca), .insecure = insecure};
    struct tls *t = tls_client_new(&o, reason);
    assert_string_equal(reason, "");
    return t;
}

static inline void contexts(struct secure *s, const struct pairing *p)
{
    s->client = client_context(p->ca, p->insecure);
    s->server = server_context(p->cert);
}

static inline void start(struct secure *s, const struct pairing *p)
{
    assert_false(sock_is_tls(s->w->a.sock));
    assert_int_equal(sock_start_tls(s->w->a.sock, s->client, p->host), 0);
    assert_int_equal(sock_start_tls(s->w->b.sock, s->server, NULL), 0);
    assert_true(sock_is_tls(s->w->a.sock));
}

static inline struct secure secure_open(enum wire_kind kind, const struct pairing *p)
{
    struct secure s = {.w = wire_open(kind)};
    contexts(&s, p);
    start(&s, p);
    return s;
}

static inline void secure_close(struct secure *s)
{
    wire_close(s->w);
    tls_free(s->client);
    tls_free(s->server);
}

static inline bool settled(const struct wire_end *e)
{
    return e->opened > 0 || e->errors > 0;
}

static inline bool both_settled(void *user)
{
    struct wire *w = user;
    return settled(&w->a) && settled(&w->b);
}

static inline bool a_got(void *user)
{
    return buf_len(&((struct wire *)user)->a.got) > 0;
}

static inline struct secure secure_up(enum wire_kind kind)
{
    struct secure s = secure_open(kind, &ordinary);
    wire_until(s.w, both_settled);
    assert_int_equal(s.w->a.opened, 1);
    assert_int_equal(s.w->b.opened, 1);
    sock_write(s.w->b.sock, SLICE("!")); /* behind the session tickets: no unread byte is left to
                                            make an RST of a close */
    wire_until(s.w, a_got);
    buf_truncate(&s.w->a.got, 0);
    return s;
}

static inline bool any_over(void *user)
{
    struct wire *w = user;
    return w->a.errors > 0 || w->a.ended || w->b.errors > 0 || w->b.ended;
}

#endif
