/* SPDX-License-Identifier: MIT */
/* policies.h - holds the file of --policies: policies of the operator, which tokens name by
 * `policy=NAME`. A line is `NAME JSON` (policy.h). Empty lines and lines that begin with '#' are
 * skipped. protocol.md#tokens
 *
 * Any thread may use it: policies_take exchanges the content under a lock. NULL stands for a
 * server without the file, which knows no name. */
#ifndef SRC_POLICIES_POLICIES_H
#define SRC_POLICIES_POLICIES_H

#include "src/policies/policy.h"

enum { POLICIES_FILE_MAX = 4 * 1024 * 1024, POLICIES_REASON_MAX = 512 };

struct policies;

/* Reads the file @path. Returns NULL, with a sentence in @reason, when it cannot be read, when
 * somebody else may have written it, or when a line is wrong. */
struct policies *policies_open(const char *path, char reason[static POLICIES_REASON_MAX]) MUSTCHECK;

/* Reads @text as the content of the file @path, likewise. */
struct policies *policies_of_text(const char *path, struct slice text,
                                  char reason[static POLICIES_REASON_MAX]) MUSTCHECK;

/* Puts the content of @fresh in place of that of @p, and frees @fresh. */
void policies_take(struct policies *p, struct policies *fresh);

/* NULL is fine. */
void policies_free(struct policies *p);

/* Finds the policy @name. Returns false if there is none of this name. @out gets the policy, which
 * the caller drops; NULL if it restricts nothing. */
bool policies_find(struct policies *p, struct slice name, struct policy **out) MUSTCHECK;

/* Returns a number that is another one after a reload. */
uint64_t policies_generation(struct policies *p);

#endif
