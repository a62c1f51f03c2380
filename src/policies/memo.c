/* SPDX-License-Identifier: MIT */
/* memo.c - a table in which each text has one place, by its hash; see memo.h. */
#include "src/policies/memo.h"

#include <stdlib.h>

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/rand.h>

#include "h2mux/base/alloc.h"

enum { PLACES = 256, HASH_LEN = 32, SEED_LEN = 32 };

struct place {
    uint8_t hash[HASH_LEN], tag[MEMO_TAG_LEN];
    int64_t until_s; /* 0: empty */
};

struct memo {
    uint8_t seed[SEED_LEN];
    EVP_MD *sha256;       /* owned; NULL: nothing is remembered */
    EVP_MD_CTX *context;  /* owned */
    struct place *places; /* owned: PLACES of them; NULL: nothing is remembered */
    int64_t until_s;      /* of the one that is remembered longest */
};

struct memo *memo_new(void)
{
    struct memo *m = xcalloc(1, sizeof *m);
    m->context = EVP_MD_CTX_new();
    if (m->context && RAND_bytes(m->seed, sizeof m->seed) == 1)
        m->sha256 = EVP_MD_fetch(NULL, "SHA256", NULL);
    return m;
}

static void forget(struct memo *m)
{
    if (m->places)
        OPENSSL_cleanse(m->places, PLACES * sizeof *m->places);
    free(m->places);
    m->places = NULL;
}

void memo_free(struct memo *m)
{
    if (!m)
        return;
    EVP_MD_free(m->sha256);
    EVP_MD_CTX_free(m->context);
    forget(m);
    OPENSSL_cleanse(m, sizeof *m);
    free(m);
}

void memo_tidy(struct memo *m, int64_t now_s)
{
    if (m->until_s <= now_s)
        forget(m);
}

size_t memo_bytes(const struct memo *m)
{
    return m->places ? PLACES * sizeof *m->places : 0;
}

/* Writes the hash of a text into @hash. Returns its place, or NULL when OpenSSL fails. */
static struct place *place_of(struct memo *m, char kind, struct slice text,
                              uint8_t hash[static HASH_LEN])
{
    bool good = m && m->sha256 && EVP_DigestInit_ex2(m->context, m->sha256, NULL) == 1 &&
                EVP_DigestUpdate(m->context, m->seed, sizeof m->seed) == 1 &&
                EVP_DigestUpdate(m->context, &kind, 1) == 1 &&
                EVP_DigestUpdate(m->context, text.ptr, text.len) == 1 &&
                EVP_DigestFinal_ex(m->context, hash, NULL) == 1;
    if (good && !m->places)
        m->places = xcalloc(PLACES, sizeof *m->places);
    return good ? &m->places[hash[0]] : NULL;
}

bool memo_find(struct memo *m, char kind, struct slice text, int64_t now_s,
               uint8_t tag[static MEMO_TAG_LEN])
{
    uint8_t hash[HASH_LEN];
    const struct place *p = place_of(m, kind, text, hash);
    if (!p || p->until_s <= now_s || CRYPTO_memcmp(p->hash, hash, HASH_LEN) != 0)
        return false;
    memcpy(tag, p->tag, MEMO_TAG_LEN);
    return true;
}

void memo_keep(struct memo *m, char kind, struct slice text, int64_t until_s, int64_t now_s,
               const uint8_t tag[static MEMO_TAG_LEN])
{
    uint8_t hash[HASH_LEN];
    struct place *p = place_of(m, kind, text, hash);
    if (!p)
        return;
    memcpy(p->hash, hash, HASH_LEN);
    memcpy(p->tag, tag, MEMO_TAG_LEN);
    p->until_s = until_s < now_s + MEMO_LIFE_S ? until_s : now_s + MEMO_LIFE_S;
    m->until_s = p->until_s > m->until_s ? p->until_s : m->until_s;
}
