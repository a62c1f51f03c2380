/* SPDX-License-Identifier: MIT */
/* password.c - see password.h. */
#include "src/policies/password.h"

#include <crypt.h>
#include <stdlib.h>

#include <openssl/crypto.h>
#include <openssl/evp.h>

#include "h2mux/base/alloc.h"

enum { TEXT_MAX = 2 * PASSWORD_MAX, BCRYPT_LEN = 60, COST_MIN = 4, COST_MAX = 12 };

/* Decodes base64 with its padding. Returns the length, or -1. */
static int decode(struct slice text, char out[static TEXT_MAX + 4])
{
    char copy[2 * TEXT_MAX];
    if (text.len == 0 || text.len % 4 != 0 || text.len > TEXT_MAX / 3 * 4)
        return -1;
    memcpy(copy, text.ptr, text.len);
    int n = EVP_DecodeBlock((unsigned char *)out, (const unsigned char *)copy, (int)text.len);
    for (size_t i = 1; n > 0 && i <= 2 && copy[text.len - i] == '='; i++)
        n--;
    OPENSSL_cleanse(copy, sizeof copy);
    return n;
}

static bool take(struct slice text, char out[static PASSWORD_MAX + 1])
{
    if (text.len > PASSWORD_MAX || slice_find(text, '\0') >= 0)
        return false;
    memcpy(out, text.ptr, text.len);
    out[text.len] = '\0';
    return true;
}

bool basic_parse(struct slice value, struct basic *out)
{
    static const struct slice scheme = {"basic ", sizeof "basic " - 1};
    char text[TEXT_MAX + 4];
    int len =
        slice_istarts(value, scheme) ? decode(slice_trim(slice_skip(value, scheme.len)), text) : -1;
    struct slice whole = slice_make(text, len > 0 ? (size_t)len : 0);
    ptrdiff_t colon = slice_find(whole, ':');
    bool good = colon > 0 && take(slice_make(text, (size_t)colon), out->user) &&
                take(slice_skip(whole, (size_t)colon + 1), out->password);
    OPENSSL_cleanse(text, sizeof text);
    return good;
}

static bool is_crypt_text(struct slice s)
{
    for (size_t i = 0; i < s.len; i++) {
        char c = s.ptr[i];
        if (!(c >= 'a' && c <= 'z') && !(c >= 'A' && c <= 'Z') && !(c >= '0' && c <= '9') &&
            c != '.' && c != '/' && c != '$')
            return false;
    }
    return true;
}

static bool is_bcrypt(struct slice hash)
{
    uint64_t cost = 0;
    bool known = slice_starts(hash, SLICE("$2b$")) || slice_starts(hash, SLICE("$2y$")) ||
                 slice_starts(hash, SLICE("$2a$"));
    return known && hash.len == BCRYPT_LEN && hash.ptr[6] == '$' &&
           slice_to_u64(slice_make(hash.ptr + 4, 2), COST_MAX, &cost) == 0 && cost >= COST_MIN;
}

/* The letter behind the first j says how much memory is used: 9 is crypt's default, 16 MiB. */
static bool is_yescrypt(struct slice hash)
{
    static const char head[] = "$y$jNT$";
    return hash.len > sizeof head + 40 && slice_starts(hash, SLICE("$y$j")) && hash.ptr[4] >= '5' &&
           hash.ptr[4] <= '9' && hash.ptr[5] == 'T' && hash.ptr[6] == '$';
}

bool password_hash_valid(struct slice hash)
{
    return hash.len <= PASSWORD_HASH_MAX && is_crypt_text(hash) &&
           (is_bcrypt(hash) || is_yescrypt(hash));
}

bool password_check(const char *password, const char *hash)
{
    struct crypt_data *data = xcalloc(1, sizeof *data);
    const char *got = crypt_r(password, hash, data);
    size_t len = strlen(hash);
    bool same = got && strlen(got) == len && CRYPTO_memcmp(got, hash, len) == 0;
    OPENSSL_cleanse(data, sizeof *data);
    free(data);
    return same;
}
