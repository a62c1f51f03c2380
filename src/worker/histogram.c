/* SPDX-License-Identifier: MIT */
/* histogram.c - see histogram.h. */
#include "src/worker/histogram.h"

#include <stddef.h>

const uint64_t histogram_limit_us[HISTOGRAM_CLASSES] = {
    5000, 10000, 25000, 50000, 100000, 250000, 500000, 1000000, 2500000, 5000000, 10000000,
};

void histogram_add(struct histogram *h, uint64_t us)
{
    size_t at = 0;
    while (at < HISTOGRAM_CLASSES && us > histogram_limit_us[at])
        at++;
    stat_add(&h->class[at], 1);
    stat_add(&h->sum_us, (int64_t)us);
}
