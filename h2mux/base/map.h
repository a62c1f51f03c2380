/* SPDX-License-Identifier: MIT */
/* map.h - ordered map from text keys to pointers, on libc's balanced tree (tsearch): no hash to
 * flood. */
#ifndef H2MUX_BASE_MAP_H
#define H2MUX_BASE_MAP_H

#include "h2mux/base/slice.h"

struct map {
    void *root; /* owned nodes; values are borrowed */
    size_t count;
};

void map_init(struct map *m);
void map_deinit(struct map *m); /* frees the nodes; the values are the caller's */

void *map_get(const struct map *m, struct slice key); /* NULL: absent */

/* The key is copied. The value that stood there before, or NULL. @value is never NULL. */
void *map_set(struct map *m, struct slice key, void *value);
void *map_remove(struct map *m, struct slice key); /* the removed value, or NULL */

/* In key order. @visit must not change the map. */
void map_each(const struct map *m, void (*visit)(struct slice key, void *value, void *user),
              void *user);

#endif
