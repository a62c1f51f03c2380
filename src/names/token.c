/* SPDX-License-Identifier: MIT */
/* token.c - reads a line word by word; see token.h. Whatever is not understood makes the line
 * wrong: an option that was spelled wrong would permit more than its writer meant. */
#include "src/names/token.h"

#include <stddef.h>
#include <stdio.h>
#include <time.h>

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/rand.h>

#include "h2mux/base/clock.h"
#include "h2mux/base/err.h"
#include "h2mux/http/bytes.h"
#include "src/names/base64url.h"
#include "src/names/name_pattern.h"

#define MIDNIGHT "00:00:00Z"

enum { BIG = 1000000, LABEL_MAX = 63 };

static int wrong(const char **why, const char *text)
{
    *why = text;
    return ERR_SYNTAX;
}

static bool is_blank(char c)
{
    return c == ' ' || c == '\t';
}

/* Takes the next word from @line; an empty one when there is none. */
static struct slice take_word(struct slice *line)
{
    size_t from = 0, to;
    while (from < line->len && is_blank(line->ptr[from]))
        from++;
    for (to = from; to < line->len && !is_blank(line->ptr[to]);)
        to++;
    struct slice word = slice_make(line->ptr + from, to - from);
    *line = slice_skip(*line, to);
    return word;
}

bool token_id_valid(struct slice id)
{
    for (size_t i = 0; i < id.len; i++) {
        char c = id.ptr[i];
        bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
        if (!letter && c != '.' && c != '_' && c != '-' && c != '@')
            return false;
    }
    return id.len > 0 && id.len <= TOKEN_ID_MAX && id.ptr[0] != '-' && id.ptr[0] != '@' &&
           !slice_eq(id, SLICE("leap"));
}

/* ---- values */

static int take_hash(struct slice word, struct token *out)
{
    static const struct slice prefix = {"sha256:", sizeof "sha256:" - 1};
    if (!slice_starts(word, prefix) || word.len != prefix.len + (size_t)2 * TOKEN_HASH_LEN)
        return ERR_SYNTAX;
    for (size_t i = 0; i < TOKEN_HASH_LEN; i++) {
        int high = byte_hex((unsigned char)word.ptr[prefix.len + 2 * i]);
        int low = byte_hex((unsigned char)word.ptr[prefix.len + 2 * i + 1]);
        if (high < 0 || low < 0)
            return ERR_SYNTAX;
        out->hash[i] = (uint8_t)(high << 4 | low);
    }
    out->secret = true;
    return 0;
}

static bool is_host_label(struct slice s)
{
    for (size_t i = 0; i < s.len; i++) {
        char c = s.ptr[i];
        if (!(c >= 'a' && c <= 'z') && !(c >= '0' && c <= '9') && c != '-')
            return false;
    }
    return s.len > 0 && s.len <= LABEL_MAX && s.ptr[0] != '-' && s.ptr[s.len - 1] != '-';
}

bool token_host_valid(struct slice host)
{
    size_t labels = 0;
    if (host.len > TOKEN_HOST_MAX)
        return false;
    for (bool more = true; more; labels++) {
        ptrdiff_t dot = slice_find(host, '.');
        more = dot >= 0;
        if (!is_host_label(slice_make(host.ptr, more ? (size_t)dot : host.len)))
            return false;
        host = slice_skip(host, more ? (size_t)dot + 1 : host.len);
    }
    return labels > 1;
}

static int take_names(struct slice value, struct slice *to, const char **why)
{
    *to = value;
    return name_patterns_valid(value) ? 0 : wrong(why, "wants patterns of names, as demo-*,app");
}

static int take_domains(struct slice value, struct slice *to, const char **why)
{
    *to = value;
    for (struct slice rest = value, one; rest.len > 0;) {
        ptrdiff_t comma = slice_find(rest, ',');
        one = slice_make(rest.ptr, comma < 0 ? rest.len : (size_t)comma);
        rest = slice_skip(rest, comma < 0 ? rest.len : (size_t)comma + 1);
        if (!token_host_valid(one) || (comma >= 0 && rest.len == 0))
            return wrong(why, "domains= wants hosts in lower case, as app.example.org");
    }
    return value.len > 0 ? 0 : wrong(why, "domains= wants hosts in lower case");
}

static int take_policy(struct slice value, struct slice *to, const char **why)
{
    *to = value;
    return token_id_valid(value) ? 0 : wrong(why, "policy= wants the name of a policy");
}

static int take_number(struct slice value, uint64_t *to, const char **why)
{
    if (slice_to_u64(value, BIG, to) < 0 || *to == 0)
        return wrong(why, "max=, links= and streams= want a number from 1 to 1000000");
    return 0;
}

