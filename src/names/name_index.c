/* SPDX-License-Identifier: MIT */
/* name_index.c - see name_index.h. The key of a pattern is its text up to its first '*', with that
 * one; the key of a pattern without '*' is the name. */
#include "src/names/name_index.h"

#include <stdlib.h>

#include "src/names/name_pattern.h"

struct head {
    struct slice *patterns; /* the array is owned, the texts are borrowed */
    size_t n, cap;
};

void name_index_init(struct name_index *x)
{
    map_init(&x->heads);
}

static void free_head(struct slice key, void *value, void *user)
{
    struct head *h = value;
    free(h->patterns);
    free(h);
}

void name_index_deinit(struct name_index *x)
{
    map_each(&x->heads, free_head, NULL);
    map_deinit(&x->heads);
}

static void add(struct name_index *x, struct slice pattern)
{
    ptrdiff_t star = slice_find(pattern, '*');
    struct slice key = slice_make(pattern.ptr, star < 0 ? pattern.len : (size_t)star + 1);
    struct head *h = map_get(&x->heads, key);
    if (!h) {
        h = xcalloc(1, sizeof *h);
        map_set(&x->heads, key, h);
    }
    if (h->n == h->cap) {
        h->cap = h->cap ? 2 * h->cap : 1;
        h->patterns = xrealloc(h->patterns, h->cap * sizeof *h->patterns);
    }
    h->patterns[h->n++] = pattern;
}

void name_index_add(struct name_index *x, struct slice list)
{
    struct slice one;
    while (list.len > 0 && name_patterns_take(&list, &one))
        add(x, one);
}

static bool head_matches(const struct head *h, struct slice name)
{
    for (size_t i = 0; h && i < h->n; i++)
        if (name_patterns_match(h->patterns[i], name))
            return true;
    return false;
}

bool name_index_match(const struct name_index *x, struct slice name)
{
    char key[NAME_MAX_LEN];
    if (x->heads.count == 0)
        return false;
    if (head_matches(map_get(&x->heads, name), name))
        return true;
    for (size_t i = 0; i <= name.len && i < sizeof key; i++) {
        key[i] = '*';
        if (head_matches(map_get(&x->heads, slice_make(key, i + 1)), name))
            return true;
        if (i < name.len)
            key[i] = name.ptr[i];
    }
    return false;
}
