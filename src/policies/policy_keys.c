/* SPDX-License-Identifier: MIT */
/* policy_keys.c - reads, prints and finds the keys of a policy, which let their holders in. A
 * policy has their hashes alone: a key has 256 random bits, so SHA-256 is slow enough. */
#include "src/policies/policy_int.h"

#include <stdlib.h>

#include <cjson/cJSON.h>
#include <openssl/crypto.h>

#include "h2mux/base/alloc.h"
#include "src/names/base64url.h"
#include "src/names/token.h"

enum { EXACT_BITS = 53, USES_MAX = 1000000, HASH_TEXT = 43, MEMBERS = 4 };

static const char wants[] = "wants at most 16 lists of a name, a hash, a Unix time and a number as "
                            "keys";

static bool take_count(const cJSON *item, double most, uint64_t *out)
{
    double d = cJSON_IsNumber(item) ? item->valuedouble : -1;
    if (!(d >= 0 && d <= most) || (double)(uint64_t)d != d)
        return false;
    *out = (uint64_t)d;
    return true;
}

static bool take_key(struct keys *to, const cJSON *one)
{
    struct slice name = slice_str(cJSON_GetStringValue(cJSON_GetArrayItem(one, 0)));
    struct slice hash = slice_str(cJSON_GetStringValue(cJSON_GetArrayItem(one, 1)));
    uint64_t until = 0;
    if (!cJSON_IsArray(one) || cJSON_GetArraySize(one) != MEMBERS || to->n == POLICY_KEYS_MAX ||
        !token_id_valid(name))
        return false;
    struct key *key = &to->v[to->n];
    if (base64url_decode(hash, key->hash, sizeof key->hash) != sizeof key->hash ||
        !take_count(cJSON_GetArrayItem(one, 2), (double)(1ULL << EXACT_BITS), &until) ||
        !take_count(cJSON_GetArrayItem(one, 3), USES_MAX, &key->uses))
        return false;
    key->until = (int64_t)until;
    key->name = slice_dup(name);
    to->n++;
    return true;
}

int policy_take_keys(const cJSON *item, void *member, const char **why)
{
    const cJSON *one;
    *why = wants;
    if (!cJSON_IsArray(item) || cJSON_GetArraySize(item) == 0)
        return ERR_SYNTAX;
    cJSON_ArrayForEach(one, item)
    {
        if (!take_key(member, one))
            return ERR_SYNTAX;
    }
    *why = NULL;
    return 0;
}

void policy_put_keys(struct buf *to, const char *name, const void *member)
{
    const struct keys *from = member;
    char hash[HASH_TEXT + 3];
    if (from->n == 0)
        return;
    policy_put_key(to, name);
    for (size_t i = 0; i < from->n; i++) {
        const struct key *k = &from->v[i];
        base64url_encode(k->hash, sizeof k->hash, hash);
        policy_put(to, "%s[\"%s\",\"%s\",%lld,%llu]", i > 0 ? "," : "[", k->name, hash,
                   (long long)k->until, (unsigned long long)k->uses);
    }
    policy_put(to, "]");
}

bool policy_has_keys(const struct policy *p)
{
    return p->keys.n > 0;
}

/* All are compared, so that the time does not tell which one fits. */
bool policy_find_key(const struct policy *p, struct slice key, struct policy_key *out)
{
    uint8_t hash[TOKEN_HASH_LEN];
    bool found = false;
    if (key.len != POLICY_KEY_LEN || token_hash(key, hash) < 0)
        return false;
    for (size_t i = 0; i < p->keys.n; i++) {
        const struct key *k = &p->keys.v[i];
        if (CRYPTO_memcmp(k->hash, hash, sizeof hash) != 0)
            continue;
        *out = (struct policy_key){i, k->name, k->until, k->uses};
        found = true;
    }
    return found;
}
