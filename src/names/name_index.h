/* SPDX-License-Identifier: MIT */
/* name_index.h - finds whether a name matches any of many patterns (name_pattern.h), in a time that
 * grows with the length of the name and hardly with the number of patterns: only those that begin
 * as the name does are looked at. */
#ifndef SRC_NAMES_NAME_INDEX_H
#define SRC_NAMES_NAME_INDEX_H

#include "h2mux/base/map.h"

struct name_index {
    struct map heads; /* of struct head, owned: patterns with the same text before their '*' */
};

void name_index_init(struct name_index *x);
void name_index_deinit(struct name_index *x);

/* Adds the patterns of @list, which are valid and which the index borrows. */
void name_index_add(struct name_index *x, struct slice list);

/* Returns whether @name matches one of the patterns. */
bool name_index_match(const struct name_index *x, struct slice name);

#endif
