/* SPDX-License-Identifier: MIT */
/* pool.h - small blocks that come and go with every message: free lists by size, one set a thread.
 *
 * A block may be given back on another thread than it was taken on. The content of a block is
 * whatever was there. Under AddressSanitizer every block is malloc's own, so that its use after the
 * end is seen. */
#ifndef H2MUX_BASE_POOL_H
#define H2MUX_BASE_POOL_H

#include <stddef.h>

#include "h2mux/base/alloc.h"

enum { POOL_MAX = 2048 }; /* bytes; what is larger is malloc's business */

void *pool_take(size_t size) MUSTCHECK; /* @size <= POOL_MAX; aborts when memory is gone */
void *pool_take_zeroed(size_t size) MUSTCHECK;
void pool_give(void *block, size_t size); /* @size as it was taken; NULL is fine */
void pool_drain(void);                    /* this thread's free blocks go: before it ends */

#endif
