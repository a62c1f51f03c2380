/* SPDX-License-Identifier: MIT */
/* login.c - see login.h. */
#include "src/policies/login.h"

#include <stdio.h>
#include <stdlib.h>

#include <openssl/crypto.h>

#include "h2mux/base/alloc.h"
#include "h2mux/base/inet.h"
#include "src/http/route.h"
#include "src/limits/address_buckets.h"

/* A wrong password costs a minute's tokens; 20 may be wrong at once. */
enum { REMEMBERED = 64, TRY = 60, TRIES_AT_ONCE = 20 };

struct login {
    uint8_t good[REMEMBERED][PASS_TAG_LEN]; /* of credentials, the latest at `next` - 1 */
    size_t count, next;
    struct address_buckets *tries; /* owned */
    struct memo *memo;             /* owned */
    struct list_node checks;       /* of struct login_check, under way */
};

struct login *login_new(void)
{
    struct login *l = xcalloc(1, sizeof *l);
    l->tries = address_buckets_new((uint64_t)arc4random() << 32 | arc4random(),
                                   (uint64_t)TRY * TRIES_AT_ONCE, 1);
    l->memo = memo_new();
    list_init(&l->checks);
    return l;
}

struct memo *login_memo(const struct login *l)
{
    return l ? l->memo : NULL;
}

void login_free(struct login *l)
{
    if (!l)
        return;
    address_buckets_free(l->tries);
    memo_free(l->memo);
    OPENSSL_cleanse(l, sizeof *l);
    free(l);
}

void login_tidy(struct login *l, uint64_t now_us, int64_t now_s)
{
    if (!l)
        return;
    address_buckets_tidy(l->tries, now_us);
    memo_tidy(l->memo, now_s);
}

size_t login_bytes(const struct login *l)
{
    return l ? address_buckets_bytes(l->tries) + memo_bytes(l->memo) : 0;
}

static bool is_remembered(const struct login *l, const uint8_t tag[static PASS_TAG_LEN])
{
    bool found = false;
    for (size_t i = 0; i < l->count; i++)
        found |= CRYPTO_memcmp(l->good[i], tag, PASS_TAG_LEN) == 0;
    return found;
}

/* Those whose address is not known count as one. */
static struct address address_for_tries(const struct viewer *v)
{
    struct address of = {0, 0};
    if (!address_of_viewer(v, &of))
        of = (struct address){0, 0};
    return of;
}

/* ---- pages of other sites */

static bool is_own_origin(struct slice origin, struct slice authority)
{
    size_t scheme = slice_istarts(origin, SLICE("https://"))  ? 8
                    : slice_istarts(origin, SLICE("http://")) ? 7
                                                              : 0;
    return scheme > 0 && slice_ieq(slice_skip(origin, scheme), authority);
}

/* Returns whether a browser says that the page has the origin that it goes to. Then an Origin of
 * `null` is one that its Referrer-Policy hides. */
static bool says_same_origin(const struct fields *f)
{
    const struct slice name = SLICE("sec-fetch-site");
    return fields_count(f, name) == 1 &&
           slice_ieq(slice_trim(fields_value(f, name)), SLICE("same-origin"));
}

/* Returns whether a browser says that a page of another site has caused the request, tenants of
 * this server included. */
static bool is_foreign(const struct message *m)
{
    const struct fields *f = &m->fields;
    bool same = says_same_origin(f);
    for (size_t i = 0; i < f->count; i++) {
        struct slice value = slice_trim(f->v[i].value);
        if (slice_ieq(f->v[i].name, SLICE("origin")) && !is_own_origin(value, m->authority) &&
            !(same && slice_eq(value, SLICE("null"))))
            return true;
        if (slice_ieq(f->v[i].name, SLICE("sec-fetch-site")) &&
            !slice_ieq(value, SLICE("same-origin")) && !slice_ieq(value, SLICE("none")))
            return true;
    }
    return false;
}

/* Returns whether the request does more than to go to a page. */
static bool acts(const struct message *m, bool websocket)
{
    struct slice mode = fields_value(&m->fields, SLICE("sec-fetch-mode"));
    bool safe = slice_eq(m->method, SLICE("GET")) || slice_eq(m->method, SLICE("HEAD"));
    return websocket || !safe || fields_find(&m->fields, SLICE("origin")) ||
           (mode.len > 0 && !slice_ieq(slice_trim(mode), SLICE("navigate")));
}

static bool is_preflight(const struct message *m)
{
    return slice_eq(m->method, SLICE("OPTIONS")) && fields_find(&m->fields, SLICE("origin")) &&
           fields_find(&m->fields, SLICE("access-control-request-method"));
}

/* ---- credentials */

