/* SPDX-License-Identifier: MIT */
/* pieces.h - cuts bytes into pieces of random length, the same ones in every run. */
#ifndef TESTS_UNIT_PIECES_H
#define TESTS_UNIT_PIECES_H

#include <stddef.h>
#include <stdint.h>

enum { PIECES_ROUNDS = 16 }; /* so many ways to cut a row */

/* The length of the next piece of @left bytes, 1 at least; mostly short ones. xorshift32 */
static inline size_t next_piece(uint32_t *seed, size_t left)
{
    uint32_t x = *seed;
    x ^= x << 13;
    x ^= x >> 17;
    x ^= x << 5;
    *seed = x;
    size_t most = x & 1 ? 4 : 64;
    size_t n = 1 + (x >> 1) % most;
    return n < left ? n : left;
}

#endif
