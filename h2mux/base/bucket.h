/* SPDX-License-Identifier: MIT */
/* bucket.h - limits how often something may happen, by a token bucket. A bucket holds at most
 * `burst` tokens and gains `rate` tokens a second. The caller passes the time. */
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

/* Makes a full bucket. */
void bucket_init(struct bucket *b, uint64_t burst, uint64_t rate, uint64_t now_us);
/* Takes @tokens out of the bucket and returns true. Takes nothing and returns false if the bucket
 * holds fewer. */
bool bucket_take(struct bucket *b, uint64_t tokens, uint64_t now_us);
/* Puts @tokens back, as far as the bucket has room. */
void bucket_give(struct bucket *b, uint64_t tokens, uint64_t now_us);

#endif
