/* SPDX-License-Identifier: MIT */
/* tls.c - sets up OpenSSL contexts of both sides and puts OpenSSL's errors into words. */
#include "h2mux/io/tls.h"

#include <arpa/inet.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "h2mux/base/clock.h"
#include "h2mux/base/err.h"
#include "h2mux/io/anchors.h"
#include "h2mux/io/tls_clients.h"
#include "h2mux/io/tls_gcm.h"
#include "h2mux/io/tls_resume.h"

struct tls {
    pthread_mutex_t lock;        /* guards `certs`, which a reload exchanges */
    SSL_CTX *ctx;                /* owned: of a client; each connection has its own reference */
    struct tls_certs *certs;     /* owned: of a server */
    struct tls_resume *resume;   /* owned: of a server, the same for all its contexts */
    struct tls_clients *clients; /* owned: of a server; NULL: nobody is asked */
    bool insecure;

    /* Of tls_client_options.resumes. */
    bool resumes;
    char *host;           /* owned: the one whose sessions are resumed; NULL: none yet */
    SSL_SESSION *session; /* owned: the newest of that host; NULL: none yet */
};

/* Links are HTTP/1.1 in ALPN on both sides: a client that dials an attach URL sends an
 * HTTP/1.1 request first, and HTTP/2 begins after the 101 (protocol.md#attach). If the client
 * offered h2, nginx would answer in HTTP/2. */
static const unsigned char alpn_http11[] = "\x08http/1.1";
/* A client that shares a service which speaks HTTP/2 offers that alone there. */
static const unsigned char alpn_h2[] = "\x02h2";
/* A server prefers HTTP/2 (rule E1), and also serves viewers who say that they speak HTTP/1.0 (rule
 * Q40). */
static const unsigned char alpn_served[] = "\x02h2\x08http/1.1\x08http/1.0";

/* These are OpenSSL's default cipher suites with AES-128 first. AES-128 takes a tenth less CPU time
 * than AES-256, and browsers prefer AES-128, too. */
static const char ciphersuites[] =
    "TLS_AES_128_GCM_SHA256:TLS_AES_256_GCM_SHA384:TLS_CHACHA20_POLY1305_SHA256";

/* TLS 1.2 has forward secrecy (ECDHE) and authenticated encryption, or it is not spoken (RFC 9325
 * 4.2). */
static const char ciphers_1_2[] =
    "ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-RSA-AES128-GCM-SHA256:ECDHE-ECDSA-AES256-GCM-SHA384:"
    "ECDHE-RSA-AES256-GCM-SHA384:ECDHE-ECDSA-CHACHA20-POLY1305:ECDHE-RSA-CHACHA20-POLY1305";

enum { HOST_MAX = 512 };

enum { HOST_FLAGS = X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS | X509_CHECK_FLAG_NEVER_CHECK_SUBJECT };

void tls_reason(char reason[static TLS_REASON_MAX])
{
    unsigned long code = ERR_peek_last_error();
    const char *text = code ? ERR_reason_error_string(code) : NULL;
    snprintf(reason, TLS_REASON_MAX, "%s", text ? text : "unknown TLS error");
    ERR_clear_error();
}

static void file_reason(char reason[static TLS_REASON_MAX], const char *what, const char *file)
{
    /* The oldest error in the queue is the cause of the others. */
    unsigned long first = ERR_peek_error();
    const char *why =
        ERR_GET_LIB(first) == ERR_LIB_SYS ? strerror(ERR_GET_REASON(first))
        : ERR_GET_LIB(first) == ERR_LIB_PEM || ERR_GET_LIB(first) == ERR_LIB_OSSL_DECODER
            ? "it holds no such thing in PEM form, or needs a passphrase"
            : ERR_reason_error_string(first);
    snprintf(reason, TLS_REASON_MAX, "cannot use %s %.100s: %.100s", what, file,
             why ? why : "unknown error");
    ERR_clear_error();
}

/* Refuses a key that needs a passphrase, because a daemon cannot ask for one. */
static int no_passphrase(char *to, int cap, int writing, void *user)
{
    return -1;
}

/* Makes a context without renegotiation, compression and early data. With early data an attacker
 * could send an attach request a second time. */
