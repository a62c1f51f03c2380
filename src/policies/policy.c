/* SPDX-License-Identifier: MIT */
/* policy.c - reads a policy member by member, and prints it in its one spelling; see policy.h. */
#include "src/policies/policy.h"

#include <arpa/inet.h>
#include <assert.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

#include <cjson/cJSON.h>

#include "h2mux/base/alloc.h"
#include "h2mux/base/inet.h"
#include "src/http/trust.h"
#include "src/names/base64url.h"
#include "src/names/token.h"
#include "src/policies/edit.h"

enum { NETWORKS_MAX = 128, EXACT_BITS = 53, V4_BITS = 32, V6_BITS = 128 };
static_assert((int)POLICY_HASH_LEN == (int)TOKEN_HASH_LEN, "one hash for both");

/* Networks: their canonical texts, sorted, and what finds an address in them. */
struct networks {
    char (*text)[TRUST_ADDRESS_MAX + 4]; /* owned */
    size_t n;
    struct trust *set; /* owned; NULL: the member is not there */
};

struct policy {
    _Atomic unsigned owners;
    char *text; /* owned: canonical */
    uint8_t hash[POLICY_HASH_LEN];
    struct networks allow, deny;
    uint64_t rate, viewers;
    int64_t until; /* 0: never */
    struct edits request, response;
};

static int wrong(const char **why, const char *text)
{
    *why = text;
    return ERR_SYNTAX;
}

/* ---- networks */

/* Clears the bits of @a behind the first @bits. */
static void mask(uint8_t *a, size_t len, uint64_t bits)
{
    for (size_t i = 0; i < len; i++) {
        uint64_t left = bits > i * 8 ? bits - i * 8 : 0;
        a[i] = (uint8_t)(left >= 8 ? a[i] : a[i] & 0xff << (8 - left));
    }
}

/* Writes the network @text in its one spelling: without bits behind the mask, and with the number
 * of bits unless it is one address. Returns 0, or ERR_SYNTAX. */
static int spell_network(struct slice text, char *out, size_t cap)
{
    ptrdiff_t slash = slice_find(text, '/');
    struct slice host = slice_make(text.ptr, slash < 0 ? text.len : (size_t)slash);
    char spelled[INET6_ADDRSTRLEN];
    union inet a;
    bool v4 = inet_parse(AF_INET, host, &a);
    if (!v4 && (!inet_parse(AF_INET6, host, &a) || IN6_IS_ADDR_V4MAPPED(&a.v6)))
        return ERR_SYNTAX;
    uint64_t most = v4 ? V4_BITS : V6_BITS, bits = most;
    if (slash >= 0 && slice_to_u64(slice_skip(text, (size_t)slash + 1), most, &bits) < 0)
        return ERR_SYNTAX;
    mask((uint8_t *)&a, v4 ? sizeof a.v4 : sizeof a.v6, bits);
    inet_ntop(v4 ? AF_INET : AF_INET6, &a, spelled, sizeof spelled);
    if (bits == most)
        snprintf(out, cap, "%s", spelled);
    else
        snprintf(out, cap, "%s/%u", spelled, (unsigned)bits);
    return 0;
}

static int by_text(const void *a, const void *b)
{
    return strcmp(a, b);
}

static int take_networks(const cJSON *item, void *member, const char **why)
{
    struct networks *to = member;
    int n = cJSON_IsArray(item) ? cJSON_GetArraySize(item) : 0;
    const cJSON *one;
    if (n == 0 || n > NETWORKS_MAX)
        return wrong(why, "wants 1 to 128 networks in allow and deny");
    to->text = xcalloc((size_t)n, sizeof *to->text);
    to->set = trust_new_empty();
    cJSON_ArrayForEach(one, item)
    {
        struct slice text = slice_str(cJSON_GetStringValue(one));
        if (text.len == 0 || spell_network(text, to->text[to->n], sizeof *to->text) < 0 ||
            trust_add(to->set, to->text[to->n]) < 0)
            return wrong(why, "wants networks like 192.0.2.0/24 or 2001:db8::/32");
        to->n++;
    }
    qsort(to->text, to->n, sizeof *to->text, by_text);
    return 0;
}

/* ---- numbers */

static bool take_number(const cJSON *item, uint64_t min, uint64_t max, uint64_t *out)
{
    double d = cJSON_IsNumber(item) ? item->valuedouble : -1;
    if (!(d >= (double)min && d <= (double)max) || (double)(uint64_t)d != d)
        return false;
    *out = (uint64_t)d;
    return true;
}

static int take_rate(const cJSON *item, void *member, const char **why)
{
    return take_number(item, 1, POLICY_RATE_MAX, member)
               ? 0
               : wrong(why, "wants a whole number from 1 to 1000000 as rate");
}

