/* SPDX-License-Identifier: MIT */
/* pool.h - allocates small blocks, which come and go with every message, from free lists. Each
 * thread has free lists of its own.
 *
 * A block may be given back on another thread than it was taken on. Under AddressSanitizer each
 * block comes from malloc, so that a use of a block after pool_give is found. */
#ifndef H2MUX_BASE_POOL_H
#define H2MUX_BASE_POOL_H

#include <stddef.h>

#include "h2mux/base/alloc.h"

enum { POOL_MAX = 2048 }; /* bytes; larger memory comes from malloc */

/* Both return a block of @size bytes, at most POOL_MAX, and abort if there is no memory. The bytes
 * of pool_take have any value; those of pool_take_zeroed are 0. */
void *pool_take(size_t size) MUSTCHECK;
void *pool_take_zeroed(size_t size) MUSTCHECK;
/* Gives a block back that was taken with the same @size. Does nothing if @block is NULL. */
void pool_give(void *block, size_t size);
/* Frees the free blocks of this thread. A thread calls this function before it ends. */
void pool_drain(void);

#endif
