/* SPDX-License-Identifier: MIT */
/* guard.c - see guard.h. */
#include "src/policies/guard.h"

#include <stdio.h>
#include <stdlib.h>

#include "h2mux/base/alloc.h"
#include "h2mux/base/check.h"
#include "src/limits/address_buckets.h"
#include "src/policies/seats.h"

enum { OWN, FORCED, POLICIES, BURST_S = 10, USED_MAX = 1000000000 };

/* What a policy counts. The guards that a tunnel has one after the other share it while the policy
 * stays the same. */
struct part {
    size_t owners;
    struct policy *policy;          /* held */
    struct address_buckets *rates;  /* owned; NULL: no limit */
    struct seats *seats;            /* owned; NULL: no limit */
    struct login *login;            /* owned; NULL: nobody has to sign in by this policy */
    uint64_t used[POLICY_KEYS_MAX]; /* how often each key was */
};

struct guard {
    size_t owners;
    struct part *by[POLICIES]; /* held; NULL: no policy */
};

static struct part *part_new(struct policy *p, bool own)
{
    struct part *part = xcalloc(1, sizeof *part);
    uint64_t seed = (uint64_t)arc4random() << 32 | arc4random(), rate = policy_rate(p);
    part->policy = policy_hold(p);
    if (rate > 0)
        part->rates = address_buckets_new(seed, BURST_S * rate, rate);
    if (policy_viewers(p) > 0)
        part->seats = seats_new(policy_viewers(p));
    if (own && (policy_has_users(p) || policy_has_keys(p)))
        part->login = login_new();
    return part;
}

static void part_drop(struct part *part)
{
    if (!part || --part->owners > 0)
        return;
    policy_drop(part->policy);
    address_buckets_free(part->rates);
    seats_free(part->seats);
    login_free(part->login);
    free(part);
}

static struct part *part_of(const struct guard *g, size_t which)
{
    return g ? g->by[which] : NULL;
}

/* Returns the part of @before if its policy says the same as @p, or else a new one. */
static struct part *take_part(const struct guard *before, size_t which, struct policy *p)
{
    struct part *part = part_of(before, which);
    if (!p)
        return NULL;
    if (!part || !policy_is(part->policy, policy_hash(p)))
        part = part_new(p, which == OWN);
    part->owners++;
    return part;
}

struct guard *guard_new(const struct guard *before, struct policy *own, struct policy *forced)
{
    if (!own && !forced)
        return NULL;
    struct guard *g = xcalloc(1, sizeof *g);
    g->owners = 1;
    g->by[OWN] = take_part(before, OWN, own);
    g->by[FORCED] = take_part(before, FORCED, forced);
    return g;
}

struct login *guard_login(const struct guard *g)
{
    const struct part *own = part_of(g, OWN);
    return own ? own->login : NULL;
}

/* ---- keys */

bool guard_use_key(struct guard *g, struct slice key, int64_t now_s, const char **name,
                   int64_t *until_s)
{
    struct policy_key found;
    struct part *own = g->by[OWN];
    if (!own || !policy_find_key(own->policy, key, &found) ||
        (found.until != 0 && found.until <= now_s) ||
        (found.uses != 0 && own->used[found.place] >= found.uses))
        return false;
    own->used[found.place]++;
    *name = found.name;
    *until_s = found.until;
    return true;
}

void guard_used(const struct guard *g, char out[static GUARD_USED_MAX])
{
    const struct part *own = part_of(g, OWN);
    size_t n = own ? POLICY_KEYS_MAX : 0, len = 0;
    while (n > 0 && own->used[n - 1] == 0)
        n--;
    out[0] = '\0';
    for (size_t i = 0; i < n; i++)
        len += (size_t)snprintf(
            out + len, GUARD_USED_MAX - len, "%s%llu", i > 0 ? "," : "",
            (unsigned long long)(own->used[i] < USED_MAX ? own->used[i] : USED_MAX));
}

void guard_set_used(struct guard *g, struct slice text)
{
    struct part *own = part_of(g, OWN);
    for (size_t i = 0; own && i < POLICY_KEYS_MAX && text.len > 0; i++) {
        ptrdiff_t comma = slice_find(text, ',');
        struct slice one = slice_make(text.ptr, comma < 0 ? text.len : (size_t)comma);
        text = slice_skip(text, comma < 0 ? text.len : (size_t)comma + 1);
        if (slice_to_u64(one, USED_MAX, &own->used[i]) < 0)
            own->used[i] = USED_MAX;
    }
}

/* ---- life */

struct guard *guard_hold(struct guard *g)
{
    if (g)
        g->owners++;
    return g;
}

void guard_drop(struct guard *g)
{
    CHECK_THAT(!g || g->owners > 0);
    if (!g || --g->owners > 0)
        return;
    for (size_t i = 0; i < POLICIES; i++)
        part_drop(g->by[i]);
    free(g);
}

