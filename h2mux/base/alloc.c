/* SPDX-License-Identifier: MIT */
/* alloc.c - implements alloc.h. No other file calls libc's allocator for objects of a fixed
 * size. */
#include "h2mux/base/alloc.h"

#include <malloc.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "h2mux/base/kernel.h"

/* Writes "out of memory" to standard error and aborts. Uses no stdio, because stdio may need memory
 * itself. */
static _Noreturn void die_out_of_memory(void)
{
    static const char text[] = "out of memory\n";
    ssize_t ignored = write(STDERR_FILENO, text, sizeof text - 1);
    (void)ignored;
    abort();
}

enum {
    MIB = 1024 * 1024,
    KEPT_AT_TOP = 16 * MIB,
    KEPT_AT_REST = 2 * MIB,
    MAPPED_FROM = MIB,
    SMALL = 4096,
    LARGE = 16 * 1024
};

void alloc_tune(void)
{
    mallopt(M_TRIM_THRESHOLD, KEPT_AT_TOP);
    mallopt(M_MMAP_THRESHOLD, MAPPED_FROM);
}

/* Gives free memory back to the kernel if the resident memory exceeds the used memory by more than
 * a quarter plus 2 MiB. Free memory that the kernel has back already is not resident, so it does
 * not count. */
void alloc_settle(void)
{
    struct mallinfo2 m = mallinfo2();
    size_t used = m.uordblks + m.hblkhd;
    if (kernel_resident() > used + used / 4 + KEPT_AT_REST)
        malloc_trim(KEPT_AT_REST / 2);
}

void *xmalloc(size_t size)
{
    void *ptr = malloc(size ? size : 1);
    if (!ptr)
        die_out_of_memory();
    return ptr;
}

/* Returns @size zeroed bytes, and aborts if there is no memory. Calls malloc and not calloc:
 * glibc's malloc takes small blocks from a cache of the thread, its calloc does not. */
static void *zeroed(size_t size)
{
    return memset(xmalloc(size), 0, size);
}

void *xcalloc(size_t n, size_t size)
{
    bool small = n == 1 && size > 0 && size <= SMALL;
    void *ptr = small ? zeroed(size) : calloc(n ? n : 1, size ? size : 1);
    if (!ptr)
        die_out_of_memory();
    return ptr;
}

void *xrealloc(void *ptr, size_t size)
{
    /* realloc(ptr, 0) frees @ptr and returns NULL, which would look like a failure. */
    void *moved = realloc(ptr, size ? size : 1);
    if (!moved)
        die_out_of_memory();
    return moved;
}

char *xstrdup(const char *str)
{
    size_t size = strlen(str) + 1;
    return memcpy(xcalloc(1, size), str, size);
}

char *xasprintf(const char *fmt, ...)
{
    char *out = NULL;
    va_list args;
    va_start(args, fmt);
    int len = vasprintf(&out, fmt, args);
    va_end(args);
    if (len < 0)
        die_out_of_memory();
    return out;
}

/* Tells the kernel to drop the whole pages of a new block, and returns the block. The pages may be
 * resident because the allocator may have given out the same memory before. The allocator's own
 * notes lie outside the block and stay. */
static void *untouched(char *ptr, size_t size)
{
    size_t page = (size_t)sysconf(_SC_PAGESIZE);
    size_t before = -(uintptr_t)ptr % page; /* bytes before the first whole page */
    if (ptr && size >= before + page)
        madvise(ptr + before, (size - before) / page * page, MADV_DONTNEED);
    return ptr;
}

void *library_malloc(size_t size, void *unused)
{
    return size < LARGE ? malloc(size) : untouched(malloc(size), size);
}

void library_free(void *ptr, void *unused)
{
    free(ptr);
}

void *library_calloc(size_t n, size_t size, void *unused)
{
    return calloc(n, size);
}

void *library_realloc(void *ptr, size_t size, void *unused)
{
    return !ptr ? library_malloc(size, NULL) : realloc(ptr, size);
}
