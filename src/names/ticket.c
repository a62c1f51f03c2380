/* SPDX-License-Identifier: MIT */
/* ticket.c - signs and verifies tickets; see ticket.h.
 *
 * The signature covers the bytes of the claims. The claims are read only after a key has verified
 * the signature. A ticket must have exactly the claims that this version knows: a newer server may
 * sign a claim that restricts a tunnel, and an older server must not ignore such a claim. */
#include "src/names/ticket.h"

#include <stdlib.h>

#include <cjson/cJSON.h>
#include <openssl/crypto.h>

#include "h2mux/base/err.h"
#include "src/names/base64url.h"
#include "src/names/keyring.h"

enum {
    VERSION = 1,
    EXACT_BITS = 53, /* JSON keeps integers of up to 53 bits exact */
    NEEDED = 0x7f    /* bits of the claims that no ticket lacks; rev, tok and pol may be missing */
};
_Static_assert((int)TICKET_MAX <= (int)BASE64URL_MAX, "a ticket's parts can be decoded");

static bool has_policy(const struct ticket *t)
{
    static const uint8_t none[TICKET_POL_LEN];
    return memcmp(t->pol, none, sizeof none) != 0;
}

/* ---- signing */

static char *claims_print(const char *key_id, struct slice domain, const struct ticket *t)
{
    char owner[OWNER_TEXT_MAX], pol[TICKET_POL_TEXT], *dom = slice_dup(domain);
    cJSON *json = cJSON_CreateObject();
    owner_text(t->owner, owner);
    cJSON_AddNumberToObject(json, "v", VERSION);
    cJSON_AddStringToObject(json, "kid", key_id);
    cJSON_AddStringToObject(json, "dom", dom);
    cJSON_AddStringToObject(json, "name", t->name);
    cJSON_AddStringToObject(json, "owner", owner);
    cJSON_AddNumberToObject(json, "since", (double)t->since);
    cJSON_AddNumberToObject(json, "exp", (double)t->exp);
    if (t->rev > 0)
        cJSON_AddNumberToObject(json, "rev", (double)t->rev);
    if (t->tok[0])
        cJSON_AddStringToObject(json, "tok", t->tok);
    if (has_policy(t)) {
        base64url_encode(t->pol, sizeof t->pol, pol);
        cJSON_AddStringToObject(json, "pol", pol);
    }
    char *text = cJSON_PrintUnformatted(json);
    cJSON_Delete(json);
    free(dom);
    return text;
}

/* Signs while the caller holds the keys. */
static int sign(const struct keyring *k, struct slice domain, const struct ticket *t,
                char out[static TICKET_MAX])
{
    char *claims = claims_print(keyring_id(k, 0), domain, t);
    struct slice text = slice_str(claims);
    uint8_t mac[KEYRING_MAC_LEN];
    int err = ERR_LIMIT;
    size_t encoded = (text.len + 2) / 3 * 4 + 1 + (KEYRING_MAC_LEN + (size_t)2) / 3 * 4 + 1;
    if (claims && encoded <= TICKET_MAX)
        err = keyring_sign(k, 0, text, mac);
    if (err == 0) {
        size_t len = base64url_encode(text.ptr, text.len, out);
        out[len++] = '.';
        base64url_encode(mac, sizeof mac, out + len);
    }
    cJSON_free(claims);
    return err;
}

int ticket_sign(struct keyring *k, struct slice domain, const struct ticket *t,
                char out[static TICKET_MAX])
{
    keyring_hold(k);
    int err = sign(k, domain, t, out);
    keyring_release(k);
    return err;
}

/* ---- verifying */

static bool claim_time(const cJSON *item, int64_t *out)
{
    double d = cJSON_IsNumber(item) ? item->valuedouble : -1;
    if (d < 0 || d > (double)(1LL << EXACT_BITS) || (double)(int64_t)d != d)
        return false;
    *out = (int64_t)d;
    return true;
}

static bool claim_name(const cJSON *item, struct ticket *t)
{
    struct slice name = slice_str(cJSON_GetStringValue(item));
    if (name.len == 0 || name.len > NAME_MAX_LEN)
        return false;
    memcpy(t->name, name.ptr, name.len + 1);
    return true;
}

static bool claim_token(const cJSON *item, struct ticket *t)
{
    struct slice id = slice_str(cJSON_GetStringValue(item));
    if (!token_id_valid(id))
        return false;
    memcpy(t->tok, id.ptr, id.len + 1);
    return true;
}

