/* SPDX-License-Identifier: MIT */
/* abuse.c - keeps a bucket of aborts for each address; see abuse.h.
 *
 * An address can have many requests under way when its viewers begin to abort them, so more aborts
 * follow after the address is blocked. Therefore a bucket holds BURST + DEBT tokens. An address
 * that has used up BURST of them is blocked. Its further aborts take the other tokens, and these
 * must come back, too, before the address is let in again. */
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
        (void)address_buckets_take(a->aborts, &of, 1, now_us); /* an empty bucket stays empty */
}

bool abuse_blocks(struct abuse *a, const struct viewer *v, uint64_t now_us)
{
    struct address of;
    return !address_buckets_all_full(a->aborts) && address_of_viewer(v, &of) &&
           address_buckets_left(a->aborts, &of, now_us) < (uint64_t)(DEBT + 1) * ONE_TOKEN;
}
