/* abuse.c - a bucket of aborts for each address that has aborted lately.
 *
 * Sets of a few places each, found by a keyed hash; where a set is full, the address with the most
 * aborts left gives its place to the newcomer. What is full again is as good as not there, so the
 * whole table goes when nobody has aborted for as long as an empty bucket takes to fill. Invariant:
 * sets != NULL iff something was noted since.
 *
 * Many requests are let in before the first of their aborts is seen, so a bucket is deeper than the
 * burst: what is taken from below is owed. */
#include "src/abuse.h"

#include <arpa/inet.h>
#include <stdlib.h>

#include "h2mux/base/bucket.h"

enum { BURST = 1000, RATE = 100, DEBT = 1000, SETS = 512, PLACES = 8, ONE_TOKEN = 1000000 };
#define FILLED_US ((uint64_t)(BURST + DEBT) / RATE * 1000000)

struct key {
    uint64_t network, host; /* of an IPv6 address; its host part counts for mapped IPv4 only */
};

struct place {
    struct key key;
    bool used;
    struct bucket bucket;
};

struct abuse {
    uint64_t seed;
    uint64_t noted_us;            /* the last abort */
    struct place (*sets)[PLACES]; /* owned; NULL while nobody aborts */
};

struct abuse *abuse_new(uint64_t seed)
{
    struct abuse *a = xcalloc(1, sizeof(*a));
    a->seed = seed;
    return a;
}

void abuse_free(struct abuse *a)
{
    if (!a)
        return;
    free(a->sets);
    free(a);
}

static bool key_of(const struct viewer *v, struct key *out)
{
    struct in6_addr v6;
    struct in_addr v4;
    if (v->trusted && !v->proxied)
        return false;
    if (inet_pton(AF_INET, v->address, &v4) == 1) {
        *out = (struct key){0, UINT64_C(0xffff) << 32 | ntohl(v4.s_addr)};
        return true;
    }
    if (inet_pton(AF_INET6, v->address, &v6) != 1)
        return false;
    *out = (struct key){0, 0};
    memcpy(&out->network, v6.s6_addr, sizeof out->network);
    return true;
}

/* The finaliser of splitmix64. */
static uint64_t mix(uint64_t x)
{
    x = (x ^ (x >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    x = (x ^ (x >> 27)) * UINT64_C(0x94d049bb133111eb);
    return x ^ (x >> 31);
}

static struct place *set_of(struct abuse *a, const struct key *k)
{
    return a->sets[mix(mix(k->network ^ a->seed) + k->host) % SETS];
}

static struct place *find(struct abuse *a, const struct key *k)
{
    struct place *set = set_of(a, k);
    for (size_t i = 0; i < PLACES; i++)
        if (set[i].used && set[i].key.network == k->network && set[i].key.host == k->host)
            return &set[i];
    return NULL;
}

static uint64_t left(struct place *p, uint64_t now_us)
{
    (void)bucket_take(&p->bucket, 0, now_us); /* only time passes */
    return p->bucket.micro;
}

/* A place for @k: a free one, else that of the least guilty. */
static struct place *place_for(struct abuse *a, const struct key *k, uint64_t now_us)
{
    struct place *set = set_of(a, k), *best = &set[0];
    for (size_t i = 0; i < PLACES && best->used; i++)
        if (!set[i].used || left(&set[i], now_us) > left(best, now_us))
            best = &set[i];
    *best = (struct place){.key = *k, .used = true};
    bucket_init(&best->bucket, BURST + DEBT, RATE, now_us);
    return best;
}

static void forget_if_quiet(struct abuse *a, uint64_t now_us)
{
    if (a->sets == NULL || now_us < a->noted_us + FILLED_US)
        return;
    free(a->sets);
    a->sets = NULL;
}

void abuse_note(struct abuse *a, const struct viewer *v, uint64_t now_us)
{
    struct key k;
    if (!key_of(v, &k))
        return;
    forget_if_quiet(a, now_us);
    if (a->sets == NULL)
        a->sets = xcalloc(SETS, sizeof(*a->sets));
    a->noted_us = now_us;
    struct place *p = find(a, &k);
    if (p == NULL)
        p = place_for(a, &k, now_us);
    (void)bucket_take(&p->bucket, 1, now_us); /* with none left, no more is owed */
}

bool abuse_blocks(struct abuse *a, const struct viewer *v, uint64_t now_us)
{
    struct key k;
    if (a->sets == NULL)
        return false;
    forget_if_quiet(a, now_us);
    if (a->sets == NULL || !key_of(v, &k))
        return false;
    struct place *p = find(a, &k);
    return p != NULL && left(p, now_us) < (uint64_t)(DEBT + 1) * ONE_TOKEN;
}
