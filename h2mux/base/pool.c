/* SPDX-License-Identifier: MIT */
/* pool.c - implements pool.h. Blocks are kept in classes by size. The first word of a free block
 * points to the next free block of its class.
 *
 * Invariants: a class keeps at most 256 KiB (KEPT) of free blocks, so that the memory of a burst is
 * freed; the count of a class is the length of its list. */
#include "h2mux/base/pool.h"

#include <stdlib.h>
#include <string.h>

#include "h2mux/base/check.h"

#if defined(__SANITIZE_ADDRESS__)
#define POOLED 0
#elif defined(__has_feature)
#define POOLED !__has_feature(address_sanitizer) /* clang */
#else
#define POOLED 1
#endif

enum { STEP = 64, CLASSES = POOL_MAX / STEP, KEPT = 256 * 1024 };

struct block {
    struct block *next;
};

static _Thread_local struct {
    struct block *free;
    unsigned count;
} classes[CLASSES];

static size_t class_of(size_t size)
{
    return size == 0 ? 0 : (size - 1) / STEP;
}

static void class_check(size_t c)
{
    CHECK_THAT(c < CLASSES);
    CHECK_THAT(!classes[c].free == (classes[c].count == 0));
    CHECK_THAT(classes[c].count <= KEPT / ((c + 1) * STEP));
}

void *pool_take(size_t size)
{
    size_t c = class_of(size);
    if (CHECKING)
        class_check(c);
    struct block *b = classes[c].free;
    if (!POOLED || !b)
        return xmalloc((c + 1) * STEP);
    classes[c].free = b->next;
    classes[c].count--;
    return b;
}

void *pool_take_zeroed(size_t size)
{
    return memset(pool_take(size), 0, size);
}

void pool_give(void *block, size_t size)
{
    size_t c = class_of(size);
    struct block *b = block;
    if (!b)
        return;
    if (!POOLED || classes[c].count >= KEPT / ((c + 1) * STEP)) {
        free(b);
        return;
    }
    b->next = classes[c].free;
    classes[c].free = b;
    classes[c].count++;
    if (CHECKING)
        class_check(c);
}

void pool_drain(void)
{
    for (size_t c = 0; c < CLASSES; c++) {
        for (struct block *b; (b = classes[c].free); classes[c].count--) {
            classes[c].free = b->next;
            free(b);
        }
        CHECK_THAT(classes[c].count == 0);
    }
}
