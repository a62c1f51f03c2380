/* SPDX-License-Identifier: MIT */
/* address_buckets.c - sets of a few places each, found by a keyed hash; where a set is full, the
 * address with the most tokens left gives its place to the newcomer. What is full again is as good
 * as not there, so the whole table goes when nobody has taken anything for as long as an empty
 * bucket needs to fill. Invariant: sets != NULL iff something was taken since. */
#include "src/limits/address_buckets.h"

#include <stdlib.h>

#include "h2mux/base/bucket.h"
#include "h2mux/base/check.h"

enum { SETS = 512, PLACES = 8, SECOND_US = 1000000, MICRO = 1000000 };

struct place {
    struct address of;
    bool used;
    struct bucket bucket;
};

struct address_buckets {
    uint64_t seed, burst, rate;
    uint64_t taken_us;            /* the last time */
    struct place (*sets)[PLACES]; /* owned; NULL while nobody takes */
};

struct address_buckets *address_buckets_new(uint64_t seed, uint64_t burst, uint64_t rate)
{
    struct address_buckets *b = xcalloc(1, sizeof *b);
    b->seed = seed;
    b->burst = burst;
    b->rate = rate;
    return b;
}

void address_buckets_free(struct address_buckets *b)
{
    if (!b)
        return;
    free(b->sets);
    free(b);
}

/* The finaliser of splitmix64. */
static uint64_t mix(uint64_t x)
{
    x = (x ^ (x >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    x = (x ^ (x >> 27)) * UINT64_C(0x94d049bb133111eb);
    return x ^ (x >> 31);
}

static struct place *set_of(const struct address_buckets *b, const struct address *of)
{
    return b->sets[mix(mix(of->network ^ b->seed) + of->host) % SETS];
}

/* Looks at the set of @of: an address has one place, in the set that its hash names, and no bucket
 * has more than its burst. */
static void address_buckets_check(const struct address_buckets *b, const struct address *of)
{
    CHECK_THAT(b->sets);
    const struct place *set = set_of(b, of);
    for (size_t i = 0; i < PLACES; i++) {
        if (!set[i].used)
            continue;
        CHECK_THAT(set_of(b, &set[i].of) == set);
        CHECK_THAT(set[i].bucket.burst == b->burst && set[i].bucket.rate == b->rate);
        CHECK_THAT(set[i].bucket.micro <= b->burst * MICRO);
        for (size_t j = 0; j < i; j++)
            CHECK_THAT(!set[j].used || !address_eq(&set[j].of, &set[i].of));
    }
}

static struct place *find(struct address_buckets *b, const struct address *of)
{
    struct place *set = set_of(b, of);
    for (size_t i = 0; i < PLACES; i++)
        if (set[i].used && address_eq(&set[i].of, of))
            return &set[i];
    return NULL;
}

static uint64_t left(struct place *p, uint64_t now_us)
{
    (void)bucket_take(&p->bucket, 0, now_us); /* only time passes */
    return p->bucket.micro;
}

/* A place for @of: a free one, else that of the least guilty. */
static struct place *place_for(struct address_buckets *b, const struct address *of, uint64_t now_us)
{
    struct place *set = set_of(b, of), *best = &set[0];
    for (size_t i = 0; i < PLACES && best->used; i++)
        if (!set[i].used || left(&set[i], now_us) > left(best, now_us))
            best = &set[i];
    *best = (struct place){.of = *of, .used = true};
    bucket_init(&best->bucket, b->burst, b->rate, now_us);
    return best;
}

static void forget_if_quiet(struct address_buckets *b, uint64_t now_us)
{
    if (!b->sets || now_us < b->taken_us + b->burst / b->rate * SECOND_US + SECOND_US)
        return;
    free(b->sets);
    b->sets = NULL;
}

bool address_buckets_all_full(const struct address_buckets *b)
{
    return !b->sets;
}

bool address_buckets_take(struct address_buckets *b, const struct address *of, uint64_t tokens,
                          uint64_t now_us)
{
    forget_if_quiet(b, now_us);
    if (!b->sets)
        b->sets = xcalloc(SETS, sizeof *b->sets);
    b->taken_us = now_us;
    struct place *p = find(b, of);
    if (!p)
        p = place_for(b, of, now_us);
    bool taken = bucket_take(&p->bucket, tokens, now_us);
    if (CHECKING)
        address_buckets_check(b, of);
    return taken;
}

uint64_t address_buckets_left(struct address_buckets *b, const struct address *of, uint64_t now_us)
{
    forget_if_quiet(b, now_us);
    struct place *p = b->sets ? find(b, of) : NULL;
    return p ? left(p, now_us) : b->burst * MICRO;
}