static SSL_CTX *context_new(const SSL_METHOD *method)
{
    SSL_CTX *ctx = SSL_CTX_new_ex(tls_gcm_library(), tls_gcm_properties(), method);
    if (!ctx)
        abort();
    SSL_CTX_set_min_proto_version(ctx, TLS1_2_VERSION);
    if (SSL_CTX_set_ciphersuites(ctx, ciphersuites) != 1 ||
        SSL_CTX_set_cipher_list(ctx, ciphers_1_2) != 1)
        abort();
    SSL_CTX_set_options(ctx, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION |
                                 SSL_OP_CIPHER_SERVER_PREFERENCE);
    SSL_CTX_set_mode(ctx, SSL_MODE_RELEASE_BUFFERS | SSL_MODE_ENABLE_PARTIAL_WRITE |
                              SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
    SSL_CTX_set_max_early_data(ctx, 0);
    SSL_CTX_set_default_passwd_cb(ctx, no_passphrase);
    return ctx;
}

static int load_pair(SSL_CTX *ctx, const char *cert_file, const char *key_file,
                     char reason[static TLS_REASON_MAX])
{
    ERR_clear_error();
    if (SSL_CTX_use_certificate_chain_file(ctx, cert_file) != 1) {
        file_reason(reason, "certificate", cert_file);
        return -1;
    }
    if (SSL_CTX_use_PrivateKey_file(ctx, key_file, SSL_FILETYPE_PEM) != 1) {
        file_reason(reason, "key", key_file);
        return -1;
    }
    return 0;
}

static int on_alpn(SSL *ssl, const unsigned char **out, unsigned char *out_len,
                   const unsigned char *in, unsigned in_len, void *arg)
{
    unsigned char *chosen;
    if (SSL_select_next_proto(&chosen, out_len, alpn_served, sizeof alpn_served - 1, in, in_len) !=
        OPENSSL_NPN_NEGOTIATED)
        return SSL_TLSEXT_ERR_ALERT_FATAL; /* RFC 7301 3.2: no_application_protocol */
    *out = chosen;
    return SSL_TLSEXT_ERR_OK;
}

static struct tls *tls_wrap(SSL_CTX *ctx)
{
    struct tls *t = xcalloc(1, sizeof *t);
    pthread_mutex_init(&t->lock, NULL);
    t->ctx = ctx;
    return t;
}

static SSL_CTX *server_context(struct tls_pair *p, struct tls_resume *resume)
{
    SSL_CTX *ctx = context_new(TLS_server_method());
    p->reason[0] = '\0';
    if (load_pair(ctx, p->cert_file, p->key_file, p->reason) < 0) {
        SSL_CTX_free(ctx);
        return NULL;
    }
    SSL_CTX_set_alpn_select_cb(ctx, on_alpn, NULL);
    SSL_CTX_set_session_id_context(ctx, (const unsigned char *)"oneport", 7);
    tls_resume_serve(resume, ctx);
    return ctx;
}

/* Makes the contexts of @pairs. One that cannot be made is taken from @old, which may be NULL. */
static struct tls_certs *make_certs(struct tls_pair *pairs, size_t n, struct tls_resume *resume,
                                    const struct tls_certs *old)
{
    struct tls_certs *certs = tls_certs_new();
    for (size_t i = 0; i < n; i++) {
        SSL_CTX *ctx = server_context(&pairs[i], resume);
        if (!ctx && old && (ctx = tls_certs_of_file(old, pairs[i].cert_file)))
            SSL_CTX_up_ref(ctx);
        if (ctx)
            tls_certs_add(certs, ctx, pairs[i].cert_file, pairs[i].key_file);
    }
    return certs;
}

struct tls *tls_server_new(struct tls_pair *pairs, size_t n)
{
    struct tls *t = tls_wrap(NULL);
    t->resume = tls_resume_new(clock_now_us());
    t->certs = make_certs(pairs, n, t->resume, NULL);
    return t;
}

/* Only this function changes `certs`, on one thread at a time, so it reads them without the lock.
 */
void tls_server_reload(struct tls *t, struct tls_pair *pairs, size_t n)
{
    struct tls_certs *old = t->certs, *now = make_certs(pairs, n, t->resume, old);
    pthread_mutex_lock(&t->lock);
    t->certs = now;
    pthread_mutex_unlock(&t->lock);
    tls_certs_free(old); /* a context is freed after its last connection */
}

int tls_server_ask(struct tls *t, const char *ca_file, struct slice name,
                   char reason[static TLS_REASON_MAX])
{
    t->clients = tls_clients_new(ca_file, name, reason, TLS_REASON_MAX);
    return t->clients ? 0 : ERR_SYNTAX;
}

bool tls_server_ready(struct tls *t)
{
    pthread_mutex_lock(&t->lock);
    bool ready = tls_certs_find(t->certs, SLICE(""));
    pthread_mutex_unlock(&t->lock);
    return ready;
}

bool tls_server_covers(struct tls *t, struct slice name)
{
    pthread_mutex_lock(&t->lock);
    bool covers = tls_certs_cover(t->certs, name);
    pthread_mutex_unlock(&t->lock);
    return covers;
}

void tls_server_each(struct tls *t, void (*visit)(const struct tls_certificate *one, void *user),
                     void *user)
{
    pthread_mutex_lock(&t->lock);
    tls_certs_each(t->certs, visit, user);
    pthread_mutex_unlock(&t->lock);
}

bool tls_key_exposed(const char *key_file)
{
    struct stat st;
    return stat(key_file, &st) == 0 && (st.st_mode & S_IROTH) != 0;
}

static int load_system_trust(SSL_CTX *ctx)
{
    char where[TLS_REASON_MAX];
    const char *file = anchors_find(where, sizeof where);
    return file ? SSL_CTX_load_verify_locations(ctx, file, NULL)
                : SSL_CTX_set_default_verify_paths(ctx);
}

static int load_trust(SSL_CTX *ctx, const struct tls_client_options *o,
                      char reason[static TLS_REASON_MAX])
{
    if ((!o->ca_file || o->ca_beside) && load_system_trust(ctx) != 1) {
        file_reason(reason, "the system's", "CA certificates");
        return -1;
    }
    if (!o->ca_file || SSL_CTX_load_verify_locations(ctx, o->ca_file, NULL) == 1)
        return 0;
    file_reason(reason, "CA file", o->ca_file);
    return -1;
}

/* Lowers what is spoken to what appliances of fifteen years ago have: TLS 1.0, every cipher that
 * encrypts, keys and hashes of any strength, and no secure renegotiation (RFC 5746). Renegotiation
 * itself stays forbidden. */
static void speak_old(SSL_CTX *ctx)
{
    SSL_CTX_set_min_proto_version(ctx, TLS1_VERSION);
    SSL_CTX_set_security_level(ctx, 0);
    SSL_CTX_set_options(ctx, SSL_OP_LEGACY_SERVER_CONNECT);
    if (SSL_CTX_set_cipher_list(ctx, "DEFAULT:@SECLEVEL=0") != 1)
        abort();
}

static void keep_session(struct tls *t, SSL_SESSION *session)
{
    pthread_mutex_lock(&t->lock);
    SSL_SESSION_free(t->session);
    t->session = session;
    pthread_mutex_unlock(&t->lock);
}

/* A connection never has the session that is kept, but a copy: OpenSSL marks the session of one
 * that ends without close_notify as a session that cannot be resumed. */
static int on_session(SSL *ssl, SSL_SESSION *session)
{
    struct tls *t = SSL_get_app_data(ssl);
    SSL_SESSION *copy = t ? SSL_SESSION_dup(session) : NULL;
    if (copy)
        keep_session(t, copy);
    return 0;
}

/* Lets @ssl resume the newest session of @host, and give the next one. Only the first host of a
 * context has sessions: one of another host would vouch for the wrong certificate. */
static void resume(struct tls *t, SSL *ssl, const char *host)
{
    pthread_mutex_lock(&t->lock);
    if (!t->host)
        t->host = xstrdup(host);
    if (strcmp(t->host, host) == 0) {
        SSL_set_app_data(ssl, t);
        SSL_SESSION *copy = t->session ? SSL_SESSION_dup(t->session) : NULL;
        if (copy)
            SSL_set_session(ssl, copy);
        SSL_SESSION_free(copy);
    }
    pthread_mutex_unlock(&t->lock);
}

void tls_forget_session(SSL *ssl)
{
    struct tls *t = SSL_get_app_data(ssl);
    if (t)
        keep_session(t, NULL);
}

struct tls *tls_client_new(const struct tls_client_options *o, char reason[static TLS_REASON_MAX])
{
    SSL_CTX *ctx = context_new(TLS_client_method());
    if (o->old)
        speak_old(ctx);
    ERR_clear_error();
    if (!o->insecure && load_trust(ctx, o, reason) < 0)
        goto fail;
    if (o->cert_file &&
        load_pair(ctx, o->cert_file, o->key_file ? o->key_file : o->cert_file, reason) < 0)
        goto fail;
    SSL_CTX_set_verify(ctx, o->insecure ? SSL_VERIFY_NONE : SSL_VERIFY_PEER, NULL);
    if (o->h2)
        SSL_CTX_set_alpn_protos(ctx, alpn_h2, sizeof alpn_h2 - 1);
    else
        SSL_CTX_set_alpn_protos(ctx, alpn_http11, sizeof alpn_http11 - 1);
    struct tls *t = tls_wrap(ctx);
    t->insecure = o->insecure;
    t->resumes = o->resumes;
    if (o->resumes) {
        SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL);
        SSL_CTX_sess_set_new_cb(ctx, on_session);
    }
    return t;
fail:
    SSL_CTX_free(ctx);
    return NULL;
}

