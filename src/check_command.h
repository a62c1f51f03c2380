/* SPDX-License-Identifier: MIT */
/* check_command.h - runs `oneportd --check`: says whether the options, the certificate, the state
 * directory, DNS and what answers at the domain fit together. Changes nothing, and may run beside
 * the server that it asks about. */
#ifndef SRC_CHECK_COMMAND_H
#define SRC_CHECK_COMMAND_H

#include "src/worker/config.h"

/* Prints one line for each thing that was looked at: "ok", "note", "warning" or "FAULT", what it
 * is, and what was found. Returns the exit code of the program: 1 if there is a fault, otherwise 0.
 */
int check_command_run(const struct config *c);

#endif
