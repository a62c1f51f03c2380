/* SPDX-License-Identifier: MIT */
/* cage.h - shuts oneportd into a sandbox that leaves it what it opens while it serves.
 * http-rules.md, rules O123 to O127 */
#ifndef SRC_CAGE_H
#define SRC_CAGE_H

#include "h2mux/io/sandbox.h"
#include "src/worker/config.h"

/* Does what --sandbox asks for before anything is opened (sandbox_harden). */
void cage_harden(const struct config *c);

/* Enters the sandbox, as --sandbox asks for. The sockets are bound, keys and certificate were read,
 * the user was changed, and there is one thread. From then on the process can write the state
 * directory, append to the access log and remove its unix sockets, and read the folders of
 * certificate and key; it makes no socket and no process. Returns 0, or ERR_DENIED with a sentence
 * in
 * @reason. */
int cage_enter(const struct config *c, char reason[static SANDBOX_REASON_MAX]) MUSTCHECK;

#endif
