/* SPDX-License-Identifier: MIT */
/* tls_gcm.c - implements an OpenSSL provider of two ciphers, AES-128-GCM and AES-256-GCM, over
 * ipsec-mb.
 *
 * The provider serves TLS 1.3: each record has a nonce of 12 bytes, its head as additional data,
 * and a tag of 16 bytes. In TLS 1.2 the cipher itself makes the nonces; a connection with TLS 1.2
 * is handed to OpenSSL's own cipher (`old`). */
#include "h2mux/io/tls_gcm_int.h"

#include <stddef.h>

#ifdef HAVE_IPSEC_MB

#include <intel-ipsec-mb.h>
#include <openssl/core_dispatch.h>
#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/provider.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

enum { NONCE = 12, TAG = 16, KEY_MAX = 32, AAD_MAX = 16 /* a record's head has 5 */ };
enum { NEEDED = IMB_FEATURE_AVX512_SKX | IMB_FEATURE_VAES | IMB_FEATURE_VPCLMULQDQ };

/* The functions of ipsec-mb for one key size. In each pair the first function decrypts and the
 * second encrypts. */
struct aes {
    size_t key_len;
    const char *own_name; /* OpenSSL's */
    aes_gcm_pre_t expand;
    aes_gcm_init_t begin;
    aes_gcm_enc_dec_update_t update[2];
    aes_gcm_enc_dec_finalize_t finish[2];
};

static struct aes aes128 = {.key_len = 16, .own_name = "AES-128-GCM"};
static struct aes aes256 = {.key_len = 32, .own_name = "AES-256-GCM"};

/* One direction of a connection. */
struct cipher {
    struct gcm_key_data key; /* first: it is aligned */
    struct gcm_context_data state;
    const struct aes *aes;
    EVP_CIPHER_CTX *old; /* owned; NULL: not TLS 1.2 */
    int old_pad;         /* TLS 1.2: number of bytes by which a record grows */
    unsigned char raw_key[KEY_MAX], nonce[NONCE], aad[AAD_MAX], tag[TAG];
    size_t aad_len;
    bool encrypts, has_key, has_nonce, begun, has_tag;
};

static void *cipher_new(const struct aes *aes)
{
    struct cipher *c = aligned_alloc(_Alignof(struct cipher), sizeof *c);
    if (!c)
        return NULL;
    memset(c, 0, sizeof *c);
    c->aes = aes;
    return c;
}

static void *new_128(void *provider)
{
    return cipher_new(&aes128);
}

static void *new_256(void *provider)
{
    return cipher_new(&aes256);
}

static void cipher_free(void *of)
{
    struct cipher *c = of;
    if (!c)
        return;
    EVP_CIPHER_CTX_free(c->old);
    OPENSSL_cleanse(c, sizeof *c);
    free(c);
}

/* ---- parameters */

/* Writes the parameters of a cipher that are the same for all contexts (lengths of key and nonce,
 * mode, flags) to @params. Returns 1, or 0 if OpenSSL refuses a value. */
static int describe(OSSL_PARAM params[], const struct aes *aes)
{
    const struct {
        const char *key;
        size_t value;
    } known[] = {
        {OSSL_CIPHER_PARAM_KEYLEN, aes->key_len},
        {OSSL_CIPHER_PARAM_IVLEN, NONCE},
        {OSSL_CIPHER_PARAM_MODE, EVP_CIPH_GCM_MODE},
        {OSSL_CIPHER_PARAM_BLOCK_SIZE, 1},
        {OSSL_CIPHER_PARAM_AEAD, 1},
        {OSSL_CIPHER_PARAM_CUSTOM_IV, 1},
    };
    for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
        OSSL_PARAM *p = OSSL_PARAM_locate(params, known[i].key);
        if (p && !(p->data_type == OSSL_PARAM_INTEGER ? OSSL_PARAM_set_int(p, (int)known[i].value)
                                                      : OSSL_PARAM_set_size_t(p, known[i].value)))
            return 0;
    }
    return 1;
}

static int describe_128(OSSL_PARAM params[])
{
    return describe(params, &aes128);
}

static int describe_256(OSSL_PARAM params[])
{
    return describe(params, &aes256);
}

static bool is(const OSSL_PARAM *p, const char *key)
{
    return strcmp(p->key, key) == 0;
}

