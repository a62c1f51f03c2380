/* SPDX-License-Identifier: MIT */
/* map.h - maps text keys to pointers, in the order of the keys, on libc's balanced tree (tsearch).
 * The map uses no hash, so no choice of keys makes look-ups slow. */
#ifndef H2MUX_BASE_MAP_H
#define H2MUX_BASE_MAP_H

#include "h2mux/base/slice.h"

struct map {
    void *root; /* owns the nodes; the values are borrowed */
    size_t count;
};

void map_init(struct map *m);
/* Frees the nodes and leaves an empty map. The values belong to the caller and are not freed. */
void map_deinit(struct map *m);

/* Returns the value of @key, or NULL. */
void *map_get(const struct map *m, struct slice key);
/* Sets the value of @key to @value, which must not be NULL. The map copies @key. Returns the value
 * that @key had before, or NULL. */
void *map_set(struct map *m, struct slice key, void *value);
/* Removes @key. Returns the value that @key had, or NULL. */
void *map_remove(struct map *m, struct slice key);

/* Calls @visit for each pair, in the order of the keys. @visit must not change the map. */
void map_each(const struct map *m, void (*visit)(struct slice key, void *value, void *user),
              void *user);

/* Checks the invariants of map.c (check.h). */
void map_check(const struct map *m);

#endif
