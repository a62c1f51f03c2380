/* SPDX-License-Identifier: MIT */
/* bucket.c - implements bucket.h. A bucket counts millionths of tokens: a rate in tokens a second
 * times a time in microseconds gives millionths without a division. So rounding loses nothing,
 * however often tokens are taken.
 *
 * Invariant: micro <= burst in millionths. */
#include "h2mux/base/bucket.h"

#include "h2mux/base/check.h"

enum { MICRO = 1000000 };

static uint64_t to_micro(uint64_t tokens)
{
    return tokens > UINT64_MAX / MICRO ? UINT64_MAX : tokens * MICRO;
}

void bucket_init(struct bucket *b, uint64_t burst, uint64_t rate, uint64_t now_us)
{
    *b = (struct bucket){
        .burst = burst, .rate = rate, .micro = to_micro(burst), .updated_us = now_us};
}

static void bucket_refill(struct bucket *b, uint64_t now_us)
{
    if (now_us <= b->updated_us)
        return;
    uint64_t elapsed_us = now_us - b->updated_us;
    uint64_t missing = to_micro(b->burst) - b->micro;
    b->updated_us = now_us;
    if (b->rate == 0)
        return;
    /* The division avoids an overflow: a long pause times a high rate may exceed 64 bits. */
    if (elapsed_us > missing / b->rate)
        b->micro += missing;
    else
        b->micro += elapsed_us * b->rate;
    CHECK_THAT(b->micro <= to_micro(b->burst));
}

bool bucket_take(struct bucket *b, uint64_t tokens, uint64_t now_us)
{
    bucket_refill(b, now_us);
    if (tokens > b->micro / MICRO)
        return false;
    b->micro -= tokens * MICRO;
    return true;
}

void bucket_give(struct bucket *b, uint64_t tokens, uint64_t now_us)
{
    bucket_refill(b, now_us);
    uint64_t missing = to_micro(b->burst) - b->micro, given = to_micro(tokens);
    b->micro += given < missing ? given : missing;
}
