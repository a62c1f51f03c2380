/* SPDX-License-Identifier: MIT */
/* name_pattern.h - matches names of tunnels with lists of patterns, as "demo-*,app". A '*' stands
 * for any characters, also for none. Pure. protocol.md#tokens */
#ifndef SRC_NAMES_NAME_PATTERN_H
#define SRC_NAMES_NAME_PATTERN_H

#include "src/http/route.h"

/* Returns whether @list is a list of patterns: between commas, 1 to NAME_MAX_LEN characters of a-z,
 * 0-9, '-' and '*'. */
bool name_patterns_valid(struct slice list);

/* Takes the first pattern from @list into @pattern, where it is empty only in a list that is not
 * valid. Returns false when @list is over. */
bool name_patterns_take(struct slice *list, struct slice *pattern) MUSTCHECK;

/* Returns whether @name matches one of the patterns of @list. No name matches an empty list. */
bool name_patterns_match(struct slice list, struct slice name);

/* Writes a name that matches the first pattern of @list with a '*' into @out: @word stands for that
 * '*', and nothing for further ones. Returns 0; ERR_NOT_FOUND when no pattern has a '*'; or
 * ERR_LIMIT when the name would be longer than NAME_MAX_LEN. */
int name_patterns_fill(struct slice list, struct slice word,
                       char out[static NAME_MAX_LEN + 1]) MUSTCHECK;

#endif