static bool claim_policy(const cJSON *item, struct ticket *t)
{
    struct slice text = slice_str(cJSON_GetStringValue(item));
    return base64url_decode(text, t->pol, sizeof t->pol) == TICKET_POL_LEN && has_policy(t);
}

static bool claim_is(const cJSON *item, struct slice text)
{
    return cJSON_IsString(item) && slice_eq(slice_str(item->valuestring), text);
}

struct expected {
    struct slice domain, kid;
};

/* Reads the claim @item into @t, or compares it with the value in @e. Returns false when the claim
 * is unknown, has a wrong value, or was read before. @seen has a bit for each claim that was
 * read. */
static bool claim_read(const cJSON *item, const struct expected *e, struct ticket *t,
                       unsigned *seen)
{
    static const char *const names[] = {"v",     "kid", "dom", "name", "owner",
                                        "since", "exp", "rev", "tok",  "pol"};
    size_t i = 0;
    while (i < sizeof names / sizeof names[0] && strcmp(names[i], item->string) != 0)
        i++;
    if (*seen & (1U << i))
        return false;
    *seen |= 1U << i;
    switch (i) {
    case 0:
        return cJSON_IsNumber(item) && item->valuedouble == (double)VERSION;
    case 1:
        return claim_is(item, e->kid);
    case 2:
        return claim_is(item, e->domain);
    case 3:
        return claim_name(item, t);
    case 4:
        return owner_parse(slice_str(cJSON_GetStringValue(item)), t->owner) == 0;
    case 5:
        return claim_time(item, &t->since);
    case 6:
        return claim_time(item, &t->exp);
    case 7:
        return claim_time(item, &t->rev) && t->rev > 0;
    case 8:
        return claim_token(item, t);
    case 9:
        return claim_policy(item, t);
    default:
        return false;
    }
}

static int claims_parse(struct slice claims, const struct expected *e, struct ticket *t)
{
    const char *end = NULL;
    unsigned seen = 0;
    cJSON *json = cJSON_ParseWithLengthOpts(claims.ptr, claims.len, &end, false);
    bool ok = cJSON_IsObject(json) && end == claims.ptr + claims.len;
    *t = (struct ticket){0};
    for (const cJSON *item = ok ? json->child : NULL; item && ok; item = item->next)
        ok = claim_read(item, e, t, &seen);
    cJSON_Delete(json);
    return ok && (seen & NEEDED) == NEEDED ? 0 : ERR_DENIED;
}

/* Verifies @mac with each key, so that the time does not tell which key has signed, and fills @t
 * with the claims. Two keys may have the same secret; then the claim `kid` says which of the two
 * has signed. Returns 0, or ERR_DENIED when no key has signed or a claim is wrong. */
static int claims_verify(struct keyring *k, struct slice domain, struct slice claims,
                         const uint8_t mac[static KEYRING_MAC_LEN], struct ticket *t)
{
    int verdict = ERR_DENIED;
    keyring_hold(k);
    for (size_t i = 0; i < keyring_count(k); i++) {
        uint8_t want[KEYRING_MAC_LEN];
        struct expected e = {domain, slice_str(keyring_id(k, i))};
        bool signer =
            keyring_sign(k, i, claims, want) == 0 && CRYPTO_memcmp(want, mac, sizeof want) == 0;
        if (signer && verdict < 0)
            verdict = claims_parse(claims, &e, t);
    }
    keyring_release(k);
    return verdict;
}

int ticket_verify(struct keyring *k, struct slice domain, struct slice text, int64_t now_s,
                  struct ticket *t)
{
    uint8_t bytes[TICKET_MAX], mac[KEYRING_MAC_LEN];
    ptrdiff_t dot = slice_find(text, '.');
    if (dot < 0 || text.len >= TICKET_MAX ||
        base64url_decode(slice_skip(text, (size_t)dot + 1), mac, KEYRING_MAC_LEN) !=
            KEYRING_MAC_LEN)
        return ERR_DENIED;
    ssize_t len = base64url_decode(slice_make(text.ptr, (size_t)dot), bytes, sizeof bytes);
    if (len < 0)
        return ERR_DENIED;
    int err = claims_verify(k, domain, slice_make((const char *)bytes, (size_t)len), mac, t);
    return err < 0 ? err : t->exp <= now_s ? ERR_EXPIRED : 0;
}