static int take_viewers(const cJSON *item, void *member, const char **why)
{
    return take_number(item, 1, POLICY_VIEWERS_MAX, member)
               ? 0
               : wrong(why, "wants a whole number from 1 to 1000 as viewers");
}

static int take_until(const cJSON *item, void *member, const char **why)
{
    uint64_t at = 0;
    if (!take_number(item, 1, 1ULL << EXACT_BITS, &at))
        return wrong(why, "wants a Unix time as until");
    *(int64_t *)member = (int64_t)at;
    return 0;
}

/* ---- fields */

static int take_add(const cJSON *item, void *member, const char **why)
{
    const cJSON *one;
    if (!cJSON_IsArray(item) || cJSON_GetArraySize(item) == 0)
        return wrong(why, "wants lists of a name and a value of fields");
    cJSON_ArrayForEach(one, item)
    {
        const cJSON *name = cJSON_GetArrayItem(one, 0), *value = cJSON_GetArrayItem(one, 1);
        if (!cJSON_IsArray(one) || cJSON_GetArraySize(one) != 2 || !cJSON_IsString(value))
            return wrong(why, "wants lists of a name and a value of fields");
        if (edits_add(member, slice_str(cJSON_GetStringValue(name)), slice_str(value->valuestring),
                      why) < 0)
            return ERR_SYNTAX;
    }
    return 0;
}

static int take_remove(const cJSON *item, void *member, const char **why)
{
    const cJSON *one;
    if (!cJSON_IsArray(item) || cJSON_GetArraySize(item) == 0)
        return wrong(why, "wants a list of names of fields");
    cJSON_ArrayForEach(one, item)
    {
        if (edits_remove(member, slice_str(cJSON_GetStringValue(one)), why) < 0)
            return ERR_SYNTAX;
    }
    return 0;
}

/* ---- printing */

static void put(struct buf *to, const char *fmt, ...) PRINTF_LIKE(2, 3);
static void put(struct buf *to, const char *fmt, ...)
{
    char text[POLICY_MAX];
    va_list args;
    va_start(args, fmt);
    int len = vsnprintf(text, sizeof text, fmt, args);
    va_end(args);
    int err = buf_append(to, slice_make(text, (size_t)len < sizeof text ? (size_t)len : 0));
    (void)err; /* a text that does not fit is longer than POLICY_MAX, which is looked at */
}

/* Puts the key @name in front of a member, behind a comma unless it is the first one. */
static void put_key(struct buf *to, const char *name)
{
    put(to, "%s\"%s\":", buf_len(to) > 1 ? "," : "", name);
}

static void put_networks(struct buf *to, const char *name, const void *member)
{
    const struct networks *from = member;
    const char *before = "";
    if (!from->set)
        return;
    put_key(to, name);
    for (size_t i = 0; i < from->n; i++) {
        if (strcmp(before, from->text[i]) != 0)
            put(to, "%s\"%s\"", i > 0 ? "," : "[", from->text[i]);
        before = from->text[i];
    }
    put(to, "]");
}

static void put_number(struct buf *to, const char *name, const void *member)
{
    uint64_t value = *(const uint64_t *)member;
    if (value == 0)
        return;
    put_key(to, name);
    put(to, "%llu", (unsigned long long)value);
}

/* Puts a text of printable ASCII. The canonical text has no space, so that it is one word of a line
 * of the names file. */
static void put_text(struct buf *to, const char *text)
{
    put(to, "\"");
    for (; *text; text++)
        if (*text == ' ')
            put(to, "\\u0020");
        else
            put(to, *text == '"' || *text == '\\' ? "\\%c" : "%c", *text);
    put(to, "\"");
}

static void put_added(struct buf *to, const char *name, const void *member)
{
    const struct edits *from = member;
    if (from->n_added == 0)
        return;
    put_key(to, name);
    for (size_t i = 0; i < from->n_added; i++) {
        put(to, "%s", i > 0 ? ",[" : "[[");
        put_text(to, from->added[i].name);
        put(to, ",");
        put_text(to, from->added[i].value);
        put(to, "]");
    }
    put(to, "]");
}

static void put_removed(struct buf *to, const char *name, const void *member)
{
    const struct edits *from = member;
    if (from->n_removed == 0)
        return;
    put_key(to, name);
    for (size_t i = 0; i < from->n_removed; i++)
        put(to, "%s\"%s\"", i > 0 ? "," : "[", from->removed[i]);
    put(to, "]");
}

/* ---- the members */

