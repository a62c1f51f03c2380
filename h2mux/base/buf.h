/* SPDX-License-Identifier: MIT */
/* buf.h - holds bytes that are appended at the end and consumed from the front. A buf grows up to
 * the limit that buf_init sets.
 *
 * A buf has no memory until its first byte. buf_consume keeps the memory, buf_release frees the
 * memory; so the buffers of an idle connection can cost nothing. A slice into a buf is valid until
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
/* Drops the content and frees the memory. The buf can be used again. */
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

/* Append a slice, and a formatted text. Both return 0, or append nothing and return ERR_LIMIT if
 * the buf's limit would be exceeded. */
int buf_append(struct buf *b, struct slice s) MUSTCHECK;
int buf_printf(struct buf *b, const char *fmt, ...) MUSTCHECK PRINTF_LIKE(2, 3);

/* Returns a pointer to room for @len bytes after the content, or NULL if the buf's limit would be
 * exceeded. The caller writes to this room and then calls buf_commit with the number of bytes
 * written. */
char *buf_reserve(struct buf *b, size_t len) MUSTCHECK;
void buf_commit(struct buf *b, size_t len);

/* Drops the first @len bytes of the content. */
void buf_consume(struct buf *b, size_t len);
/* Leaves room for @len bytes before the bytes that will be appended; buf_prepend uses the room. The
 * buf must be empty. Consumed bytes leave room for buf_prepend, too. */
void buf_headroom(struct buf *b, size_t len);
/* Puts @s before the content. Returns false if the room before the content is too small. */
bool buf_prepend(struct buf *b, struct slice s) MUSTCHECK;
/* Shortens the content to its first @len bytes. Leaves shorter content as it is. */
void buf_truncate(struct buf *b, size_t len);
/* Moves the content to smaller memory, if the memory has 4 KiB or more and the content fills at
 * most a quarter of the memory. */
void buf_fit(struct buf *b);

/* Checks the invariants of buf.c (check.h). */
void buf_check(const struct buf *b);

#endif