static struct policy *policy_of(const struct guard *g, size_t which)
{
    const struct part *part = part_of(g, which);
    return part ? part->policy : NULL;
}

struct policy *guard_own(const struct guard *g)
{
    return policy_of(g, OWN);
}

struct policy *guard_forced(const struct guard *g)
{
    return policy_of(g, FORCED);
}

bool guard_permits(const struct guard *g, const struct viewer *v, int64_t now_s, enum failure *why)
{
    for (size_t i = 0; i < POLICIES; i++) {
        const struct policy *p = policy_of(g, i);
        switch (p ? policy_judge(p, v->address, now_s) : POLICY_OK) {
        case POLICY_OK:
            break;
        case POLICY_DENIED:
            *why = FAIL_NOT_ALLOWED;
            return false;
        case POLICY_OVER:
            *why = FAIL_OVER;
            return false;
        }
    }
    return true;
}

static struct seats *seats_of(const struct guard *g, size_t which)
{
    const struct part *part = part_of(g, which);
    return part ? part->seats : NULL;
}

/* Takes a seat for @of from each policy that has some, or from none. */
static bool take_seats(struct guard *g, const struct address *of, uint64_t now_us)
{
    for (size_t i = 0; i < POLICIES; i++) {
        if (!seats_of(g, i) || seats_enter(seats_of(g, i), of, now_us))
            continue;
        while (i-- > 0)
            if (seats_of(g, i))
                seats_leave(seats_of(g, i), of, now_us);
        return false;
    }
    return true;
}

bool guard_judge(struct guard *g, const struct viewer *v, uint64_t now_us, int64_t now_s,
                 enum failure *why)
{
    if (!guard_permits(g, v, now_s, why))
        return false;
    for (size_t i = 0; i < POLICIES; i++)
        if (g->by[i] && !address_buckets_admit(g->by[i]->rates, v, now_us)) {
            *why = FAIL_TOO_MANY_REQUESTS;
            return false;
        }
    return true;
}

static bool has_seats(const struct guard *g)
{
    return seats_of(g, OWN) || seats_of(g, FORCED);
}

bool guard_seat(struct guard *g, const struct viewer *v, uint64_t now_us, enum failure *why)
{
    struct address of;
    if (!has_seats(g) || !address_of_viewer(v, &of) || take_seats(g, &of, now_us))
        return true;
    *why = FAIL_NO_SEAT;
    return false;
}

void guard_leave(struct guard *g, const struct viewer *v, uint64_t now_us)
{
    struct address of;
    bool known = has_seats(g) && address_of_viewer(v, &of);
    for (size_t i = 0; known && i < POLICIES; i++)
        if (seats_of(g, i))
            seats_leave(seats_of(g, i), &of, now_us);
}

void guard_tidy(struct guard *g, uint64_t now_us, int64_t now_s)
{
    for (size_t i = 0; i < POLICIES; i++) {
        struct part *part = part_of(g, i);
        if (!part)
            continue;
        address_buckets_tidy(part->rates, now_us);
        seats_tidy(part->seats, now_us);
        login_tidy(part->login, now_us, now_s);
    }
}

size_t guard_bytes(const struct guard *g)
{
    size_t bytes = 0;
    for (size_t i = 0; i < POLICIES; i++) {
        const struct part *part = part_of(g, i);
        if (part)
            bytes += address_buckets_bytes(part->rates) + seats_bytes(part->seats) +
                     login_bytes(part->login);
    }
    return bytes;
}

bool guard_counts(const struct guard *g)
{
    for (size_t i = 0; i < POLICIES; i++)
        if (part_of(g, i) && (g->by[i]->rates || g->by[i]->seats || g->by[i]->login))
            return true;
    return false;
}

int64_t guard_until(const struct guard *g, int64_t now_s)
{
    int64_t next = 0;
    for (size_t i = 0; i < POLICIES; i++) {
        int64_t until = part_of(g, i) ? policy_until(g->by[i]->policy) : 0;
        if (until > now_s && (next == 0 || until < next))
            next = until;
    }
    return next;
}

bool guard_has_edited(const struct guard *g, const struct guard *other)
{
    for (size_t i = 0; i < POLICIES; i++)
        if (part_of(g, i) && part_of(g, i) != part_of(other, i) &&
            policy_edits_requests(g->by[i]->policy))
            return true;
    return false;
}

void guard_edit(const struct guard *g, enum policy_head head, struct fields *f)
{
    for (size_t i = 0; i < POLICIES; i++)
        if (g->by[i])
            policy_edit(g->by[i]->policy, head, f);
}

bool guard_is_for_some(const struct guard *g)
{
    bool some = false;
    for (size_t i = 0; i < POLICIES; i++)
        some |= g->by[i] && policy_is_for_some(g->by[i]->policy);
    return some;
}
