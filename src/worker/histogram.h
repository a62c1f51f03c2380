/* SPDX-License-Identifier: MIT */
/* histogram.h - counts how long something took, in classes of time. Only one thread adds; any
 * thread may read. */
#ifndef SRC_WORKER_HISTOGRAM_H
#define SRC_WORKER_HISTOGRAM_H

#include "src/worker/counter.h"

enum { HISTOGRAM_CLASSES = 11 };

/* The longest time (microseconds) of each class but the last one, which has no limit. */
extern const uint64_t histogram_limit_us[HISTOGRAM_CLASSES];

struct histogram {
    struct counter class[HISTOGRAM_CLASSES + 1]; /* times beyond the limit of the class before */
    struct counter sum_us;
};

void histogram_add(struct histogram *h, uint64_t us);

#endif
