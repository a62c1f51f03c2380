/* SPDX-License-Identifier: MIT */
/* tls_gcm_load.c - decides once whether the ciphers of tls_gcm.c are used, and by whom. */
#include "h2mux/io/tls_gcm_int.h"

#include <stddef.h>
#include <string.h>

#ifndef HAVE_IPSEC_MB

void tls_gcm_forbid(void)
{
}

struct ossl_lib_ctx_st *tls_gcm_library(void)
{
    return NULL;
}

const char *tls_gcm_properties(void)
{
    return NULL;
}

const char *tls_gcm_name(void)
{
    return "OpenSSL";
}

#else

#include <cpuid.h>
#include <intel-ipsec-mb.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/provider.h>
#include <pthread.h>
#include <stdatomic.h>

enum { NONCE = 12, TAG = 16, AAD = 5, TEXT = 1000 };

static _Atomic bool forbidden;
static OSSL_LIB_CTX *library; /* NULL: the ciphers are not used */
static OSSL_PROVIDER *own, *usual;

void tls_gcm_forbid(void)
{
    forbidden = true;
}

/* Returns whether the system saves the registers of AVX-512 when it switches threads: the processor
 * says so by XGETBV (Intel SDM 1, 13.3). Without that the instructions trap, or lose data. */
static bool system_saves_registers(void)
{
    enum { WANTED = 0xe6 /* SSE, AVX, opmask, upper halves of ZMM0-15, ZMM16-31 */ };
    unsigned a, b, c, d, low, high;
    if (!__get_cpuid(1, &a, &b, &c, &d) || (c & bit_OSXSAVE) == 0)
        return false;
    __asm__ volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
    return (low & WANTED) == WANTED;
}

/* Encrypts or decrypts a known text by @cipher. Returns whether it worked; when decrypting, whether
 * @tag was the right one. */
static bool crypt(const EVP_CIPHER *cipher, bool encrypts, const unsigned char in[static TEXT],
                  unsigned char out[static TEXT], unsigned char tag[static TAG])
{
    static const unsigned char key[32] = "a key that everybody may know...";
    static const unsigned char nonce[NONCE] = "not a secret", aad[AAD] = "head.";
    EVP_CIPHER_CTX *x = EVP_CIPHER_CTX_new();
    unsigned char end[TAG];
    int n = 0;
    bool ok = x && EVP_CipherInit_ex(x, cipher, NULL, key, nonce, encrypts) == 1;
    if (ok && !encrypts)
        ok = EVP_CIPHER_CTX_ctrl(x, EVP_CTRL_AEAD_SET_TAG, TAG, tag) == 1;
    ok = ok && EVP_CipherUpdate(x, NULL, &n, aad, AAD) == 1 &&
         EVP_CipherUpdate(x, out, &n, in, TEXT) == 1 && n == TEXT &&
         EVP_CipherFinal_ex(x, end, &n) == 1;
    if (ok && encrypts)
        ok = EVP_CIPHER_CTX_ctrl(x, EVP_CTRL_AEAD_GET_TAG, TAG, tag) == 1;
    EVP_CIPHER_CTX_free(x);
    return ok;
}

static bool is_like(const EVP_CIPHER *ours, const EVP_CIPHER *theirs)
{
    unsigned char text[TEXT], a[TEXT], b[TEXT], back[TEXT], tag_a[TAG], tag_b[TAG];
    for (size_t i = 0; i < TEXT; i++)
        text[i] = (unsigned char)(i * 7);
    if (!crypt(ours, true, text, a, tag_a) || !crypt(theirs, true, text, b, tag_b) ||
        memcmp(a, b, TEXT) != 0 || memcmp(tag_a, tag_b, TAG) != 0)
        return false;
    if (!crypt(ours, false, a, back, tag_a) || memcmp(back, text, TEXT) != 0)
        return false;
    tag_a[TAG - 1] ^= 1;
    return !crypt(ours, false, a, back, tag_a);
}

/* Returns whether the cipher @name of the provider gives what OpenSSL's gives. */
static bool answers_as_known(OSSL_LIB_CTX *in, const char *name)
{
    EVP_CIPHER *ours = EVP_CIPHER_fetch(in, name, TLS_GCM_QUERY),
               *theirs = EVP_CIPHER_fetch(in, name, "provider=default");
    bool ok = ours && theirs && is_like(ours, theirs);
    EVP_CIPHER_free(ours);
    EVP_CIPHER_free(theirs);
    return ok;
}

static void unload(void)
{
    OSSL_PROVIDER_unload(own);
    OSSL_PROVIDER_unload(usual);
    OSSL_LIB_CTX_free(library);
}

static bool load(OSSL_LIB_CTX *in)
{
    if (!OSSL_PROVIDER_add_builtin(in, TLS_GCM_PROVIDER, tls_gcm_provider_init))
        return false;
    usual = OSSL_PROVIDER_load(in, "default");
    own = OSSL_PROVIDER_load(in, TLS_GCM_PROVIDER);
    return own && usual && answers_as_known(in, "AES-128-GCM") &&
           answers_as_known(in, "AES-256-GCM");
}

static void set_up(void)
{
    if (forbidden || !system_saves_registers() || !tls_gcm_find_functions())
        return;
    library = OSSL_LIB_CTX_new();
    if (library && load(library)) {
        OPENSSL_atexit(unload);
        return;
    }
    unload();
    library = NULL;
}

struct ossl_lib_ctx_st *tls_gcm_library(void)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, set_up);
    return library;
}

const char *tls_gcm_properties(void)
{
    return tls_gcm_library() ? "?" TLS_GCM_QUERY : NULL;
}

const char *tls_gcm_name(void)
{
    static char name[64];
    static const char made[] = "ipsec-mb ";
    if (!tls_gcm_library())
        return "OpenSSL";
    memcpy(name, made, sizeof made);
    strncat(name, imb_get_version_str(), sizeof name - sizeof made);
    return name;
}

#endif
