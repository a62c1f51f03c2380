/* SPDX-License-Identifier: MIT */
/* histogram.c - see histogram.h. The number of a bucket is the position of a value's highest bit,
 * then the HISTOGRAM_SUB_BITS bits below. */
#include "tests/bench/histogram.h"

enum { SUB = 1 << HISTOGRAM_SUB_BITS };

static size_t bucket_of(uint64_t us)
{
    if (us < SUB)
        return (size_t)us;
    unsigned shift = 63 - (unsigned)__builtin_clzll(us) - HISTOGRAM_SUB_BITS;
    size_t at = ((size_t)(shift + 1) << HISTOGRAM_SUB_BITS) + (size_t)((us >> shift) - SUB);
    return at < HISTOGRAM_BUCKETS ? at : HISTOGRAM_BUCKETS - 1;
}

/* Returns the largest value of a bucket, so that no percentile is reported too small. */
static uint64_t bucket_top(size_t at)
{
    if (at < SUB)
        return at;
    unsigned shift = (unsigned)(at >> HISTOGRAM_SUB_BITS) - 1;
    return (((uint64_t)SUB + (at & (SUB - 1)) + 1) << shift) - 1;
}

void histogram_add(struct histogram *h, uint64_t us)
{
    h->count++;
    h->sum_us += us;
    if (us > h->max_us)
        h->max_us = us;
    h->bucket[bucket_of(us)]++;
}

uint64_t histogram_percentile_us(const struct histogram *h, double share)
{
    uint64_t want = (uint64_t)(share * (double)h->count + 0.999999), seen = 0;
    for (size_t at = 0; at < HISTOGRAM_BUCKETS && h->count > 0; at++) {
        seen += h->bucket[at];
        if (seen >= want)
            return bucket_top(at) < h->max_us ? bucket_top(at) : h->max_us;
    }
    return h->max_us;
}

static double ms(uint64_t us)
{
    return (double)us / 1000;
}

void histogram_print(const struct histogram *h, FILE *out)
{
    fprintf(out,
            "\"p50_ms\": %.3f, \"p90_ms\": %.3f, \"p99_ms\": %.3f, \"p99_9_ms\": %.3f, \"max_ms\": "
            "%.3f, \"mean_ms\": %.3f",
            ms(histogram_percentile_us(h, 0.5)), ms(histogram_percentile_us(h, 0.9)),
            ms(histogram_percentile_us(h, 0.99)), ms(histogram_percentile_us(h, 0.999)),
            ms(h->max_us), h->count ? ms(h->sum_us) / (double)h->count : 0);
}
