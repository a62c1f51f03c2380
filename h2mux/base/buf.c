/* SPDX-License-Identifier: MIT */
/* buf.c - implements buf.h. Memory of less than POOL_MAX bytes comes from the pool, larger memory
 * from malloc. The memory has one byte more than `cap`, because vsnprintf always writes a zero byte
 * at the end.
 *
 * Invariants: start <= end <= cap <= limit; without memory (ptr is NULL) cap is 0. */
#include "h2mux/base/buf.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "h2mux/base/check.h"
#include "h2mux/base/err.h"
#include "h2mux/base/pool.h"

enum { BUF_FIRST = 256, BUF_FIT_FROM = 4096 };
enum { BUF_KEEP_FROM = 8 * 1024, BUF_KEEP_TO = 32 * 1024 }; /* see slide_saves_growth */

void buf_check(const struct buf *b)
{
    CHECK_THAT(b->start <= b->end);
    CHECK_THAT(b->end <= b->cap);
    CHECK_THAT(b->cap <= b->limit);
    CHECK_THAT(b->ptr || b->cap == 0);
}

void buf_init(struct buf *b, size_t limit)
{
    *b = (struct buf){.limit = limit};
}

static bool is_pooled(size_t cap)
{
    return cap < POOL_MAX;
}

static void memory_give(char *ptr, size_t cap)
{
    if (is_pooled(cap))
        pool_give(ptr, cap + 1);
    else
        free(ptr);
}

void buf_release(struct buf *b)
{
    memory_give(b->ptr, b->cap);
    buf_init(b, b->limit);
}

/* Returns whether the content is to be moved to the front to make room for @len bytes, because
 * growing would double the memory. Only a buf of 8 to 32 KiB is moved for this reason, and only if
 * more than an eighth of its content's length was consumed. Each stream with a slow reader has a
 * buf of this size. */
static bool slide_saves_growth(const struct buf *b, size_t len)
{
    return b->cap >= BUF_KEEP_FROM && b->cap <= BUF_KEEP_TO && buf_len(b) / 8 < b->start &&
           b->cap - buf_len(b) >= len;
}

/* Moves the content to the front of the memory, to make room for @len bytes at the end. As long as
 * @len bytes fit below the limit without a move, this function leaves an empty buf its headroom,
 * and leaves content that is longer than the consumed bytes (unless slide_saves_growth). */
static void buf_slide(struct buf *b, size_t len)
{
    bool headroom = buf_len(b) == 0;
    if (b->start == 0 || !b->ptr)
        return;
    if ((headroom || (b->start < buf_len(b) && !slide_saves_growth(b, len))) &&
        len <= b->limit - b->end)
        return;
    memmove(b->ptr, b->ptr + b->start, buf_len(b));
    b->end -= b->start;
    b->start = 0;
}

static size_t rounded(const struct buf *b, size_t need)
{
    size_t cap = b->cap ? b->cap : BUF_FIRST;
    while (cap < need && cap <= b->limit / 2)
        cap *= 2;
    if (cap < need || cap > b->limit)
        cap = b->limit;
    return cap;
}

static void buf_grow(struct buf *b, size_t need)
{
    size_t cap = rounded(b, need);
    if (b->ptr && !is_pooled(b->cap)) {
        b->ptr = xrealloc(b->ptr, cap + 1);
    } else {
        char *grown = is_pooled(cap) ? pool_take(cap + 1) : xmalloc(cap + 1);
        if (b->ptr)
            memcpy(grown, b->ptr, b->end);
        memory_give(b->ptr, b->cap);
        b->ptr = grown;
    }
    b->cap = cap;
    if (CHECKING)
        buf_check(b);
}

char *buf_reserve(struct buf *b, size_t len)
{
    if (len > b->limit - buf_len(b))
        return NULL;
    if (len > b->cap - b->end)
        buf_slide(b, len);
    if (!b->ptr || len > b->cap - b->end)
        buf_grow(b, b->end + len);
    return b->ptr + b->end;
}

void buf_commit(struct buf *b, size_t len)
{
    assert(len <= b->cap - b->end);
    b->end += len;
    if (CHECKING)
        buf_check(b);
}

int buf_append(struct buf *b, struct slice s)
{
    if (s.len == 0)
        return 0;
    char *to = buf_reserve(b, s.len);
    if (!to)
        return ERR_LIMIT;
    memcpy(to, s.ptr, s.len);
    buf_commit(b, s.len);
    return 0;
}

/* Appends formatted text. Formats into the room at the end first, and a second time only if the
 * text did not fit. Returns 0, or ERR_LIMIT if the text would exceed the buf's limit. */
static int buf_vprintf(struct buf *b, const char *fmt, va_list args) PRINTF_LIKE(2, 0);

static int buf_vprintf(struct buf *b, const char *fmt, va_list args)
{
    size_t room = b->cap - b->end;
    va_list again;
    va_copy(again, args);
    int want = vsnprintf(b->ptr ? b->ptr + b->end : NULL, b->ptr ? room + 1 : 0, fmt, args);
    size_t len = want < 0 ? 0 : (size_t)want;
    char *to = want < 0 ? NULL : buf_reserve(b, len);
    if (to && len > room)
        vsnprintf(to, len + 1, fmt, again);
    va_end(again);
    if (!to)
        return ERR_LIMIT;
    buf_commit(b, len);
    return 0;
}

int buf_printf(struct buf *b, const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    int err = buf_vprintf(b, fmt, args);
    va_end(args);
    return err;
}

void buf_consume(struct buf *b, size_t len)
{
    assert(len <= buf_len(b));
    b->start += len;
    if (b->start == b->end)
        b->start = b->end = 0;
    if (CHECKING)
        buf_check(b);
}

void buf_headroom(struct buf *b, size_t len)
{
    assert(buf_len(b) == 0);
    if (b->cap < len)
        buf_grow(b, len);
    b->start = b->end = len;
}

bool buf_prepend(struct buf *b, struct slice s)
{
    if (b->start < s.len)
        return false;
    b->start -= s.len;
    memcpy(b->ptr + b->start, s.ptr, s.len);
    return true;
}

void buf_truncate(struct buf *b, size_t len)
{
    if (len < buf_len(b))
        b->end = b->start + len;
    if (b->start == b->end)
        b->start = b->end = 0;
}

void buf_fit(struct buf *b)
{
    size_t len = buf_len(b);
    struct buf small = {.limit = b->limit};
    if (b->cap < BUF_FIT_FROM || b->cap / 4 < len)
        return;
    if (buf_append(&small, buf_slice(b)) == 0) {
        memory_give(b->ptr, b->cap);
        *b = small;
    }
}