static int tell_tag(const struct cipher *c, OSSL_PARAM *p)
{
    return c->encrypts && c->has_tag && p->data_size == TAG &&
           OSSL_PARAM_set_octet_string(p, c->tag, TAG);
}

static int get_ctx_params(void *of, OSSL_PARAM params[])
{
    const struct cipher *c = of;
    int ok = 1;
    for (OSSL_PARAM *p = params; ok && p->key; p++) {
        if (is(p, OSSL_CIPHER_PARAM_IVLEN))
            ok = OSSL_PARAM_set_size_t(p, NONCE);
        else if (is(p, OSSL_CIPHER_PARAM_AEAD_TAG))
            ok = tell_tag(c, p);
        else if (is(p, OSSL_CIPHER_PARAM_KEYLEN))
            ok = OSSL_PARAM_set_size_t(p, c->aes->key_len);
        else if (is(p, OSSL_CIPHER_PARAM_AEAD_TAGLEN))
            ok = OSSL_PARAM_set_size_t(p, TAG);
        else if (is(p, OSSL_CIPHER_PARAM_AEAD_TLS1_AAD_PAD))
            ok = OSSL_PARAM_set_size_t(p, (size_t)c->old_pad);
    }
    return ok;
}

/* Switches to OpenSSL's own cipher, because OpenSSL has set the fixed part of a TLS 1.2 nonce (RFC
 * 5288 3). Returns 1, or 0 if OpenSSL fails. */
static int become_old(struct cipher *c, const OSSL_PARAM *fixed)
{
    EVP_CIPHER *own = EVP_CIPHER_fetch(NULL, c->aes->own_name, "provider!=" TLS_GCM_PROVIDER);
    EVP_CIPHER_CTX_free(c->old);
    c->old = EVP_CIPHER_CTX_new();
    bool ok = c->has_key && own && c->old &&
              EVP_CipherInit_ex(c->old, own, NULL, c->raw_key, NULL, c->encrypts) > 0 &&
              EVP_CIPHER_CTX_ctrl(c->old, EVP_CTRL_GCM_SET_IV_FIXED, (int)fixed->data_size,
                                  fixed->data) > 0;
    EVP_CIPHER_free(own);
    return ok;
}

static int old_record(struct cipher *c, const OSSL_PARAM *aad)
{
    if (!c->old)
        return 0;
    c->old_pad =
        EVP_CIPHER_CTX_ctrl(c->old, EVP_CTRL_AEAD_TLS1_AAD, (int)aad->data_size, aad->data);
    return c->old_pad > 0;
}

static int take_tag(struct cipher *c, const OSSL_PARAM *p)
{
    if (p->data_size != TAG)
        return 0;
    if (!p->data) /* only the length is set */
        return 1;
    if (c->encrypts)
        return 0;
    memcpy(c->tag, p->data, TAG);
    c->has_tag = true;
    return 1;
}

static int takes_size(const OSSL_PARAM *p, size_t only)
{
    size_t size = 0;
    return OSSL_PARAM_get_size_t(p, &size) && size == only;
}

static int set_ctx_params(void *of, const OSSL_PARAM params[])
{
    struct cipher *c = of;
    int ok = 1;
    for (const OSSL_PARAM *p = params; p && ok && p->key; p++) {
        if (is(p, OSSL_CIPHER_PARAM_AEAD_TAG))
            ok = take_tag(c, p);
        else if (is(p, OSSL_CIPHER_PARAM_AEAD_IVLEN))
            ok = takes_size(p, NONCE);
        else if (is(p, OSSL_CIPHER_PARAM_KEYLEN))
            ok = takes_size(p, c->aes->key_len);
        else if (is(p, OSSL_CIPHER_PARAM_AEAD_TLS1_IV_FIXED))
            ok = become_old(c, p);
        else if (is(p, OSSL_CIPHER_PARAM_AEAD_TLS1_AAD))
            ok = old_record(c, p);
    }
    return ok;
}

static const OSSL_PARAM *gettable(void *of, void *provider)
{
    static const OSSL_PARAM known[] = {
        OSSL_PARAM_size_t(OSSL_CIPHER_PARAM_KEYLEN, NULL),
        OSSL_PARAM_size_t(OSSL_CIPHER_PARAM_IVLEN, NULL),
        OSSL_PARAM_size_t(OSSL_CIPHER_PARAM_AEAD_TAGLEN, NULL),
        OSSL_PARAM_octet_string(OSSL_CIPHER_PARAM_AEAD_TAG, NULL, 0),
        OSSL_PARAM_size_t(OSSL_CIPHER_PARAM_AEAD_TLS1_AAD_PAD, NULL),
        OSSL_PARAM_END,
    };
    return known;
}

