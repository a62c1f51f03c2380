/* SPDX-License-Identifier: MIT */
/* label.h - what may be a tunnel's name, and readable random ones. Pure but for randomness.
 * protocol.md#names */
#ifndef SRC_NAMES_LABEL_H
#define SRC_NAMES_LABEL_H

#include "src/http/route.h"

/* [a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?, 3 to 63 characters, not reserved. Upper case is folded by the
 * caller. */
bool label_valid(struct slice name);
/* adjective-animal-NN for which @taken is false. ERR_LIMIT after many tries. */
int label_random(bool (*taken)(struct slice name, void *user), void *user,
                 char out[static NAME_MAX_LEN + 1]) MUSTCHECK;

#endif
