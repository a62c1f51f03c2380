/* SPDX-License-Identifier: MIT */
/* pass.c - see pass.h. The text that is signed begins with a word, and a ticket's claims with a
 * brace, so that neither passes for the other. */
#include "src/policies/pass.h"

#include <stdio.h>
#include <stdlib.h>

#include <openssl/crypto.h>

#include "h2mux/base/alloc.h"
#include "src/names/base64url.h"
#include "src/names/keyring.h"

enum { PASS = 'p', CREDENTIAL = 'c' }; /* kinds of the memo */
enum { TAG_TEXT = 22, MAC_TEXT = 43, EXPIRY_MAX = 20 };

static const struct slice secure_name = {"__Host-oneport", 14}, plain_name = {"oneport", 7};

/* Signs `@what`, the place and `@rest` by key @i while the keyring is held. */
static int sign(const struct pass_place *at, size_t i, const char *what, struct slice rest,
                uint8_t mac[static KEYRING_MAC_LEN])
{
    char owner[OWNER_TEXT_MAX], policy[POLICY_HASH_TEXT];
    owner_text(at->owner, owner);
    policy_hash_text(at->policy, policy);
    char *text = xasprintf("%s\n%s\n%s\n%s\n%.*s", what, at->name, owner, policy, SLICE_FMT(rest));
    int err = keyring_sign(at->keyring, i, slice_str(text), mac);
    OPENSSL_cleanse(text, strlen(text));
    free(text);
    return err;
}

static int sign_by_first(const struct pass_place *at, const char *what, struct slice rest,
                         uint8_t mac[static KEYRING_MAC_LEN])
{
    keyring_hold(at->keyring);
    int err = sign(at, 0, what, rest, mac);
    keyring_release(at->keyring);
    return err;
}

int pass_tag(const struct pass_place *at, struct slice value, int64_t now_s,
             uint8_t tag[static PASS_TAG_LEN])
{
    uint8_t mac[KEYRING_MAC_LEN];
    if (memo_find(at->memo, CREDENTIAL, value, now_s, tag))
        return 0;
    int err = sign_by_first(at, "credential", value, mac);
    memcpy(tag, mac, PASS_TAG_LEN);
    if (err == 0)
        memo_keep(at->memo, CREDENTIAL, value, INT64_MAX, now_s, tag);
    return err;
}

int pass_make(const struct pass_place *at, const uint8_t tag[static PASS_TAG_LEN], int64_t until_s,
              char out[static PASS_MAX])
{
    uint8_t mac[KEYRING_MAC_LEN];
    char tag_text[TAG_TEXT + 3], mac_text[MAC_TEXT + 3];
    base64url_encode(tag, PASS_TAG_LEN, tag_text);
    snprintf(out, PASS_MAX, "%lld.%s", (long long)until_s, tag_text);
    int err = sign_by_first(at, "pass", slice_str(out), mac);
    base64url_encode(mac, sizeof mac, mac_text);
    size_t len = strlen(out);
    snprintf(out + len, PASS_MAX - len, ".%s", mac_text);
    return err;
}

/* Verifies a pass, but for its time, which is set in @expiry. */
static bool verify(const struct pass_place *at, struct slice text, uint64_t *expiry,
                   uint8_t tag[static PASS_TAG_LEN])
{
    uint8_t mac[KEYRING_MAC_LEN], want[KEYRING_MAC_LEN];
    ptrdiff_t first = slice_find(text, '.'), last = slice_rfind(text, '.');
    if (text.len >= PASS_MAX || first <= 0 || last - first != TAG_TEXT + 1 || first > EXPIRY_MAX ||
        base64url_decode(slice_skip(text, (size_t)last + 1), mac, sizeof mac) != sizeof mac)
        return false;
    struct slice claims = slice_make(text.ptr, (size_t)last);
    bool good = false;
    keyring_hold(at->keyring);
    for (size_t i = 0; i < keyring_count(at->keyring); i++)
        good |= sign(at, i, "pass", claims, want) == 0 && CRYPTO_memcmp(want, mac, sizeof mac) == 0;
    keyring_release(at->keyring);
    return good && slice_to_u64(slice_make(text.ptr, (size_t)first), INT64_MAX, expiry) == 0 &&
           base64url_decode(slice_make(text.ptr + first + 1, TAG_TEXT), tag, PASS_TAG_LEN) ==
               PASS_TAG_LEN;
}