static const OSSL_PARAM *settable(void *of, void *provider)
{
    static const OSSL_PARAM known[] = {
        OSSL_PARAM_size_t(OSSL_CIPHER_PARAM_KEYLEN, NULL),
        OSSL_PARAM_size_t(OSSL_CIPHER_PARAM_AEAD_IVLEN, NULL),
        OSSL_PARAM_octet_string(OSSL_CIPHER_PARAM_AEAD_TAG, NULL, 0),
        OSSL_PARAM_octet_string(OSSL_CIPHER_PARAM_AEAD_TLS1_AAD, NULL, 0),
        OSSL_PARAM_octet_string(OSSL_CIPHER_PARAM_AEAD_TLS1_IV_FIXED, NULL, 0),
        OSSL_PARAM_END,
    };
    return known;
}

/* ---- a record */

static int set_key(struct cipher *c, const unsigned char *key, size_t len)
{
    if (len != c->aes->key_len)
        return 0;
    memcpy(c->raw_key, key, len);
    c->aes->expand(key, &c->key);
    EVP_CIPHER_CTX_free(c->old);
    c->old = NULL;
    c->has_key = true;
    c->has_nonce = false;
    return 1;
}

static int set_nonce(struct cipher *c, const unsigned char *nonce, size_t len)
{
    if (len != NONCE)
        return 0;
    memcpy(c->nonce, nonce, len);
    c->has_nonce = true;
    c->begun = c->has_tag = false;
    c->aad_len = 0;
    return 1;
}

static int init(struct cipher *c, bool encrypts, const unsigned char *key, size_t key_len,
                const unsigned char *nonce, size_t nonce_len, const OSSL_PARAM params[])
{
    c->encrypts = encrypts;
    return (!key || set_key(c, key, key_len)) && (!nonce || set_nonce(c, nonce, nonce_len)) &&
           set_ctx_params(c, params);
}

static int init_encrypt(void *of, const unsigned char *key, size_t key_len,
                        const unsigned char *nonce, size_t nonce_len, const OSSL_PARAM params[])
{
    return init(of, true, key, key_len, nonce, nonce_len, params);
}

static int init_decrypt(void *of, const unsigned char *key, size_t key_len,
                        const unsigned char *nonce, size_t nonce_len, const OSSL_PARAM params[])
{
    return init(of, false, key, key_len, nonce, nonce_len, params);
}

static void begin(struct cipher *c)
{
    if (!c->begun)
        c->aes->begin(&c->key, &c->state, c->nonce, c->aad, c->aad_len);
    c->begun = true;
}

static int update_old(struct cipher *c, unsigned char *out, size_t *out_len,
                      const unsigned char *in, size_t len)
{
    int n = 0;
    int ok = EVP_CipherUpdate(c->old, out, &n, in, (int)len);
    *out_len = ok > 0 && n > 0 ? (size_t)n : 0;
    return ok;
}

static int take_aad(struct cipher *c, const unsigned char *in, size_t len)
{
    if (c->begun || len > AAD_MAX - c->aad_len)
        return 0;
    memcpy(c->aad + c->aad_len, in, len);
    c->aad_len += len;
    return 1;
}

static int update(void *of, unsigned char *out, size_t *out_len, size_t cap,
                  const unsigned char *in, size_t len)
{
    struct cipher *c = of;
    if (c->old)
        return update_old(c, out, out_len, in, len);
    if (!c->has_key || !c->has_nonce)
        return 0;
    *out_len = len;
    if (!out)
        return take_aad(c, in, len);
    if (cap < len)
        return 0;
    begin(c);
    if (len > 0)
        c->aes->update[c->encrypts](&c->key, &c->state, out, in, len);
    return 1;
}

/* Ends a record: makes the tag when encrypting, checks the tag when decrypting. Returns 1, or 0 if
 * the tag is wrong, or if the key or the nonce is missing. The next record needs another nonce. */
