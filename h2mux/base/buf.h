/* SPDX-License-Identifier: MIT */
/* buf.h - owned bytes that grow up to a limit fixed at init and are consumed from the front.
 *
 * Memory comes with the first byte and goes with the last (buf_consume to empty keeps it;
 * buf_release gives it back), so an idle connection's buffers cost nothing. Slices into a buf are
 * good until its next append. */
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
void buf_release(struct buf *b); /* drops content and memory; the buf stays usable */

static inline size_t buf_len(const struct buf *b)
{
    return b->end - b->start;
}

/* What can be reserved as it is: nothing moves. */
static inline size_t buf_room(const struct buf *b)
{
    return b->cap - b->end;
}

static inline struct slice buf_slice(const struct buf *b)
{
    return slice_make(b->ptr ? b->ptr + b->start : "", b->end - b->start);
}

/* ERR_LIMIT: nothing was appended. */
int buf_append(struct buf *b, struct slice s) MUSTCHECK;
int buf_printf(struct buf *b, const char *fmt, ...) MUSTCHECK PRINTF_LIKE(2, 3);

/* Room for @len more bytes behind the content, to be written by the caller, then buf_commit. NULL:
 * over the limit. */
char *buf_reserve(struct buf *b, size_t len) MUSTCHECK;
void buf_commit(struct buf *b, size_t len);

void buf_consume(struct buf *b, size_t len);
/* While it is empty: content will begin behind room for @len bytes, which buf_prepend can use.
 * What was consumed leaves such room too. */
void buf_headroom(struct buf *b, size_t len);
bool buf_prepend(struct buf *b, struct slice s) MUSTCHECK; /* false: no room in front */
void buf_truncate(struct buf *b, size_t len); /* cuts from the end down to @len bytes */
/* Gives back memory that is much larger than the content; what is in it moves. */
void buf_fit(struct buf *b);

#endif
