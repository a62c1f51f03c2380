/* SPDX-License-Identifier: MIT */
/* share_keys.c - see share_keys.h. */
#include "client/share_keys.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <openssl/evp.h>

#include "h2mux/base/alloc.h"
#include "h2mux/base/err.h"
#include "h2mux/base/slice.h"

enum { KEY_LEN = 32, NAME_MAX_LEN = 64, USES_MAX = 1000000, TIME_MAX = 32 };

struct parts {
    struct slice name;
    uint64_t life_ms, uses;
};

static struct slice take_part(struct slice *rest)
{
    ptrdiff_t colon = slice_find(*rest, ':');
    struct slice part = slice_make(rest->ptr, colon < 0 ? rest->len : (size_t)colon);
    *rest = slice_skip(*rest, colon < 0 ? rest->len : (size_t)colon + 1);
    return part;
}

static bool is_name(struct slice s)
{
    for (size_t i = 0; i < s.len; i++) {
        char c = s.ptr[i];
        if (!(c >= 'a' && c <= 'z') && !(c >= 'A' && c <= 'Z') && !(c >= '0' && c <= '9') &&
            !(i > 0 && (c == '.' || c == '_' || c == '-' || c == '@')))
            return false;
    }
    return s.len > 0 && s.len <= NAME_MAX_LEN && !slice_eq(s, SLICE("leap"));
}

static int parse(const char *value, struct parts *out)
{
    struct slice rest = slice_str(value);
    char text[TIME_MAX];
    *out = (struct parts){.name = take_part(&rest)};
    bool timed = value[out->name.len] == ':';
    if (!is_name(out->name))
        return ERR_SYNTAX;
    if (!timed)
        return 0;
    struct slice life = take_part(&rest);
    bool counted = life.ptr[life.len] == ':';
    if (life.len == 0 || life.len >= sizeof text)
        return ERR_SYNTAX;
    snprintf(text, sizeof text, "%.*s", SLICE_FMT(life));
    if (opt_parse_msec(text, &out->life_ms) < 0)
        return ERR_SYNTAX;
    if (!counted)
        return 0;
    return slice_to_u64(rest, USES_MAX, &out->uses) == 0 && out->uses > 0 ? 0 : ERR_SYNTAX;
}

int share_keys_check(const char *value)
{
    struct parts ignored;
    return parse(value, &ignored);
}

/* Writes @bytes in base64url, without padding. */
static void base64url(const uint8_t bytes[static KEY_LEN], char out[static SHARE_KEY_TEXT])
{
    char text[SHARE_KEY_TEXT + 4];
    EVP_EncodeBlock((unsigned char *)text, bytes, KEY_LEN);
    for (size_t i = 0; i < SHARE_KEY_TEXT - 1; i++)
        out[i] = text[i] == '+' ? '-' : text[i] == '/' ? '_' : text[i];
    out[SHARE_KEY_TEXT - 1] = '\0';
}

int share_keys_make(const struct opt_list *list, int64_t now_s, struct share_keys *out)
{
    *out = (struct share_keys){.n = 0};
    if (list->count > SHARE_KEYS_MAX)
        return ERR_LIMIT;
    for (size_t i = 0; i < list->count; i++) {
        uint8_t bytes[KEY_LEN], hash[KEY_LEN];
        unsigned len = sizeof hash;
        struct parts p;
        if (parse(list->item[i], &p) < 0 || getentropy(bytes, sizeof bytes) < 0)
            return ERR_IO;
        base64url(bytes, out->v[i].key);
        if (EVP_Digest(out->v[i].key, strlen(out->v[i].key), hash, &len, EVP_sha256(), NULL) != 1)
            return ERR_IO;
        base64url(hash, out->v[i].hash);
        out->v[i].name = slice_dup(p.name);
        out->v[i].until_s = p.life_ms > 0 ? now_s + (int64_t)((p.life_ms + 999) / 1000) : 0;
        out->v[i].uses = p.uses;
        out->n++;
    }
    return 0;
}

void share_keys_free(struct share_keys *k)
{
    for (size_t i = 0; i < k->n; i++)
        free(k->v[i].name);
    k->n = 0;
}
