/* SPDX-License-Identifier: MIT */
/* edit.h - says which fields of heads are added and removed, and does it. The fields that this
 * server writes or obeys, and those that say where a message ends, cannot be touched.
 * http-rules.md#policies */
#ifndef SRC_POLICIES_EDIT_H
#define SRC_POLICIES_EDIT_H

#include "h2mux/http/fields.h"

enum { EDITS_MAX = 32, EDIT_VALUE_MAX = 1024 };

struct edit {
    char *name, *value; /* owned */
};

/* All zeros: none. */
struct edits {
    struct edit added[EDITS_MAX];
    size_t n_added;
    char *removed[EDITS_MAX]; /* owned */
    size_t n_removed;
};

/* Add an edit. Return 0, or ERR_SYNTAX with static text in @why: the name is no field's, is one
 * that cannot be touched, or is there already; the value is no printable ASCII; or there are
 * EDITS_MAX. A name is kept in lower case. */
int edits_add(struct edits *e, struct slice name, struct slice value, const char **why) MUSTCHECK;
int edits_remove(struct edits *e, struct slice name, const char **why) MUSTCHECK;

void edits_free(struct edits *e);

/* Removes and, if @adds, adds the fields. An added field replaces those of its name. */
void edits_apply(const struct edits *e, struct fields *f, bool adds);

#endif
