/* SPDX-License-Identifier: MIT */
/* label.h - checks names of tunnels, and makes readable random names. protocol.md#names */
#ifndef SRC_NAMES_LABEL_H
#define SRC_NAMES_LABEL_H

#include "src/http/route.h"

/* Returns whether @name may be the name of a tunnel: it has 3 to 63 characters of a-z, 0-9 and '-',
 * has no '-' at either end, and is not reserved. The caller turns upper case into lower case
 * before. */
bool label_valid(struct slice name);

/* Returns what is wrong with the name @name, as a sentence for people, or NULL if nothing is. The
 * text is static. */
const char *label_fault(struct slice name);

/* Writes a random name like brave-otter-42, for which @taken returns false, into @out. Returns 0,
 * or ERR_LIMIT when 256 tries found no free name. */
int label_random(bool (*taken)(struct slice name, void *user), void *user,
                 char out[static NAME_MAX_LEN + 1]) MUSTCHECK;

#endif
