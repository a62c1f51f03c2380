/* SPDX-License-Identifier: MIT */
/* buf.h - a buffer of bytes that are appended at the end and consumed from the front. It grows up
 * to a limit that buf_init sets.
 *
 * An empty buf has no memory until its first byte; buf_consume keeps the memory, buf_release gives
 * it back. So the buffers of an idle connection can cost nothing. A slice into a buf is valid until
 * the next append. */
#ifndef H2MUX_BASE_BUF_H
#define H2MUX_BASE_BUF_H

#include "h2mux/base/slice.h"

struct buf {
    char *ptr;    /* owned; NULL while nothing is allocated */
    size_t start; /* first unconsumed byte */
    size_t end;   /* one past the last byte */
    size_t cap;
    size_t limit; /* most bytes held at one time */
};

void buf_init(struct buf *b, size_t limit);
/* Drops content and memory. The buf stays usable. */
void buf_release(struct buf *b);

static inline size_t buf_len(const struct buf *b)
{
    return b->end - b->start;
}

/* Returns how many bytes can be reserved without moving the content. */
static inline size_t buf_room(const struct buf *b)
{
    return b->cap - b->end;
}

static inline struct slice buf_slice(const struct buf *b)
{
    return slice_make(b->ptr ? b->ptr + b->start : "", b->end - b->start);
}

/* Both append, or fail with ERR_LIMIT and append nothing. */
int buf_append(struct buf *b, struct slice s) MUSTCHECK;
int buf_printf(struct buf *b, const char *fmt, ...) MUSTCHECK PRINTF_LIKE(2, 3);

/* Returns room for @len bytes behind the content. The caller writes there and then calls buf_commit
 * with the number of bytes written. Returns NULL if that would be over the limit. */
char *buf_reserve(struct buf *b, size_t len) MUSTCHECK;
void buf_commit(struct buf *b, size_t len);

/* Drops the first @len bytes of the content. */
void buf_consume(struct buf *b, size_t len);
/* Leaves room for @len bytes in front of what will be appended, for buf_prepend. The buf is empty.
 * Bytes that were consumed leave such room, too. */
void buf_headroom(struct buf *b, size_t len);
/* Puts @s in front of the content. Returns false if there is no room in front. */
bool buf_prepend(struct buf *b, struct slice s) MUSTCHECK;
/* Cuts the content from the end down to @len bytes. */
void buf_truncate(struct buf *b, size_t len);
/* Moves the content to smaller memory if the buf has far more than that needs. */
void buf_fit(struct buf *b);

/* Checks the invariants of buf.c (check.h). */
void buf_check(const struct buf *b);

#endif
