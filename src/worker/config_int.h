/* SPDX-License-Identifier: MIT */
/* config_int.h - declares what the files config*.c share. No other file includes this header. */
#ifndef SRC_WORKER_CONFIG_INT_H
#define SRC_WORKER_CONFIG_INT_H

#include "src/worker/config.h"

#define CONFIG_ADDRESS "127.0.0.1"
#define CONFIG_PORT "3000"
extern const char config_default_listen[]; /* the default of --listen */

extern const struct opt_program config_program;

/* Checks the options against each other, and sets the values that depend on several options.
 * Returns false, with a message on stderr, when the options contradict each other. */
bool config_fold(struct config *c) MUSTCHECK;

#endif
