/* SPDX-License-Identifier: MIT */
/* slice.h - defines a slice, a pointer to borrowed bytes and their number. Slices are passed by
 * value. The bytes need not end with a zero byte. */
#ifndef H2MUX_BASE_SLICE_H
#define H2MUX_BASE_SLICE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "h2mux/base/alloc.h"

struct slice {
    const char *ptr; /* borrowed; valid as long as the buffer that has the bytes */
    size_t len;
};

#define SLICE(literal) ((struct slice){(literal), sizeof literal - 1})
#define SLICE_FMT(s) (int)(s).len, (s).ptr /* for "%.*s" */

static inline struct slice slice_make(const char *ptr, size_t len)
{
    return (struct slice){ptr, len};
}

/* Returns a slice of the C string @str without its zero byte, or an empty slice if @str is NULL. */
static inline struct slice slice_str(const char *str)
{
    return (struct slice){str, str ? strlen(str) : 0};
}

static inline bool slice_eq(struct slice a, struct slice b)
{
    return a.len == b.len && (a.len == 0 || memcmp(a.ptr, b.ptr, a.len) == 0);
}

/* Returns the hash of @s after @hash (FNV-1a, 64 bits): SLICE_HASH_START, or the hash of what is
 * before @s. Who chooses the bytes can choose the hash: no place where strangers must not collide.
 */
#define SLICE_HASH_START UINT64_C(14695981039346656037)
uint64_t slice_hash(uint64_t hash, struct slice s);

/* Returns @s without its first @n bytes, or an empty slice if @s has no more than @n bytes. */
static inline struct slice slice_skip(struct slice s, size_t n)
{
    return n > s.len ? slice_make(s.ptr + s.len, 0) : slice_make(s.ptr + n, s.len - n);
}

/* Returns whether the @len bytes at @a and @b are equal. This comparison and the others whose names
 * have an i ignore the case of ASCII letters (RFC 9110 5.1). */
bool ascii_ieq(const char *a, const char *b, size_t len);
static inline bool slice_ieq(struct slice a, struct slice b)
{
    return a.len == b.len && ascii_ieq(a.ptr, b.ptr, a.len);
}
bool slice_starts(struct slice s, struct slice prefix);
bool slice_istarts(struct slice s, struct slice prefix);
bool slice_ends(struct slice s, struct slice suffix);

/* Returns @s without the spaces and tabs at both ends (OWS of RFC 9110). */
struct slice slice_trim(struct slice s);

/* Returns the offset of the first @c in @s, or -1 if @s has none. */
ptrdiff_t slice_find(struct slice s, char c);
/* Returns the offset of the last @c in @s, or -1 if @s has none. */
ptrdiff_t slice_rfind(struct slice s, char c);

/* Takes the next element off the comma-separated @list (RFC 9110 5.6.1) and stores it in @token,
 * without spaces and tabs at its ends. Skips empty elements. Returns false at the end of the
 * list. */
bool slice_next_token(struct slice *list, struct slice *token);

/* Returns whether the comma-separated @list holds @token; the case of ASCII letters is ignored. */
bool slice_has_token(struct slice list, struct slice token);

/* Parses the decimal number @s into @out. Returns 0; ERR_SYNTAX if @s is empty or has a character
 * that is no digit; ERR_LIMIT if the number is larger than @max. */
int slice_to_u64(struct slice s, uint64_t max, uint64_t *out) MUSTCHECK;

/* Writes @number into @to in decimal digits and returns a slice of them. */
enum { SLICE_U64_MAX = 20 };
struct slice slice_from_u64(uint64_t number, char to[static SLICE_U64_MAX]);

/* Returns a copy of @s that ends with a zero byte. The caller frees the copy. */
char *slice_dup(struct slice s) MUSTCHECK;

/* Makes the ASCII letters of @len bytes lower case, in place. */
void ascii_lower(char *ptr, size_t len);

#endif
