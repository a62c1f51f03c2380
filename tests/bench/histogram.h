/* SPDX-License-Identifier: MIT */
/* histogram.h - counts latencies from 1 us to 70 minutes in buckets that grow with the value: a
 * fixed size, exact to 1.6 %. */
#ifndef TESTS_BENCH_HISTOGRAM_H
#define TESTS_BENCH_HISTOGRAM_H

#include <stdint.h>
#include <stdio.h>

enum { HISTOGRAM_SUB_BITS = 6, HISTOGRAM_BUCKETS = 28 << HISTOGRAM_SUB_BITS };

struct histogram {
    uint64_t count, sum_us, max_us;
    uint64_t bucket[HISTOGRAM_BUCKETS];
};

void histogram_add(struct histogram *h, uint64_t us);

/* Returns the percentile at @share (0..1), or 0 if there are no values. */
uint64_t histogram_percentile_us(const struct histogram *h, double share);

/* Prints the members "p50_ms" to "max_ms" of a JSON object, without braces. */
void histogram_print(const struct histogram *h, FILE *out);

#endif
