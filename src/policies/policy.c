/* SPDX-License-Identifier: MIT */
/* policy.c - reads a policy member by member, and prints it in its one spelling; see policy.h. */
#include "src/policies/policy_int.h"

#include <arpa/inet.h>
#include <assert.h>
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
#include "src/policies/password.h"

enum { NETWORKS_MAX = 128, EXACT_BITS = 53, V4_BITS = 32, V6_BITS = 128 };
static_assert((int)POLICY_HASH_LEN == (int)TOKEN_HASH_LEN, "one hash for both");

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

/* ---- users and paths */

static bool is_visible(struct slice s)
{
    for (size_t i = 0; i < s.len; i++)
        if (s.ptr[i] <= ' ' || s.ptr[i] > '~')
            return false;
    return s.len > 0;
}

static int take_user(struct users *to, const cJSON *one, const char **why)
{
    struct slice name = slice_str(cJSON_GetStringValue(cJSON_GetArrayItem(one, 0)));
    struct slice hash = slice_str(cJSON_GetStringValue(cJSON_GetArrayItem(one, 1)));
    if (!cJSON_IsArray(one) || cJSON_GetArraySize(one) != 2 || !is_visible(name) ||
        name.len > PASSWORD_MAX || slice_find(name, ':') >= 0 || to->n == USERS_MAX)
        return wrong(why, "wants at most 32 lists of a name and a hash as users");
    if (!password_hash_valid(hash))
        return wrong(why, "wants hashes of yescrypt or bcrypt, of usual cost");
    for (size_t i = 0; i < to->n; i++)
        if (slice_eq(slice_str(to->v[i].name), name))
            return wrong(why, "has a user twice");
    to->v[to->n++] = (struct user){slice_dup(name), slice_dup(hash)};
    return 0;
}

static int take_users(const cJSON *item, void *member, const char **why)
{
    const cJSON *one;
    if (!cJSON_IsArray(item) || cJSON_GetArraySize(item) == 0)
        return wrong(why, "wants at most 32 lists of a name and a hash as users");
    cJSON_ArrayForEach(one, item)
    {
        if (take_user(member, one, why) < 0)
            return ERR_SYNTAX;
    }
    return 0;
}

/* Returns whether the path means the same to every origin: no escapes, no dots as segments, nothing
 * empty inside. */
static bool is_plain_path(struct slice s)
{
    for (size_t i = 0; i < s.len; i++) {
        char c = s.ptr[i], before = i > 0 ? s.ptr[i - 1] : '\0';
        bool fits = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                    c == '-' || c == '_' || c == '~' || c == '.' || c == '/';
        if (!fits || (before == '/' && (c == '/' || c == '.')))
            return false;
    }
    return s.len > 0 && s.ptr[0] == '/';
}

static int take_public(const cJSON *item, void *member, const char **why)
{
    struct paths *to = member;
    const cJSON *one;
    if (!cJSON_IsArray(item) || cJSON_GetArraySize(item) == 0)
        return wrong(why, "wants a list of paths as public");
    cJSON_ArrayForEach(one, item)
    {
        struct slice path = slice_str(cJSON_GetStringValue(one));
        if (!is_plain_path(path) || path.len > PATH_LEN_MAX || to->n == PATHS_MAX)
            return wrong(why, "wants at most 32 paths of letters, digits and -_~./ as public");
        to->v[to->n++] = slice_dup(path);
    }
    return 0;
}

static int take_cors(const cJSON *item, void *member, const char **why)
{
    *(uint64_t *)member = 1;
    return cJSON_IsTrue(item) ? 0 : wrong(why, "wants true as cors");
}

/* ---- the members */

/* In the order of their names, in which they are printed. */
static const struct member {
    const char *name;
    size_t offset;
    int (*take)(const cJSON *item, void *member, const char **why);
    void (*put)(struct buf *to, const char *name, const void *member);
} members[] = {
    {"allow", offsetof(struct policy, allow), take_networks, policy_put_networks},
    {"cors", offsetof(struct policy, cors), take_cors, policy_put_true},
    {"deny", offsetof(struct policy, deny), take_networks, policy_put_networks},
    {"keys", offsetof(struct policy, keys), policy_take_keys, policy_put_keys},
    {"public", offsetof(struct policy, public), take_public, policy_put_paths},
    {"rate", offsetof(struct policy, rate), take_rate, policy_put_number},
    {"request_add", offsetof(struct policy, request), take_add, policy_put_added},
    {"request_remove", offsetof(struct policy, request), take_remove, policy_put_removed},
    {"response_add", offsetof(struct policy, response), take_add, policy_put_added},
    {"response_remove", offsetof(struct policy, response), take_remove, policy_put_removed},
    {"until", offsetof(struct policy, until), take_until, policy_put_number},
    {"users", offsetof(struct policy, users), take_users, policy_put_users},
    {"viewers", offsetof(struct policy, viewers), take_viewers, policy_put_number},
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
    policy_put(&text, "{");
    for (size_t i = 0; i < MEMBERS; i++)
        members[i].put(&text, members[i].name, (const char *)p + members[i].offset);
    policy_put(&text, "}");
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
    if ((p->public.n > 0 || p->cors) && p->users.n == 0 && p->keys.n == 0)
        return wrong(why, "has public or cors without users and keys");
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
    for (size_t i = 0; i < p->users.n; i++) {
        free(p->users.v[i].name);
        free(p->users.v[i].hash);
    }
    for (size_t i = 0; i < p->public.n; i++)
        free(p->public.v[i]);
    for (size_t i = 0; i < p->keys.n; i++)
        free(p->keys.v[i].name);
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

const char *policy_hash_text(const struct policy *p, char out[static POLICY_HASH_TEXT])
{
    out[0] = '\0';
    if (p)
        base64url_encode(p->hash, sizeof p->hash, out);
    return out;
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

bool policy_is_for_some(const struct policy *p)
{
    return p->allow.set || p->deny.set || p->users.n > 0 || p->keys.n > 0;
}

bool policy_has_users(const struct policy *p)
{
    return p->users.n > 0;
}

const char *policy_user(const struct policy *p, struct slice user, bool *known)
{
    *known = false;
    for (size_t i = 0; i < p->users.n; i++)
        if (slice_eq(slice_str(p->users.v[i].name), user)) {
            *known = true;
            return p->users.v[i].hash;
        }
    return p->users.v[0].hash;
}

bool policy_is_public(const struct policy *p, struct slice path)
{
    ptrdiff_t query = slice_find(path, '?');
    if (query >= 0)
        path.len = (size_t)query;
    if (p->public.n == 0 || !is_plain_path(path))
        return false;
    for (size_t i = 0; i < p->public.n; i++) {
        struct slice one = slice_str(p->public.v[i]);
        if (slice_eq(path, one) || (one.ptr[one.len - 1] == '/' && slice_starts(path, one)))
            return true;
    }
    return false;
}

bool policy_cors(const struct policy *p)
{
    return p->cors;
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

int64_t policy_until(const struct policy *p)
{
    return p->until;
}

bool policy_edits_requests(const struct policy *p)
{
    return p->request.n_added > 0 || p->request.n_removed > 0;
}

void policy_edit(const struct policy *p, enum policy_head head, struct fields *f)
{
    const struct edits *e = head == POLICY_REQUEST ? &p->request : &p->response;
    edits_apply(e, f, head != POLICY_INTERIM);
}
