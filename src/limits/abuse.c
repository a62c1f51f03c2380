/* SPDX-License-Identifier: MIT */
/* abuse.c - a bucket of aborts for each address that has aborted lately.
 *
 * Many requests are let in before the first of their aborts is seen, so a bucket is deeper than the
 * burst: what is taken from below is owed. */
#include "src/limits/abuse.h"

#include <stdlib.h>

#include "src/limits/address_buckets.h"

enum { BURST = 1000, RATE = 100, DEBT = 1000, ONE_TOKEN = 1000000 };

struct abuse {
    struct address_buckets *aborts; /* owned */
};

struct abuse *abuse_new(uint64_t seed)
{
    struct abuse *a = xcalloc(1, sizeof *a);
    a->aborts = address_buckets_new(seed, BURST + DEBT, RATE);
    return a;
}

void abuse_free(struct abuse *a)
{
    if (!a)
        return;
    address_buckets_free(a->aborts);
    free(a);
}

void abuse_note(struct abuse *a, const struct viewer *v, uint64_t now_us)
{
    struct address of;
    if (address_of_viewer(v, &of))
        (void)address_buckets_take(a->aborts, &of, 1, now_us); /* with none left, no more is owed */
}

bool abuse_blocks(struct abuse *a, const struct viewer *v, uint64_t now_us)
{
    struct address of;
    return !address_buckets_all_full(a->aborts) && address_of_viewer(v, &of) &&
           address_buckets_left(a->aborts, &of, now_us) < (uint64_t)(DEBT + 1) * ONE_TOKEN;
}
