/* SPDX-License-Identifier: MIT */
/* pool.h - allocates small blocks from free lists, one set of lists for each thread: such blocks
 * come and go with every message.
 *
 * A block may be given back on another thread than it was taken on. Under AddressSanitizer each
 * block comes from malloc, so that a use after its end is found. */
#ifndef H2MUX_BASE_POOL_H
#define H2MUX_BASE_POOL_H

#include <stddef.h>

#include "h2mux/base/alloc.h"

enum { POOL_MAX = 2048 }; /* bytes; larger memory comes from malloc */

/* Both return a block of @size bytes, at most POOL_MAX, and abort if there is no memory. pool_take
 * leaves in the block what was there before. */
void *pool_take(size_t size) MUSTCHECK;
void *pool_take_zeroed(size_t size) MUSTCHECK;
/* Gives a block back. @size is the size that it was taken with; @block may be NULL. */
void pool_give(void *block, size_t size);
/* Frees the free blocks of this thread. A thread calls it before it ends. */
void pool_drain(void);

#endif
