/* SPDX-License-Identifier: MIT */
/* alloc.h - allocation that cannot fail: fixed-size objects abort the process when memory is gone.
 * Sizes that a peer can choose never come here but through `struct buf` with a limit. */
#ifndef H2MUX_BASE_ALLOC_H
#define H2MUX_BASE_ALLOC_H

#include <stddef.h>

#define MUSTCHECK __attribute__((warn_unused_result))
#define PRINTF_LIKE(fmt, args) __attribute__((format(printf, fmt, args)))
#define CONTAINER_OF(ptr, type, member) ((type *)(void *)((char *)(ptr)-offsetof(type, member)))
#define CONST_CONTAINER_OF(ptr, type, member)                                                      \
    ((const type *)(const void *)((const char *)(ptr)-offsetof(type, member)))

/* First thing in main: what a burst needed is kept for the next one, up to a few MiB, rather than
 * given to the kernel and asked back page by page. */
void alloc_tune(void);
/* Behind a burst: what lies free between what is in use goes to the kernel too, if it is more than
 * a quarter of that and some MiB. A look costs up to some milliseconds, giving much back tens of
 * them.
 */
void alloc_settle(void);

void *xmalloc(size_t size) MUSTCHECK; /* its content is whatever was there */
void *xcalloc(size_t n, size_t size) MUSTCHECK;
void *xrealloc(void *ptr, size_t size) MUSTCHECK;
char *xstrdup(const char *str) MUSTCHECK;
char *xasprintf(const char *fmt, ...) MUSTCHECK PRINTF_LIKE(1, 2);

/* libc's, in the shape that a library asks for its allocator in; it is told NULL when memory is
 * gone. Of a block that begins large no page is resident before it is written to: for buffers that
 * live long and of which most often only the beginning is used. */
void *library_malloc(size_t size, void *unused) MUSTCHECK;
void library_free(void *ptr, void *unused);
void *library_calloc(size_t n, size_t size, void *unused) MUSTCHECK;
void *library_realloc(void *ptr, size_t size, void *unused) MUSTCHECK;

#endif
