/* SPDX-License-Identifier: MIT */
/* memory.h - finds how much memory the process may use: the least limit of its control groups and
 * of its address space, and how much of it is in use. Row 21 of the fault table. */
#ifndef SRC_LIMITS_MEMORY_H
#define SRC_LIMITS_MEMORY_H

#include <stdbool.h>
#include <stdint.h>

#include "h2mux/io/budget.h"

/* Returns the limit in force in bytes, or UINT64_MAX when there is none: the least memory.max of
 * the process's control group and of those above it (version 2), memory.limit_in_bytes (version 1),
 * and RLIMIT_AS less what is mapped already. The files are looked for below @root, which is "" but
 * in tests. */
uint64_t memory_limit(const char *root);

/* Returns the default of --memory-budget: 512 MiB, or half of the limit in force if that is less,
 * and 1 MiB at least. */
uint64_t memory_default_budget(void);

/* Returns how many bytes of the process are mapped. */
uint64_t memory_mapped(const char *root);

/* Returns how much of the limit in force is in use: what is in memory, of the limit of the control
 * groups, or what was mapped since @base bytes were, of the rest of RLIMIT_AS; the one that is
 * nearer to its limit. */
struct fill memory_use(const char *root, uint64_t base);

/* Returns whether memory is short: from 85 % of the limit on and, when it @was_short, from 75 % on.
 */
bool memory_is_short(bool was_short, const struct fill *use);

#endif