void tls_free(struct tls *t)
{
    if (!t)
        return;
    SSL_CTX_free(t->ctx);
    tls_certs_free(t->certs);
    SSL_SESSION_free(t->session);
    free(t->host);
    tls_resume_free(t->resume);
    tls_clients_free(t->clients);
    pthread_mutex_destroy(&t->lock);
    free(t);
}

/* Makes the SSL object of a connection, which holds its context from then on. */
static SSL *ssl_new(SSL_CTX *ctx)
{
    SSL *ssl = SSL_new(ctx);
    if (!ssl)
        abort();
    return ssl;
}

SSL *tls_ssl_server(struct tls *t, struct slice name)
{
    pthread_mutex_lock(&t->lock);
    SSL_CTX *ctx = tls_certs_find(t->certs, name);
    if (ctx)
        SSL_CTX_up_ref(ctx);
    pthread_mutex_unlock(&t->lock);
    if (!ctx)
        return NULL;
    SSL *ssl = ssl_new(ctx);
    SSL_CTX_free(ctx);
    SSL_set_accept_state(ssl);
    if (t->clients)
        tls_clients_ask(t->clients, ssl, name);
    return ssl;
}

/* Writes @host to @name, with a zero byte: without the dot at the end of a name, which is no part
 * of it in TLS (RFC 6066 3), and without the zone of an address ("fe80::1%eth0"). */