bool pass_verify(const struct pass_place *at, struct slice text, int64_t now_s,
                 uint8_t tag[static PASS_TAG_LEN])
{
    uint64_t expiry = 0;
    if (memo_find(at->memo, PASS, text, now_s, tag))
        return true;
    if (!verify(at, text, &expiry, tag) || (int64_t)expiry <= now_s)
        return false;
    memo_keep(at->memo, PASS, text, (int64_t)expiry, now_s, tag);
    return true;
}

/* ---- cookies */

static bool is_ours(struct slice name)
{
    return slice_eq(name, secure_name) || slice_eq(name, plain_name);
}

/* Takes the next pair from @rest. Sets @name and @value, and returns the pair without blanks around
 * it. */
static struct slice take_pair(struct slice *rest, struct slice *name, struct slice *value)
{
    ptrdiff_t end = slice_find(*rest, ';');
    struct slice pair = slice_trim(slice_make(rest->ptr, end < 0 ? rest->len : (size_t)end));
    *rest = slice_skip(*rest, end < 0 ? rest->len : (size_t)end + 1);
    ptrdiff_t equals = slice_find(pair, '=');
    *name = slice_trim(slice_make(pair.ptr, equals < 0 ? pair.len : (size_t)equals));
    *value = equals < 0 ? SLICE("") : slice_trim(slice_skip(pair, (size_t)equals + 1));
    return pair;
}

/* Writes the pairs of @cookie but ours into @out, which has room for them. Returns the length. */
static size_t other_pairs(struct slice cookie, char *out)
{
    size_t len = 0;
    struct slice name, value;
    while (cookie.len > 0) {
        struct slice pair = take_pair(&cookie, &name, &value);
        if (pair.len == 0 || is_ours(name))
            continue;
        if (len > 0) {
            out[len++] = ';';
            out[len++] = ' ';
        }
        memcpy(out + len, pair.ptr, pair.len);
        len += pair.len;
    }
    return len;
}

static bool has_ours(struct slice cookie)
{
    bool has = false;
    struct slice name, value;
    while (cookie.len > 0 && !has) {
        take_pair(&cookie, &name, &value);
        has = is_ours(name);
    }
    return has;
}

static bool is_empty_cookie(const struct field *f, void *user)
{
    return f->value.len == 0 && slice_ieq(f->name, SLICE("cookie"));
}

bool pass_take(const struct pass_place *at, struct fields *f, int64_t now_s,
               uint8_t tag[static PASS_TAG_LEN])
{
    struct slice wanted = at->https ? secure_name : plain_name, name, value;
    bool good = false, cut = false;
    for (size_t i = 0; i < f->count; i++) {
        struct field *field = &f->v[i];
        if (!slice_ieq(field->name, SLICE("cookie")) || !has_ours(field->value))
            continue;
        for (struct slice rest = field->value; rest.len > 0 && !good;) {
            take_pair(&rest, &name, &value);
            good = slice_eq(name, wanted) && pass_verify(at, value, now_s, tag);
        }
        char *left = xmalloc(2 * field->value.len + 1);
        size_t len = other_pairs(field->value, left);
        f->bytes -= field->value.len;
        field->value = fields_keep(f, slice_make(left, len));
        f->bytes += len;
        cut |= len == 0;
        free(left);
    }
    if (cut)
        fields_remove_if(f, is_empty_cookie, NULL);
    return good;
}

void pass_set(struct fields *f, bool https, const char *pass)
{
    fields_add_printf(
        f, SLICE("set-cookie"), "%.*s=%s; Path=/; Max-Age=%d;%s HttpOnly; SameSite=Lax",
        SLICE_FMT(https ? secure_name : plain_name), pass, PASS_LIFE_S, https ? " Secure;" : "");
}

static bool sets_ours(const struct field *f, void *user)
{
    struct slice rest = f->value, name, value;
    if (!slice_ieq(f->name, SLICE("set-cookie")))
        return false;
    take_pair(&rest, &name, &value);
    return slice_ieq(name, secure_name) || slice_ieq(name, plain_name);
}

void pass_guard_response(struct fields *f)
{
    fields_remove_if(f, sets_ours, NULL);
}

void pass_keep_private(struct fields *f)
{
    const struct slice name = SLICE("cache-control");
    if (!fields_has_token(f, name, SLICE("private")) &&
        !fields_has_token(f, name, SLICE("no-store")))
        fields_add(f, name, SLICE("private"));
}
