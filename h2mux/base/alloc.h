/* SPDX-License-Identifier: MIT */
/* alloc.h - allocates memory. The functions whose names begin with x abort the process if there is
 * no memory. Memory whose size a peer can choose is allocated only through a `struct buf`, which
 * has a limit. */
#ifndef H2MUX_BASE_ALLOC_H
#define H2MUX_BASE_ALLOC_H

#include <stddef.h>

#define MUSTCHECK __attribute__((warn_unused_result))
#define PRINTF_LIKE(fmt, args) __attribute__((format(printf, fmt, args)))
#define CONTAINER_OF(ptr, type, member) ((type *)(void *)((char *)(ptr)-offsetof(type, member)))
#define CONST_CONTAINER_OF(ptr, type, member)                                                      \
    ((const type *)(const void *)((const char *)(ptr)-offsetof(type, member)))

/* Makes the allocator keep up to 16 MiB of free memory at the top of the heap for the next burst.
 * By default the allocator would give the memory to the kernel after a burst, and ask for the
 * memory again page by page. main calls this function first. */
void alloc_tune(void);
/* Gives free memory between used blocks back to the kernel, if it is more than 2 MiB plus a quarter
 * of the used memory. The loop calls this function after a burst, because the look takes up to some
 * milliseconds and giving much memory back takes tens of milliseconds. */
void alloc_settle(void);

/* These functions do what malloc, calloc, realloc, strdup and asprintf do, but abort the process
 * where those would return NULL. */
void *xmalloc(size_t size) MUSTCHECK;
void *xcalloc(size_t n, size_t size) MUSTCHECK;
void *xrealloc(void *ptr, size_t size) MUSTCHECK;
char *xstrdup(const char *str) MUSTCHECK;
char *xasprintf(const char *fmt, ...) MUSTCHECK PRINTF_LIKE(1, 2);

/* These functions are libc's allocator with the signatures that a library (nghttp2) asks for. They
 * return NULL if there is no memory. A large block (16 KiB or more) of library_malloc has no
 * resident page before its first write. That suits a buffer that lives long and is mostly used at
 * its beginning. */
void *library_malloc(size_t size, void *unused) MUSTCHECK;
void library_free(void *ptr, void *unused);
void *library_calloc(size_t n, size_t size, void *unused) MUSTCHECK;
void *library_realloc(void *ptr, size_t size, void *unused) MUSTCHECK;

#endif
