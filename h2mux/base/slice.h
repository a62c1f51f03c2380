/* SPDX-License-Identifier: MIT */
/* slice.h - borrowed bytes: pointer and length, passed by value; no trailing zero is promised. */
#ifndef H2MUX_BASE_SLICE_H
#define H2MUX_BASE_SLICE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "h2mux/base/alloc.h"

struct slice {
    const char *ptr; /* borrowed; valid as long as its backing buffer */
    size_t len;
};

#define SLICE(literal) ((struct slice){(literal), sizeof literal - 1})
#define SLICE_FMT(s) (int)(s).len, (s).ptr /* for "%.*s" */

static inline struct slice slice_make(const char *ptr, size_t len)
{
    return (struct slice){ptr, len};
}

static inline struct slice slice_str(const char *str)
{
    return (struct slice){str, str ? strlen(str) : 0};
}

static inline bool slice_eq(struct slice a, struct slice b)
{
    return a.len == b.len && (a.len == 0 || memcmp(a.ptr, b.ptr, a.len) == 0);
}

static inline struct slice slice_skip(struct slice s, size_t n)
{
    return n > s.len ? slice_make(s.ptr + s.len, 0) : slice_make(s.ptr + n, s.len - n);
}

/* ASCII case is ignored in the comparisons named with an i (RFC 9110 5.1). */
bool ascii_ieq(const char *a, const char *b, size_t len);
static inline bool slice_ieq(struct slice a, struct slice b)
{
    return a.len == b.len && ascii_ieq(a.ptr, b.ptr, a.len);
}
bool slice_starts(struct slice s, struct slice prefix);
bool slice_istarts(struct slice s, struct slice prefix);
bool slice_ends(struct slice s, struct slice suffix);

/* Without the spaces and tabs at both ends (RFC 9110 OWS). */
struct slice slice_trim(struct slice s);

/* The offset of the first @c, or -1. */
ptrdiff_t slice_find(struct slice s, char c);
/* The offset of the last @c, or -1. */
ptrdiff_t slice_rfind(struct slice s, char c);

/* Takes the next element off a comma-separated list (RFC 9110 5.6.1): trimmed, empty elements
 * skipped. false: the list is used up. */
bool slice_next_token(struct slice *list, struct slice *token);

/* Whether the comma-separated @list holds @token, ASCII case ignored. */
bool slice_has_token(struct slice list, struct slice token);

/* Decimal digits only: no sign, no space, not empty. ERR_SYNTAX, or ERR_LIMIT when the number is
 * over @max. */
int slice_to_u64(struct slice s, uint64_t max, uint64_t *out) MUSTCHECK;

/* @number in decimal digits, written into @to. */
enum { SLICE_U64_MAX = 20 };
struct slice slice_from_u64(uint64_t number, char to[static SLICE_U64_MAX]);

/* A copy with a trailing zero, to be freed by the caller. */
char *slice_dup(struct slice s) MUSTCHECK;

/* ASCII lower case, in place. */
void ascii_lower(char *ptr, size_t len);

#endif
