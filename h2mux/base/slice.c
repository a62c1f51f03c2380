/* SPDX-License-Identifier: MIT */
/* slice.c - compares, searches, splits and reads borrowed bytes. Only ASCII letters count as
 * letters, in every locale. */
#include "h2mux/base/slice.h"

#include "h2mux/base/err.h"

static char lower(char c)
{
    return c >= 'A' && c <= 'Z' ? (char)(c | 0x20) : c;
}

bool ascii_ieq(const char *a, const char *b, size_t len)
{
    for (size_t i = 0; i < len; i++)
        if (a[i] != b[i] && lower(a[i]) != lower(b[i]))
            return false;
    return true;
}

uint64_t slice_hash(uint64_t hash, struct slice s)
{
    for (size_t i = 0; i < s.len; i++)
        hash = (hash ^ (unsigned char)s.ptr[i]) * UINT64_C(1099511628211);
    return hash;
}

bool slice_starts(struct slice s, struct slice prefix)
{
    return s.len >= prefix.len && slice_eq(slice_make(s.ptr, prefix.len), prefix);
}

bool slice_istarts(struct slice s, struct slice prefix)
{
    return s.len >= prefix.len && slice_ieq(slice_make(s.ptr, prefix.len), prefix);
}

bool slice_ends(struct slice s, struct slice suffix)
{
    return s.len >= suffix.len && slice_eq(slice_skip(s, s.len - suffix.len), suffix);
}

static bool is_ows(char c)
{
    return c == ' ' || c == '\t';
}

struct slice slice_trim(struct slice s)
{
    while (s.len > 0 && is_ows(s.ptr[0]))
        s = slice_skip(s, 1);
    while (s.len > 0 && is_ows(s.ptr[s.len - 1]))
        s.len--;
    return s;
}

ptrdiff_t slice_find(struct slice s, char c)
{
    const char *at = s.len ? memchr(s.ptr, c, s.len) : NULL;
    return at ? at - s.ptr : -1;
}

ptrdiff_t slice_rfind(struct slice s, char c)
{
    const char *at = s.len ? memrchr(s.ptr, c, s.len) : NULL;
    return at ? at - s.ptr : -1;
}

bool slice_next_token(struct slice *list, struct slice *token)
{
    while (list->len > 0) {
        ptrdiff_t comma = slice_find(*list, ',');
        size_t len = comma < 0 ? list->len : (size_t)comma;
        *token = slice_trim(slice_make(list->ptr, len));
        *list = slice_skip(*list, comma < 0 ? len : len + 1);
        if (token->len > 0)
            return true;
    }
    return false;
}

bool slice_has_token(struct slice list, struct slice token)
{
    struct slice each;
    while (slice_next_token(&list, &each))
        if (slice_ieq(each, token))
            return true;
    return false;
}

int slice_to_u64(struct slice s, uint64_t max, uint64_t *out)
{
    uint64_t value = 0;
    bool over = false;
    if (s.len == 0)
        return ERR_SYNTAX;
    for (size_t i = 0; i < s.len; i++) {
        if (s.ptr[i] < '0' || s.ptr[i] > '9')
            return ERR_SYNTAX;
        uint64_t digit = (uint64_t)(s.ptr[i] - '0');
        /* The loop goes on after an overflow, because a long text with a letter in it is
         * ERR_SYNTAX, not ERR_LIMIT. */
        over = over || digit > max || value > (max - digit) / 10;
        value = value * 10 + digit;
    }
    if (over)
        return ERR_LIMIT;
    *out = value;
    return 0;
}

struct slice slice_from_u64(uint64_t number, char to[static SLICE_U64_MAX])
{
    size_t at = SLICE_U64_MAX;
    do
        to[--at] = (char)('0' + number % 10);
    while ((number /= 10) > 0);
    return slice_make(to + at, SLICE_U64_MAX - at);
}

char *slice_dup(struct slice s)
{
    char *copy = xcalloc(1, s.len + 1);
    if (s.len > 0)
        memcpy(copy, s.ptr, s.len);
    return copy;
}

void ascii_lower(char *ptr, size_t len)
{
    for (size_t i = 0; i < len; i++)
        ptr[i] = lower(ptr[i]);
}