static int final(void *of, unsigned char *out, size_t *out_len, size_t cap)
{
    struct cipher *c = of;
    unsigned char tag[TAG];
    *out_len = 0;
    if (c->old || !c->has_key || !c->has_nonce)
        return 0;
    begin(c);
    c->aes->finish[c->encrypts](&c->key, &c->state, tag, TAG);
    c->has_nonce = false;
    if (!c->encrypts)
        return c->has_tag && CRYPTO_memcmp(tag, c->tag, TAG) == 0;
    memcpy(c->tag, tag, TAG);
    c->has_tag = true;
    return 1;
}

/* ---- the provider */

#define CIPHER_FUNCTIONS(bits)                                                                     \
    {                                                                                              \
        {OSSL_FUNC_CIPHER_NEWCTX, (void (*)(void))new_##bits},                                     \
            {OSSL_FUNC_CIPHER_FREECTX, (void (*)(void))cipher_free},                               \
            {OSSL_FUNC_CIPHER_ENCRYPT_INIT, (void (*)(void))init_encrypt},                         \
            {OSSL_FUNC_CIPHER_DECRYPT_INIT, (void (*)(void))init_decrypt},                         \
            {OSSL_FUNC_CIPHER_UPDATE, (void (*)(void))update},                                     \
            {OSSL_FUNC_CIPHER_FINAL, (void (*)(void)) final},                                      \
            {OSSL_FUNC_CIPHER_GET_PARAMS, (void (*)(void))describe_##bits},                        \
            {OSSL_FUNC_CIPHER_GET_CTX_PARAMS, (void (*)(void))get_ctx_params},                     \
            {OSSL_FUNC_CIPHER_SET_CTX_PARAMS, (void (*)(void))set_ctx_params},                     \
            {OSSL_FUNC_CIPHER_GETTABLE_CTX_PARAMS, (void (*)(void))gettable},                      \
            {OSSL_FUNC_CIPHER_SETTABLE_CTX_PARAMS, (void (*)(void))settable},                      \
        {                                                                                          \
            0, NULL                                                                                \
        }                                                                                          \
    }

static const OSSL_DISPATCH functions_128[] = CIPHER_FUNCTIONS(128);
static const OSSL_DISPATCH functions_256[] = CIPHER_FUNCTIONS(256);

/* These ciphers have the names of OpenSSL's own ciphers. */
static const OSSL_ALGORITHM ciphers[] = {
    {"AES-128-GCM:id-aes128-GCM:2.16.840.1.101.3.4.1.6", TLS_GCM_QUERY, functions_128, NULL},
    {"AES-256-GCM:id-aes256-GCM:2.16.840.1.101.3.4.1.46", TLS_GCM_QUERY, functions_256, NULL},
    {NULL, NULL, NULL, NULL},
};

static const OSSL_ALGORITHM *query(void *provider, int operation, int *no_cache)
{
    *no_cache = 0;
    return operation == OSSL_OP_CIPHER ? ciphers : NULL;
}

int tls_gcm_provider_init(const OSSL_CORE_HANDLE *handle, const OSSL_DISPATCH *in,
                          const OSSL_DISPATCH **out, void **provider)
{
    static const OSSL_DISPATCH functions[] = {
        {OSSL_FUNC_PROVIDER_QUERY_OPERATION, (void (*)(void))query},
        {0, NULL},
    };
    *out = functions;
    *provider = &aes128; /* unused, but NULL would mean failure */
    return 1;
}

/* The functions come from a manager, which is freed again because they work without it. */
bool tls_gcm_find_functions(void)
{
    IMB_MGR *m = alloc_mb_mgr(0);
    if (!m)
        return false;
    init_mb_mgr_auto(m, NULL);
    bool able = imb_get_errno(m) == 0 && (m->features & NEEDED) == NEEDED;
    aes128.expand = m->gcm128_pre;
    aes128.begin = m->gcm128_init;
    aes128.update[0] = m->gcm128_dec_update;
    aes128.update[1] = m->gcm128_enc_update;
    aes128.finish[0] = m->gcm128_dec_finalize;
    aes128.finish[1] = m->gcm128_enc_finalize;
    aes256.expand = m->gcm256_pre;
    aes256.begin = m->gcm256_init;
    aes256.update[0] = m->gcm256_dec_update;
    aes256.update[1] = m->gcm256_enc_update;
    aes256.finish[0] = m->gcm256_dec_finalize;
    aes256.finish[1] = m->gcm256_enc_finalize;
    free_mb_mgr(m);
    return able;
}

#endif
