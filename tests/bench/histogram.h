/* SPDX-License-Identifier: MIT */
/* histogram.h - latencies in buckets that grow with the value: exact to 1.6 %, of fixed size, from
 * 1 us to 70 minutes. */
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

/* The value that @share (0..1) of all are not above; 0 when there are none. */
uint64_t histogram_percentile_us(const struct histogram *h, double share);

/* The members "p50_ms" .. "max_ms" of a JSON object, without braces. */
void histogram_print(const struct histogram *h, FILE *out);

#endif