/* In the order of their names, in which they are printed. */
static const struct member {
    const char *name;
    size_t offset;
    int (*take)(const cJSON *item, void *member, const char **why);
    void (*put)(struct buf *to, const char *name, const void *member);
} members[] = {
    {"allow", offsetof(struct policy, allow), take_networks, put_networks},
    {"deny", offsetof(struct policy, deny), take_networks, put_networks},
    {"rate", offsetof(struct policy, rate), take_rate, put_number},
    {"request_add", offsetof(struct policy, request), take_add, put_added},
    {"request_remove", offsetof(struct policy, request), take_remove, put_removed},
    {"response_add", offsetof(struct policy, response), take_add, put_added},
    {"response_remove", offsetof(struct policy, response), take_remove, put_removed},
    {"until", offsetof(struct policy, until), take_until, put_number},
    {"viewers", offsetof(struct policy, viewers), take_viewers, put_number},
};
enum { MEMBERS = sizeof members / sizeof *members };

static int take_member(struct policy *p, const cJSON *item, unsigned *seen, const char **why)
{
    for (size_t i = 0; i < MEMBERS; i++) {
        if (strcmp(members[i].name, item->string) != 0)
            continue;
        if (*seen & (1U << i))
            return wrong(why, "has a member twice");
        *seen |= 1U << i;
        return members[i].take(item, (char *)p + members[i].offset, why);
    }
    return wrong(why, "has a member that this server does not know");
}

/* Sets the canonical text and the hash. */
static int settle(struct policy *p, const char **why)
{
    struct buf text;
    buf_init(&text, (size_t)2 * POLICY_MAX);
    put(&text, "{");
    for (size_t i = 0; i < MEMBERS; i++)
        members[i].put(&text, members[i].name, (const char *)p + members[i].offset);
    put(&text, "}");
    p->text = slice_dup(buf_slice(&text));
    int err = token_hash(buf_slice(&text), p->hash);
    if (buf_len(&text) > POLICY_MAX || err < 0) {
        *why = "is longer than 4096 bytes";
        err = ERR_LIMIT;
    }
    buf_release(&text);
    return err;
}

static int read_members(struct policy *p, const cJSON *json, const char **why)
{
    unsigned seen = 0;
    for (const cJSON *item = json->child; item; item = item->next) {
        int err = take_member(p, item, &seen, why);
        if (err < 0)
            return err;
    }
    return settle(p, why);
}

int policy_parse(struct slice json, struct policy **out, const char **why)
{
    const char *end = NULL;
    *out = NULL;
    if (json.len > POLICY_MAX) {
        *why = "is longer than 4096 bytes";
        return ERR_LIMIT;
    }
    cJSON *parsed = cJSON_ParseWithLengthOpts(json.ptr, json.len, &end, false);
    int err = 0;
    if (!cJSON_IsObject(parsed) || end != json.ptr + json.len)
        err = wrong(why, "is no JSON object");
    if (err == 0 && parsed->child) {
        struct policy *p = xcalloc(1, sizeof *p);
        atomic_init(&p->owners, 1);
        err = read_members(p, parsed, why);
        if (err == 0)
            *out = p;
        else
            policy_drop(p);
    }
    cJSON_Delete(parsed);
    return err;
}

/* ---- life */

struct policy *policy_hold(struct policy *p)
{
    if (p)
        atomic_fetch_add(&p->owners, 1);
    return p;
}

static void networks_free(struct networks *n)
{
    free(n->text);
    trust_free(n->set);
}

void policy_drop(struct policy *p)
{
    if (!p || atomic_fetch_sub(&p->owners, 1) > 1)
        return;
    networks_free(&p->allow);
    networks_free(&p->deny);
    edits_free(&p->request);
    edits_free(&p->response);
    free(p->text);
    free(p);
}

/* ---- what it is */

struct slice policy_text(const struct policy *p)
{
    return p ? slice_str(p->text) : SLICE("");
}

const uint8_t *policy_hash(const struct policy *p)
{
    static const uint8_t none[POLICY_HASH_LEN];
    return p ? p->hash : none;
}

void policy_hash_text(const struct policy *p, char out[static POLICY_HASH_TEXT])
{
    out[0] = '\0';
    if (p)
        base64url_encode(p->hash, sizeof p->hash, out);
}

bool policy_is(const struct policy *p, const uint8_t hash[static POLICY_HASH_LEN])
{
    return memcmp(policy_hash(p), hash, POLICY_HASH_LEN) == 0;
}

uint64_t policy_rate(const struct policy *p)
{
    return p->rate;
}

uint64_t policy_viewers(const struct policy *p)
{
    return p->viewers;
}

enum policy_verdict policy_judge(const struct policy *p, const char *address, int64_t now_s)
{
    if (p->until != 0 && now_s >= p->until)
        return POLICY_OVER;
    if (p->deny.set && trust_has_text(p->deny.set, address))
        return POLICY_DENIED;
    if (p->allow.set && !trust_has_text(p->allow.set, address))
        return POLICY_DENIED;
    return POLICY_OK;
}

void policy_edit(const struct policy *p, enum policy_head head, struct fields *f)
{
    const struct edits *e = head == POLICY_REQUEST ? &p->request : &p->response;
    edits_apply(e, f, head != POLICY_INTERIM);
}
