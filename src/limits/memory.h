/* SPDX-License-Identifier: MIT */
/* memory.h - finds how much memory the process may use: the least limit of its control groups and
 * of its address space. Row 21 of the fault table. */
#ifndef SRC_LIMITS_MEMORY_H
#define SRC_LIMITS_MEMORY_H

#include <stdint.h>

/* Returns the limit in force in bytes, or UINT64_MAX when there is none: the least memory.max of
 * the process's control group and of those above it (version 2), memory.limit_in_bytes (version 1),
 * and RLIMIT_AS less what is mapped already. The files are looked for below @root, which is "" but
 * in tests. */
uint64_t memory_limit(const char *root);

/* Returns the default of --memory-budget: 512 MiB, or half of the limit in force if that is less,
 * and 1 MiB at least. */
uint64_t memory_default_budget(void);

#endif
