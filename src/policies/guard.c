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

struct guard {
    size_t owners;
    struct login *login;            /* owned; NULL: nobody has to sign in */
    uint64_t used[POLICY_KEYS_MAX]; /* how often each key was */
    struct {
        struct policy *policy;         /* held; NULL: none */
        struct address_buckets *rates; /* owned; NULL: no limit */
        struct seats *seats;           /* owned; NULL: no limit */
    } by[POLICIES];
};

struct guard *guard_new(struct policy *own, struct policy *forced)
{
    if (!own && !forced)
        return NULL;
    struct guard *g = xcalloc(1, sizeof *g);
    g->owners = 1;
    g->by[OWN].policy = policy_hold(own);
    g->by[FORCED].policy = policy_hold(forced);
    for (size_t i = 0; i < POLICIES; i++) {
        const struct policy *p = g->by[i].policy;
        uint64_t rate = p ? policy_rate(p) : 0, viewers = p ? policy_viewers(p) : 0;
        uint64_t seed = (uint64_t)arc4random() << 32 | arc4random();
        g->by[i].rates = rate > 0 ? address_buckets_new(seed, BURST_S * rate, rate) : NULL;
        g->by[i].seats = viewers > 0 ? seats_new(viewers) : NULL;
    }
    if (own && (policy_has_users(own) || policy_has_keys(own)))
        g->login = login_new();
    return g;
}

struct login *guard_login(const struct guard *g)
{
    return g ? g->login : NULL;
}

/* ---- keys */

bool guard_use_key(struct guard *g, struct slice key, int64_t now_s, const char **name,
                   int64_t *until_s)
{
    struct policy_key found;
    if (!g->by[OWN].policy || !policy_find_key(g->by[OWN].policy, key, &found) ||
        (found.until != 0 && found.until <= now_s) ||
        (found.uses != 0 && g->used[found.place] >= found.uses))
        return false;
    g->used[found.place]++;
    *name = found.name;
    *until_s = found.until;
    return true;
}

void guard_used(const struct guard *g, char out[static GUARD_USED_MAX])
{
    size_t n = POLICY_KEYS_MAX, len = 0;
    while (n > 0 && (!g || g->used[n - 1] == 0))
        n--;
    out[0] = '\0';
    for (size_t i = 0; i < n; i++)
        len +=
            (size_t)snprintf(out + len, GUARD_USED_MAX - len, "%s%llu", i > 0 ? "," : "",
                             (unsigned long long)(g->used[i] < USED_MAX ? g->used[i] : USED_MAX));
}

void guard_set_used(struct guard *g, struct slice text)
{
    for (size_t i = 0; i < POLICY_KEYS_MAX && text.len > 0; i++) {
        ptrdiff_t comma = slice_find(text, ',');
        struct slice one = slice_make(text.ptr, comma < 0 ? text.len : (size_t)comma);
        text = slice_skip(text, comma < 0 ? text.len : (size_t)comma + 1);
        if (slice_to_u64(one, USED_MAX, &g->used[i]) < 0)
            g->used[i] = USED_MAX;
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
    for (size_t i = 0; i < POLICIES; i++) {
        policy_drop(g->by[i].policy);
        address_buckets_free(g->by[i].rates);
        seats_free(g->by[i].seats);
    }
    login_free(g->login);
    free(g);
}

struct policy *guard_own(const struct guard *g)
{
    return g ? g->by[OWN].policy : NULL;
}

struct policy *guard_forced(const struct guard *g)
{
    return g ? g->by[FORCED].policy : NULL;
}

bool guard_permits(const struct guard *g, const struct viewer *v, int64_t now_s, enum failure *why)
{
    for (size_t i = 0; g && i < POLICIES; i++) {
        const struct policy *p = g->by[i].policy;
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

/* Takes a seat for @of from each policy that has some, or from none. */
static bool take_seats(struct guard *g, const struct address *of, uint64_t now_us)
{
    for (size_t i = 0; i < POLICIES; i++) {
        if (!g->by[i].seats || seats_enter(g->by[i].seats, of, now_us))
            continue;
        while (i-- > 0)
            if (g->by[i].seats)
                seats_leave(g->by[i].seats, of, now_us);
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
        if (!address_buckets_admit(g->by[i].rates, v, now_us)) {
            *why = FAIL_TOO_MANY_REQUESTS;
            return false;
        }
    return true;
}

static bool has_seats(const struct guard *g)
{
    return g->by[OWN].seats || g->by[FORCED].seats;
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
        if (g->by[i].seats)
            seats_leave(g->by[i].seats, &of, now_us);
}

void guard_edit(const struct guard *g, enum policy_head head, struct fields *f)
{
    for (size_t i = 0; i < POLICIES; i++)
        if (g->by[i].policy)
            policy_edit(g->by[i].policy, head, f);
}
