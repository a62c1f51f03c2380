/* SPDX-License-Identifier: MIT */
/* ticket.c - signs and verifies tickets; the only place here that knows OpenSSL.
 *
 * The signature is over the claims' bytes. A ticket is tried with every key before anything in it
 * is read; after that its claims must be exactly those known here: what guards a tunnel may not be
 * lost because a node is older. */
#include "src/names/ticket.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include <cjson/cJSON.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/rand.h>

#include "h2mux/base/err.h"
#include "h2mux/base/log.h"
#include "h2mux/http/bytes.h"
#include "src/names/state.h"

enum {
    VERSION = 1,
    KID_MAX = 32,
    KEY_MIN = 16,
    KEY_MAX = 64,
    KEY_NEW = 32,
    MAC_LEN = 32,
    SECRET_FILE_MAX = 65536,
    EXACT_BITS = 53 /* of a JSON number */
};

struct key {
    char kid[KID_MAX + 1];
    uint8_t secret[KEY_MAX];
    size_t len;
};

struct keyring {
    struct key *keys; /* owned; at least one */
    size_t n;
};

/* ---- base64 */

static const char url_alphabet[] = "-_", plain_alphabet[] = "+/";

static void translate(char *text, size_t len, const char from[static 2], const char to[static 2])
{
    for (size_t i = 0; i < len; i++)
        if (text[i] == from[0] || text[i] == from[1])
            text[i] = text[i] == from[0] ? to[0] : to[1];
}

/* RFC 4648 5 without padding; @out has room for 4 bytes a started 3, and a zero. */
static size_t base64url_encode(const void *in, size_t len, char *out)
{
    int n = EVP_EncodeBlock((unsigned char *)out, in, (int)len);
    while (n > 0 && out[n - 1] == '=')
        out[--n] = '\0';
    translate(out, (size_t)n, plain_alphabet, url_alphabet);
    return (size_t)n;
}

/* Strict: no padding, no foreign byte, no second spelling of the same bytes. The length, or
 * ERR_SYNTAX. */
static ssize_t base64url_decode(struct slice in, uint8_t *out, size_t cap)
{
    char text[TICKET_MAX + 4], again[TICKET_MAX + 4];
    uint8_t bytes[TICKET_MAX];
    if (in.len == 0 || in.len > TICKET_MAX || in.len % 4 == 1)
        return ERR_SYNTAX;
    memcpy(text, in.ptr, in.len);
    translate(text, in.len, url_alphabet, plain_alphabet);
    size_t padded = in.len;
    while (padded % 4 != 0)
        text[padded++] = '=';
    int n = EVP_DecodeBlock(bytes, (const unsigned char *)text, (int)padded);
    if (n < 0 || (size_t)n < padded - in.len)
        return ERR_SYNTAX;
    size_t len = (size_t)n - (padded - in.len);
    if (len > cap || !slice_eq(in, slice_make(again, base64url_encode(bytes, len, again))))
        return ERR_SYNTAX;
    memcpy(out, bytes, len);
    return (ssize_t)len;
}

/* ---- keys */

static int key_parse(struct slice line, struct key *k)
{
    char text[2 * KEY_MAX];
    ptrdiff_t space = slice_find(line, ' ');
    if (space <= 0 || space > KID_MAX)
        return ERR_SYNTAX;
    struct slice secret = slice_trim(slice_skip(line, (size_t)space));
    while (secret.len > 0 && secret.ptr[secret.len - 1] == '=')
        secret.len--;
    if (secret.len > sizeof text)
        return ERR_SYNTAX;
    memcpy(text, secret.ptr, secret.len);
    translate(text, secret.len, plain_alphabet, url_alphabet);
    ssize_t len = base64url_decode(slice_make(text, secret.len), k->secret, KEY_MAX);
    OPENSSL_cleanse(text, sizeof text);
    if (len < KEY_MIN)
        return ERR_SYNTAX;
    memcpy(k->kid, line.ptr, (size_t)space);
    k->len = (size_t)len;
    return 0;
}

