/* SPDX-License-Identifier: MIT */
/* bucket.h - a token bucket: holds a burst of tokens and is refilled at a steady rate. The caller
 * passes the time. */
#ifndef H2MUX_BASE_BUCKET_H
#define H2MUX_BASE_BUCKET_H

#include <stdbool.h>
#include <stdint.h>

struct bucket {
    uint64_t burst;      /* most tokens held */
    uint64_t rate;       /* tokens a second */
    uint64_t micro;      /* tokens held, in millionths */
    uint64_t updated_us; /* monotonic */
};

/* Fills the bucket. */
void bucket_init(struct bucket *b, uint64_t burst, uint64_t rate, uint64_t now_us);
/* Takes @tokens. Returns false, and takes none, if there are fewer. */
bool bucket_take(struct bucket *b, uint64_t tokens, uint64_t now_us);

#endif
