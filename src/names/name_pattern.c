/* SPDX-License-Identifier: MIT */
/* name_pattern.c - matches from left to right, and goes back to the last '*' only; see
 * name_pattern.h. So the time is at most the product of both lengths. */
#include "src/names/name_pattern.h"

#include "h2mux/base/err.h"

bool name_patterns_take(struct slice *list, struct slice *pattern)
{
    if (!list->ptr)
        return false;
    ptrdiff_t comma = slice_find(*list, ',');
    *pattern = slice_make(list->ptr, comma < 0 ? list->len : (size_t)comma);
    *list = comma < 0 ? slice_make(NULL, 0) : slice_skip(*list, (size_t)comma + 1);
    return true;
}

static bool is_pattern(struct slice s)
{
    for (size_t i = 0; i < s.len; i++) {
        char c = s.ptr[i];
        if (!(c >= 'a' && c <= 'z') && !(c >= '0' && c <= '9') && c != '-' && c != '*')
            return false;
    }
    return s.len > 0 && s.len <= NAME_MAX_LEN;
}

bool name_patterns_valid(struct slice list)
{
    struct slice one;
    bool valid = list.len > 0;
    while (valid && name_patterns_take(&list, &one))
        valid = is_pattern(one);
    return valid;
}

static bool matches(struct slice pattern, struct slice name)
{
    size_t p = 0, n = 0, star = SIZE_MAX, from = 0; /* the last '*', and where its text ends */
    while (n < name.len) {
        if (p < pattern.len && pattern.ptr[p] == '*') {
            star = p++;
            from = n;
        } else if (p < pattern.len && pattern.ptr[p] == name.ptr[n]) {
            p++;
            n++;
        } else if (star != SIZE_MAX) {
            p = star + 1;
            n = ++from;
        } else {
            return false;
        }
    }
    while (p < pattern.len && pattern.ptr[p] == '*')
        p++;
    return p == pattern.len;
}

bool name_patterns_match(struct slice list, struct slice name)
{
    struct slice one;
    while (list.len > 0 && name_patterns_take(&list, &one))
        if (matches(one, name))
            return true;
    return false;
}

static int fill(struct slice pattern, size_t star, struct slice word,
                char out[static NAME_MAX_LEN + 1])
{
    size_t len = 0;
    for (size_t i = 0; i < pattern.len; i++) {
        bool is_star = pattern.ptr[i] == '*';
        struct slice piece = is_star ? word : slice_make(pattern.ptr + i, 1);
        if (is_star && i != star)
            continue;
        if (piece.len > NAME_MAX_LEN - len)
            return ERR_LIMIT;
        memcpy(out + len, piece.ptr, piece.len);
        len += piece.len;
    }
    out[len] = '\0';
    return 0;
}

int name_patterns_fill(struct slice list, struct slice word, char out[static NAME_MAX_LEN + 1])
{
    struct slice one;
    while (list.len > 0 && name_patterns_take(&list, &one)) {
        ptrdiff_t star = slice_find(one, '*');
        if (star >= 0)
            return fill(one, (size_t)star, word, out);
    }
    return ERR_NOT_FOUND;
}