static struct slice take_line(struct slice *text)
{
    ptrdiff_t end = slice_find(*text, '\n');
    struct slice line = slice_make(text->ptr, end < 0 ? text->len : (size_t)end);
    *text = slice_skip(*text, end < 0 ? text->len : (size_t)end + 1);
    if (line.len > 0 && line.ptr[line.len - 1] == '\r')
        line.len--;
    return slice_trim(line);
}

/* The number of the line that is wrong; 0: none is, but there may be no key at all. */
static size_t keyring_parse(struct keyring *k, struct slice text)
{
    for (size_t number = 1; text.len > 0; number++) {
        struct slice line = take_line(&text);
        struct key key = {0};
        if (line.len == 0 || line.ptr[0] == '#')
            continue;
        if (key_parse(line, &key) < 0)
            return number;
        k->keys = xrealloc(k->keys, (k->n + 1) * sizeof *k->keys);
        k->keys[k->n++] = key;
        OPENSSL_cleanse(&key, sizeof key);
    }
    return 0;
}

/* One fresh key. ERR_TAKEN: another process was quicker, and its key is as good. */
static int secret_create(const char *dir)
{
    uint8_t id[4], secret[KEY_NEW];
    char text[2 * KEY_MAX + KID_MAX], encoded[2 * KEY_NEW];
    if (RAND_bytes(id, sizeof id) != 1 || RAND_bytes(secret, sizeof secret) != 1)
        return ERR_IO;
    EVP_EncodeBlock((unsigned char *)encoded, secret, sizeof secret);
    int len =
        snprintf(text, sizeof text, "k%02x%02x%02x%02x %s\n", id[0], id[1], id[2], id[3], encoded);
    int err = state_create(dir, STATE_SECRET, slice_make(text, (size_t)len));
    OPENSSL_cleanse(secret, sizeof secret);
    OPENSSL_cleanse(encoded, sizeof encoded);
    OPENSSL_cleanse(text, sizeof text);
    return err;
}

static int secret_read(const char *dir, struct buf *out)
{
    int err = state_prepare(dir);
    if (err == 0)
        err = state_read(dir, STATE_SECRET, out);
    if (err == ERR_NOT_FOUND) {
        err = secret_create(dir);
        if (err == 0 || err == ERR_TAKEN)
            err = state_read(dir, STATE_SECRET, out);
    }
    return err;
}

struct keyring *keyring_open(const char *state_dir, char *reason, size_t reason_cap)
{
    struct keyring *k = xcalloc(1, sizeof *k);
    struct buf text;
    buf_init(&text, SECRET_FILE_MAX);
    int err = secret_read(state_dir, &text);
    size_t wrong = err < 0 ? 0 : keyring_parse(k, buf_slice(&text));
    if (err < 0)
        snprintf(reason, reason_cap, "%s/%s: %s", state_dir, STATE_SECRET,
                 err == ERR_IO ? strerrordesc_np(errno) : err_text(err));
    else if (wrong > 0)
        snprintf(reason, reason_cap, "%s/%s: line %zu is not a key (kid, space, base64)", state_dir,
                 STATE_SECRET, wrong);
    else if (k->n == 0)
        snprintf(reason, reason_cap, "%s/%s: holds no key", state_dir, STATE_SECRET);
    else if (state_is_exposed(state_dir, STATE_SECRET))
        LOG(WARN, "secret_file_readable", LOG_STR("dir", state_dir), LOG_STR("file", STATE_SECRET));
    if (text.ptr)
        OPENSSL_cleanse(text.ptr, text.cap);
    buf_release(&text);
    if (err == 0 && wrong == 0 && k->n > 0)
        return k;
    keyring_free(k);
    return NULL;
}

void keyring_free(struct keyring *k)
{
    if (!k)
        return;
    if (k->keys)
        OPENSSL_cleanse(k->keys, k->n * sizeof *k->keys);
    free(k->keys);
    free(k);
}

/* ---- signing */