static int take_until(struct slice value, int64_t *to, const char **why)
{
    char text[CLOCK_ISO_MAX], again[CLOCK_ISO_MAX];
    struct tm tm = {0};
    bool day = value.len == sizeof "2027-01-01" - 1;
    snprintf(text, sizeof text, "%.*s%s", SLICE_FMT(value), day ? "T" MIDNIGHT : "");
    const char *end = strptime(text, "%Y-%m-%dT%H:%M:%SZ", &tm);
    *to = end && *end == '\0' ? timegm(&tm) : 0;
    clock_iso(*to, again);
    if (*to <= 0 || strcmp(text, again) != 0) /* as the 31st of February would be */
        return wrong(why, "until= wants a day, as 2027-01-01, or 2027-01-01T12:00:00Z (UTC)");
    return 0;
}

/* ---- options */

struct option {
    const char *key;
    size_t offset; /* of a field of struct token that is 0 or empty while the option is not given */
    int (*text)(struct slice value, struct slice *to, const char **why);
    int (*number)(struct slice value, uint64_t *to, const char **why);
};

static const struct option options[] = {
    {"names", offsetof(struct token, names), take_names, NULL},
    {"reserve", offsetof(struct token, reserve), take_names, NULL},
    {"domains", offsetof(struct token, domains), take_domains, NULL},
    {"policy", offsetof(struct token, policy), take_policy, NULL},
    {"max", offsetof(struct token, max), NULL, take_number},
    {"links", offsetof(struct token, links), NULL, take_number},
    {"streams", offsetof(struct token, streams), NULL, take_number},
};

/* Returns the length of the key of @word, which looks like `key=value`; 0: it does not. */
static size_t key_len(struct slice word)
{
    size_t len = 0;
    while (len < word.len && word.ptr[len] >= 'a' && word.ptr[len] <= 'z')
        len++;
    return len < word.len && word.ptr[len] == '=' ? len : 0;
}

int token_option(struct slice word, struct token *out, const char **why)
{
    size_t len = key_len(word);
    struct slice key = slice_make(word.ptr, len), value = slice_skip(word, len + (len > 0));
    if (slice_eq(key, SLICE("until")))
        return out->until ? wrong(why, "has an option twice") : take_until(value, &out->until, why);
    for (size_t i = 0; i < sizeof options / sizeof *options; i++) {
        const struct option *o = &options[i];
        struct slice *text = (struct slice *)(void *)((char *)out + o->offset);
        uint64_t *number = (uint64_t *)(void *)((char *)out + o->offset);
        if (!slice_eq(key, slice_str(o->key)))
            continue;
        if (o->text)
            return text->len ? wrong(why, "has an option twice") : o->text(value, text, why);
        return *number ? wrong(why, "has an option twice") : o->number(value, number, why);
    }
    return wrong(why, "has an option that is not known");
}

/* Reads the options in @line, and looks through the comment behind them. */
static int take_options(struct slice line, struct token *out, const char **why)
{
    bool comment = false;
    for (struct slice word; (word = take_word(&line)).len > 0;) {
        bool option = key_len(word) > 0;
        if (option && comment)
            return wrong(why, "has an option behind the comment");
        if (option && token_option(word, out, why) < 0)
            return ERR_SYNTAX;
        comment |= !option;
    }
    return 0;
}

int token_parse(struct slice line, struct token *out, const char **why)
{
    struct slice id = take_word(&line), proof = take_word(&line);
    *out = (struct token){.max = 0};
    if (!token_id_valid(id))
        return wrong(why, "does not begin with an ID of letters, digits, '.', '_', '-' and '@'");
    memcpy(out->id, id.ptr, id.len);
    if (!slice_eq(proof, SLICE("cert")) && take_hash(proof, out) < 0)
        return wrong(why, "has no sha256: with 64 hexadecimal digits, nor cert, behind the ID");
    return take_options(line, out, why);
}

/* ---- judging */

bool token_permits(const struct token *t, struct slice name)
{
    return t->names.len == 0 || name_patterns_match(t->names, name) ||
           name_patterns_match(t->reserve, name);
}

bool token_has_domain(const struct token *t, struct slice host)
{
    for (struct slice rest = t->domains; rest.len > 0;) {
        ptrdiff_t comma = slice_find(rest, ',');
        if (slice_eq(slice_make(rest.ptr, comma < 0 ? rest.len : (size_t)comma), host))
            return true;
        rest = slice_skip(rest, comma < 0 ? rest.len : (size_t)comma + 1);
    }
    return false;
}

bool token_is_over(const struct token *t, int64_t now_s)
{
    return t->until != 0 && t->until <= now_s;
}

int token_hash(struct slice text, uint8_t hash[static TOKEN_HASH_LEN])
{
    unsigned len = 0;
    bool ok = EVP_Digest(text.ptr, text.len, hash, &len, EVP_sha256(), NULL) == 1;
    return ok && len == TOKEN_HASH_LEN ? 0 : ERR_IO;
}

int token_new(char out[static TOKEN_TEXT_LEN + 1])
{
    uint8_t bytes[32];
    if (RAND_bytes(bytes, sizeof bytes) != 1)
        return ERR_IO;
    int prefix = snprintf(out, TOKEN_TEXT_LEN + 1, "op_");
    base64url_encode(bytes, sizeof bytes, out + prefix);
    OPENSSL_cleanse(bytes, sizeof bytes);
    return 0;
}
