/* SPDX-License-Identifier: MIT */
/* alloc.h - allocates memory, and aborts the process if there is none. A size that a peer can
 * choose comes here through a `struct buf` alone, which has a limit. */
#ifndef H2MUX_BASE_ALLOC_H
#define H2MUX_BASE_ALLOC_H

#include <stddef.h>

#define MUSTCHECK __attribute__((warn_unused_result))
#define PRINTF_LIKE(fmt, args) __attribute__((format(printf, fmt, args)))
#define CONTAINER_OF(ptr, type, member) ((type *)(void *)((char *)(ptr)-offsetof(type, member)))
#define CONST_CONTAINER_OF(ptr, type, member)                                                      \
    ((const type *)(const void *)((const char *)(ptr)-offsetof(type, member)))

/* Makes the allocator keep some MiB of what a burst needed for the next one, where it would give
 * them to the kernel and ask for them again page by page. main calls it first. */
void alloc_tune(void);
/* Gives free memory between used blocks back to the kernel if that is some MiB and more than a
 * quarter of the memory in use. Called behind a burst: a look takes up to some milliseconds, and
 * giving much back takes tens of them. */
void alloc_settle(void);

/* As malloc, calloc, realloc, strdup and asprintf; none of them returns NULL. */
void *xmalloc(size_t size) MUSTCHECK;
void *xcalloc(size_t n, size_t size) MUSTCHECK;
void *xrealloc(void *ptr, size_t size) MUSTCHECK;
char *xstrdup(const char *str) MUSTCHECK;
char *xasprintf(const char *fmt, ...) MUSTCHECK PRINTF_LIKE(1, 2);

/* libc's allocator with the signatures of a library that wants one; NULL if there is no memory. No
 * page of a large new block is resident before it is written to. That suits buffers that live long
 * and of which mostly the beginning is used. */
void *library_malloc(size_t size, void *unused) MUSTCHECK;
void library_free(void *ptr, void *unused);
void *library_calloc(size_t n, size_t size, void *unused) MUSTCHECK;
void *library_realloc(void *ptr, size_t size, void *unused) MUSTCHECK;

#endif