static int sign(const struct key *k, struct slice claims, uint8_t mac[static MAC_LEN])
{
    unsigned len = 0;
    bool ok = HMAC(EVP_sha256(), k->secret, (int)k->len, (const unsigned char *)claims.ptr,
                   claims.len, mac, &len);
    return ok && len == MAC_LEN ? 0 : ERR_IO;
}

static char *claims_print(const struct key *k, struct slice domain, const struct ticket *t)
{
    char owner[OWNER_TEXT_MAX], *dom = slice_dup(domain);
    cJSON *json = cJSON_CreateObject();
    owner_text(t->owner, owner);
    cJSON_AddNumberToObject(json, "v", VERSION);
    cJSON_AddStringToObject(json, "kid", k->kid);
    cJSON_AddStringToObject(json, "dom", dom);
    cJSON_AddStringToObject(json, "name", t->name);
    cJSON_AddStringToObject(json, "owner", owner);
    cJSON_AddNumberToObject(json, "since", (double)t->since);
    cJSON_AddNumberToObject(json, "exp", (double)t->exp);
    char *text = cJSON_PrintUnformatted(json);
    cJSON_Delete(json);
    free(dom);
    return text;
}

int ticket_sign(const struct keyring *k, struct slice domain, const struct ticket *t,
                char out[static TICKET_MAX])
{
    char *claims = claims_print(&k->keys[0], domain, t);
    struct slice text = slice_str(claims);
    uint8_t mac[MAC_LEN];
    int err = ERR_LIMIT;
    size_t encoded = (text.len + 2) / 3 * 4 + 1 + (MAC_LEN + (size_t)2) / 3 * 4 + 1;
    if (claims && encoded <= TICKET_MAX)
        err = sign(&k->keys[0], text, mac);
    if (err == 0) {
        size_t len = base64url_encode(text.ptr, text.len, out);
        out[len++] = '.';
        base64url_encode(mac, MAC_LEN, out + len);
    }
    cJSON_free(claims);
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

static bool claim_is(const cJSON *item, struct slice text)
{
    return cJSON_IsString(item) && slice_eq(slice_str(item->valuestring), text);
}

struct expected {
    struct slice domain, kid;
};

/* One known claim with a right value; @seen tells them apart, so that none is there twice. */
static bool claim_read(const cJSON *item, const struct expected *e, struct ticket *t,
                       unsigned *seen)
{
    static const char *const names[] = {"v", "kid", "dom", "name", "owner", "since", "exp"};
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
    default:
        return false; /* tok and pol too: nothing here enforces them yet */
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
    return ok && seen == 0x7f ? 0 : ERR_DENIED;
}

/* Every key is tried, whichever it is; two of them may hold the same secret, and then the claims
 * tell by which name they were signed. */
static int claims_verify(const struct keyring *k, struct slice domain, struct slice claims,
                         const uint8_t mac[static MAC_LEN], struct ticket *t)
{
    int verdict = ERR_DENIED;
    for (size_t i = 0; i < k->n; i++) {
        uint8_t want[MAC_LEN];
        struct expected e = {domain, slice_str(k->keys[i].kid)};
        bool signer =
            sign(&k->keys[i], claims, want) == 0 && CRYPTO_memcmp(want, mac, MAC_LEN) == 0;
        if (signer && verdict < 0)
            verdict = claims_parse(claims, &e, t);
    }
    return verdict;
}

int ticket_verify(const struct keyring *k, struct slice domain, struct slice text, int64_t now_s,
                  struct ticket *t)
{
    uint8_t bytes[TICKET_MAX], mac[MAC_LEN];
    ptrdiff_t dot = slice_find(text, '.');
    if (dot < 0 || text.len >= TICKET_MAX ||
        base64url_decode(slice_skip(text, (size_t)dot + 1), mac, MAC_LEN) != MAC_LEN)
        return ERR_DENIED;
    ssize_t len = base64url_decode(slice_make(text.ptr, (size_t)dot), bytes, sizeof bytes);
    if (len < 0)
        return ERR_DENIED;
    int err = claims_verify(k, domain, slice_make((const char *)bytes, (size_t)len), mac, t);
    return err < 0 ? err : t->exp <= now_s ? ERR_EXPIRED : 0;
}
