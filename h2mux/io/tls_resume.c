/* SPDX-License-Identifier: MIT */
/* tls_resume.c - see tls_resume.h. Keys are made when they are asked for, so an idle server makes
 * none. */
#include "h2mux/io/tls_resume.h"

#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <openssl/rand.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "h2mux/base/clock.h"

#define LIFE_US ((uint64_t)TLS_RESUME_LIFE_S * 1000000)

struct tls_resume {
    pthread_mutex_t lock;
    struct tls_resume_key current, previous;
    uint64_t since_us; /* when `current` began to seal */
    bool has_previous;
};

static void key_make(struct tls_resume_key *key)
{
    if (RAND_bytes(key->name, sizeof key->name) != 1 ||
        RAND_priv_bytes(key->cipher, sizeof key->cipher) != 1 ||
        RAND_priv_bytes(key->mac, sizeof key->mac) != 1)
        abort(); /* no random bytes: nothing of TLS works then */
}

struct tls_resume *tls_resume_new(uint64_t now_us)
{
    struct tls_resume *t = xcalloc(1, sizeof *t);
    pthread_mutex_init(&t->lock, NULL);
    key_make(&t->current);
    t->since_us = now_us;
    return t;
}

void tls_resume_free(struct tls_resume *t)
{
    if (!t)
        return;
    pthread_mutex_destroy(&t->lock);
    OPENSSL_cleanse(t, sizeof *t);
    free(t);
}

/* Replaces keys whose time is over. The lock is held. */
static void turn(struct tls_resume *t, uint64_t now_us)
{
    uint64_t age_us = now_us > t->since_us ? now_us - t->since_us : 0;
    if (age_us < LIFE_US)
        return;
    t->has_previous = age_us < 2 * LIFE_US;
    t->previous = t->current;
    if (!t->has_previous)
        OPENSSL_cleanse(&t->previous, sizeof t->previous);
    key_make(&t->current);
    t->since_us += age_us / LIFE_US * LIFE_US;
}

void tls_resume_current(struct tls_resume *t, uint64_t now_us, struct tls_resume_key *out)
{
    pthread_mutex_lock(&t->lock);
    turn(t, now_us);
    *out = t->current;
    pthread_mutex_unlock(&t->lock);
}

bool tls_resume_find(struct tls_resume *t, uint64_t now_us,
                     const unsigned char name[static TLS_RESUME_NAME], struct tls_resume_key *out,
                     bool *current)
{
    bool found = true;
    pthread_mutex_lock(&t->lock);
    turn(t, now_us);
    *current = memcmp(name, t->current.name, TLS_RESUME_NAME) == 0;
    if (*current)
        *out = t->current;
    else if (t->has_previous && memcmp(name, t->previous.name, TLS_RESUME_NAME) == 0)
        *out = t->previous;
    else
        found = false;
    pthread_mutex_unlock(&t->lock);
    return found;
}

/* ---- for OpenSSL: its callback of keys */

static int app_index = -1;
static pthread_once_t app_once = PTHREAD_ONCE_INIT;

static void make_index(void)
{
    app_index = SSL_CTX_get_ex_new_index(0, NULL, NULL, NULL, NULL);
    if (app_index < 0)
        abort();
}

static bool set_mac(EVP_MAC_CTX *mac, struct tls_resume_key *key)
{
    char digest[] = "SHA256";
    OSSL_PARAM params[] = {
        OSSL_PARAM_construct_octet_string(OSSL_MAC_PARAM_KEY, key->mac, sizeof key->mac),
        OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, digest, 0),
        OSSL_PARAM_construct_end(),
    };
    return EVP_MAC_CTX_set_params(mac, params) == 1;
}

static int seal(struct tls_resume *t, unsigned char *name, unsigned char *iv, EVP_CIPHER_CTX *c,
                EVP_MAC_CTX *mac)
{
    struct tls_resume_key key;
    tls_resume_current(t, clock_now_us(), &key);
    memcpy(name, key.name, sizeof key.name);
    bool ok = RAND_bytes(iv, EVP_CIPHER_get_iv_length(EVP_aes_256_cbc())) == 1 &&
              EVP_EncryptInit_ex(c, EVP_aes_256_cbc(), NULL, key.cipher, iv) == 1 &&
              set_mac(mac, &key);
    OPENSSL_cleanse(&key, sizeof key);
    return ok ? 1 : -1;
}

/* Returns 2 for a session that OpenSSL is to seal anew: one of the previous key, and each one if
 * @renew is set. Returns 1 for another one of a known key, and 0 for an unknown key, which makes a
 * full handshake. */
static int unseal(struct tls_resume *t, bool renew, const unsigned char *name,
                  const unsigned char *iv, EVP_CIPHER_CTX *c, EVP_MAC_CTX *mac)
{
    struct tls_resume_key key;
    bool current;
    if (!tls_resume_find(t, clock_now_us(), name, &key, &current))
        return 0;
    bool ok =
        EVP_DecryptInit_ex(c, EVP_aes_256_cbc(), NULL, key.cipher, iv) == 1 && set_mac(mac, &key);
    OPENSSL_cleanse(&key, sizeof key);
    return !ok ? -1 : current && !renew ? 1 : 2;
}

static int on_session(SSL *ssl, unsigned char *name, unsigned char *iv, EVP_CIPHER_CTX *c,
                      EVP_MAC_CTX *mac, int sealing)
{
    struct tls_resume *t = SSL_CTX_get_ex_data(SSL_get_SSL_CTX(ssl), app_index);
    bool renew = SSL_version(ssl) == TLS1_3_VERSION; /* used once: RFC 8446 C.4 */
    return sealing ? seal(t, name, iv, c, mac) : unseal(t, renew, name, iv, c, mac);
}

/* Returns whether the certificate that the peer showed in the session's first handshake has ended.
 */
static bool has_ended(SSL_SESSION *session)
{
    X509 *shown = session ? SSL_SESSION_get0_peer(session) : NULL;
    return shown && X509_cmp_current_time(X509_get0_notAfter(shown)) <= 0;
}

/* Makes a full handshake of a session whose peer has to show another certificate by now. For all
 * else returns what OpenSSL does by itself. */
static SSL_TICKET_RETURN on_opened(SSL *ssl, SSL_SESSION *session, const unsigned char *name,
                                   size_t len, SSL_TICKET_STATUS status, void *user)
{
    (void)ssl, (void)name, (void)len, (void)user;
    if ((status != SSL_TICKET_SUCCESS && status != SSL_TICKET_SUCCESS_RENEW) || has_ended(session))
        return SSL_TICKET_RETURN_IGNORE_RENEW;
    return status == SSL_TICKET_SUCCESS ? SSL_TICKET_RETURN_USE : SSL_TICKET_RETURN_USE_RENEW;
}

void tls_resume_serve(struct tls_resume *t, SSL_CTX *ctx)
{
    pthread_once(&app_once, make_index);
    if (SSL_CTX_set_ex_data(ctx, app_index, t) != 1)
        abort();
    SSL_CTX_set_tlsext_ticket_key_evp_cb(ctx, on_session);
    SSL_CTX_set_session_ticket_cb(ctx, NULL, on_opened, NULL);
    SSL_CTX_set_timeout(ctx, TLS_RESUME_LIFE_S);
}