static void write_name(const char *host, char name[static HOST_MAX])
{
    size_t len = strcspn(host, "%");
    if (len > 1 && host[len - 1] == '.')
        len--;
    snprintf(name, HOST_MAX, "%.*s", (int)len, host);
}

/* Makes a client's SSL object. If @host is an address, the certificate must have this address, and
 * no SNI is sent (RFC 6066 3). */
SSL *tls_ssl_client(struct tls *t, const char *given)
{
    char host[HOST_MAX];
    write_name(given, host);
    if (host[0] == '\0')
        return NULL;
    SSL *ssl = ssl_new(t->ctx);
    unsigned char address[16];
    bool numeric =
        inet_pton(AF_INET, host, address) == 1 || inet_pton(AF_INET6, host, address) == 1;
    if (!numeric)
        SSL_ctrl(ssl, SSL_CTRL_SET_TLSEXT_HOSTNAME, TLSEXT_NAMETYPE_host_name, host);
    if (!t->insecure) {
        X509_VERIFY_PARAM *param = SSL_get0_param(ssl);
        X509_VERIFY_PARAM_set_hostflags(param, HOST_FLAGS);
        if (numeric)
            X509_VERIFY_PARAM_set1_ip_asc(param, host);
        else
            X509_VERIFY_PARAM_set1_host(param, host, 0);
    }
    SSL_set_connect_state(ssl);
    if (t->resumes)
        resume(t, ssl, host);
    return ssl;
}