bool login_may_have_cookie(const struct pass_place *at, const struct message *m)
{
    return at->https || inet_is_localhost(route_host_name(m->authority));
}

/* Reads the one Authorization of @f as name and password, and sets the tag of these two: texts of
 * Basic that say the same have the same one. Returns false if it is none. */
static bool read_basic(const struct pass_place *at, const struct fields *f, int64_t now_s,
                       struct basic *out, uint8_t tag[static PASS_TAG_LEN])
{
    char both[sizeof out->user + sizeof out->password];
    if (fields_count(f, SLICE("authorization")) != 1 ||
        !basic_parse(fields_value(f, SLICE("authorization")), out))
        return false;
    snprintf(both, sizeof both, "%s:%s", out->user, out->password);
    bool good = pass_tag(at, slice_str(both), now_s, tag) == 0;
    OPENSSL_cleanse(both, sizeof both);
    return good;
}

/* Judges a request that has no good cookie. */
static enum login_verdict judge_basic(struct login *l, const struct pass_place *at,
                                      struct message *m, int64_t now_s, struct login_look *out)
{
    if (!policy_has_users(at->policy) || !read_basic(at, &m->fields, now_s, &out->shown, out->tag))
        return LOGIN_WANTED;
    out->fresh = login_may_have_cookie(at, m);
    if (is_remembered(l, out->tag))
        return LOGIN_OPEN;
    out->hash = policy_user(at->policy, slice_str(out->shown.user), &out->known);
    return LOGIN_CHECK;
}

/* Lets the viewer pay a try for a check, unless the same credential is being checked already, which
 * tells nobody more. Returns false when it has none left. */
static bool pay(struct login *l, const struct viewer *v, uint64_t now_us, struct login_look *out)
{
    struct address of = address_for_tries(v);
    LIST_FOREACH (it, &l->checks) {
        struct login_check *c = CONTAINER_OF(it, struct login_check, node);
        if (CRYPTO_memcmp(c->tag, out->tag, PASS_TAG_LEN) == 0)
            out->same = c;
    }
    return out->same || address_buckets_take(l->tries, &of, TRY, now_us);
}

/* Cuts the Authorization that the gate has consumed, now or when it gave the cookie of @tag. */
static void cut_authorization(const struct pass_place *at, struct fields *f, int64_t now_s,
                              const uint8_t tag[static PASS_TAG_LEN])
{
    struct basic basic;
    uint8_t shown[PASS_TAG_LEN];
    if (read_basic(at, f, now_s, &basic, shown) && CRYPTO_memcmp(shown, tag, PASS_TAG_LEN) == 0)
        fields_remove(f, SLICE("authorization"));
    OPENSSL_cleanse(&basic, sizeof basic);
}

enum login_verdict login_judge(struct login *l, const struct pass_place *at, struct message *m,
                               bool websocket, const struct viewer *v, uint64_t now_us,
                               int64_t now_s, struct login_look *out)
{
    enum login_verdict verdict = LOGIN_OPEN;
    *out = (struct login_look){.fresh = false};
    bool has_pass = pass_take(at, &m->fields, now_s, out->tag);
    if (policy_is_public(at->policy, m->path) || (policy_cors(at->policy) && is_preflight(m))) {
        if (has_pass)
            cut_authorization(at, &m->fields, now_s, out->tag);
        return LOGIN_OPEN;
    }
    if (!has_pass)
        verdict = judge_basic(l, at, m, now_s, out);
    if (verdict != LOGIN_OPEN && verdict != LOGIN_CHECK)
        return verdict;
    if (!policy_cors(at->policy) && acts(m, websocket) && is_foreign(m))
        return LOGIN_FOREIGN;
    if (verdict == LOGIN_CHECK && !pay(l, v, now_us, out))
        return LOGIN_TOO_OFTEN;
    cut_authorization(at, &m->fields, now_s, out->tag);
    return verdict;
}

void login_begin(struct login *l, const struct login_look *look, struct login_check *c)
{
    memcpy(c->tag, look->tag, PASS_TAG_LEN);
    list_push(&l->checks, &c->node);
}

void login_end(struct login *l, struct login_check *c, const struct viewer *v,
               enum login_result result, uint64_t now_us)
{
    struct address of = address_for_tries(v);
    list_remove(&c->node);
    if (result != LOGIN_WRONG)
        address_buckets_give(l->tries, &of, TRY, now_us);
    if (result != LOGIN_GOOD || is_remembered(l, c->tag))
        return;
    memcpy(l->good[l->next], c->tag, PASS_TAG_LEN);
    l->next = (l->next + 1) % REMEMBERED;
    l->count += l->count < REMEMBERED;
}
