/* SPDX-License-Identifier: MIT */
/* address_buckets.c - keeps the buckets in a hash table of sets, each with a few places; see
 * address_buckets.h.
 *
 * A keyed hash of an address selects its set. When the set is full, a new address takes the place
 * of the address with the most tokens left, which loses the least; but if that would lose any, and
 * the table is not at its full size, the table is doubled before. A full bucket need not be
 * remembered. So the table is freed when nobody has taken tokens for the time in which an empty
 * bucket becomes full.
 *
 * Invariants: an address has at most one place, which is in its set; no bucket holds more than its
 * burst; the table exists while a bucket may not be full. */
#include "src/limits/address_buckets.h"

#include <stdlib.h>

#include "h2mux/base/bucket.h"
#include "h2mux/base/check.h"

enum { FIRST_SETS = 4, SETS = 512, PLACES = 8, SECOND_US = 1000000, MICRO = 1000000 };

struct place {
    struct address of;
    bool used;
    struct bucket bucket;
};

struct address_buckets {
    uint64_t seed, burst, rate;
    uint64_t taken_us;            /* when somebody last took tokens */
    struct place (*sets)[PLACES]; /* owned; NULL: all buckets are full */
    size_t n_sets;                /* a power of two; 0: no table */
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

/* Mixes the bits of @x by the last step of splitmix64. Returns the result. */
static uint64_t mix(uint64_t x)
{
    x = (x ^ (x >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    x = (x ^ (x >> 27)) * UINT64_C(0x94d049bb133111eb);
    return x ^ (x >> 31);
}

static struct place *set_of(const struct address_buckets *b, const struct address *of)
{
    return b->sets[mix(mix(of->network ^ b->seed) + of->host) & (b->n_sets - 1)];
}

/* Checks the set of @of. */
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
    (void)bucket_take(&p->bucket, 0, now_us); /* refills it */
    return p->bucket.micro;
}

static void make_table(struct address_buckets *b, size_t n_sets)
{
    b->n_sets = n_sets;
    b->sets = xcalloc(n_sets, sizeof *b->sets);
}

/* Doubles the table. What one set has has room in the two that it becomes. */
static void grow(struct address_buckets *b)
{
    struct place(*before)[PLACES] = b->sets;
    size_t n = b->n_sets;
    make_table(b, 2 * n);
    for (size_t i = 0; i < n * PLACES; i++) {
        const struct place *p = &before[i / PLACES][i % PLACES];
        struct place *to = p->used ? set_of(b, &p->of) : NULL;
        while (to && to->used)
            to++;
        if (to)
            *to = *p;
    }
    free(before);
}

/* Returns a free place of the set of @of, or else that of the address with the most tokens left. */
static struct place *best_place(const struct address_buckets *b, const struct address *of,
                                uint64_t now_us)
{
    struct place *set = set_of(b, of), *best = &set[0];
    for (size_t i = 0; i < PLACES && best->used; i++)
        if (!set[i].used || left(&set[i], now_us) > left(best, now_us))
            best = &set[i];
    return best;
}

/* Gives @of a place with a full bucket, and forgets who has it. Returns the place. */
static struct place *place_for(struct address_buckets *b, const struct address *of, uint64_t now_us)
{
    struct place *best = best_place(b, of, now_us);
    while (best->used && left(best, now_us) < b->burst * MICRO && b->n_sets < SETS) {
        grow(b);
        best = best_place(b, of, now_us);
    }
    *best = (struct place){.of = *of, .used = true};
    bucket_init(&best->bucket, b->burst, b->rate, now_us);
    return best;
}

void address_buckets_tidy(struct address_buckets *b, uint64_t now_us)
{
    if (!b || !b->sets || now_us < b->taken_us + b->burst / b->rate * SECOND_US + SECOND_US)
        return;
    free(b->sets);
    b->sets = NULL;
    b->n_sets = 0;
}

size_t address_buckets_bytes(const struct address_buckets *b)
{
    return b ? b->n_sets * sizeof *b->sets : 0;
}

bool address_buckets_all_full(const struct address_buckets *b)
{
    return !b->sets;
}

bool address_buckets_take(struct address_buckets *b, const struct address *of, uint64_t tokens,
                          uint64_t now_us)
{
    address_buckets_tidy(b, now_us);
    if (!b->sets)
        make_table(b, FIRST_SETS);
    b->taken_us = now_us;
    struct place *p = find(b, of);
    if (!p)
        p = place_for(b, of, now_us);
    bool taken = bucket_take(&p->bucket, tokens, now_us);
    if (CHECKING)
        address_buckets_check(b, of);
    return taken;
}

void address_buckets_give(struct address_buckets *b, const struct address *of, uint64_t tokens,
                          uint64_t now_us)
{
    struct place *p = b->sets ? find(b, of) : NULL;
    if (p)
        bucket_give(&p->bucket, tokens, now_us);
}

bool address_buckets_admit(struct address_buckets *b, const struct viewer *v, uint64_t now_us)
{
    struct address of;
    return !b || !address_of_viewer(v, &of) || address_buckets_take(b, &of, 1, now_us);
}

uint64_t address_buckets_left(struct address_buckets *b, const struct address *of, uint64_t now_us)
{
    address_buckets_tidy(b, now_us);
    struct place *p = b->sets ? find(b, of) : NULL;
    return p ? left(p, now_us) : b->burst * MICRO;
}
