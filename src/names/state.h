/* SPDX-License-Identifier: MIT */
/* state.h - the files of the state directory: small, mode 0600, replaced as a whole or not at all.
 *
 *   secret   the keys that sign tickets, one a line (ticket.c reads them)
 *   node     our name in Via, made once (rule H9)
 *   names    the held names, one a line: `name owner-in-hex until asked` (protocol.md#names-file)
 */
#ifndef SRC_NAMES_STATE_H
#define SRC_NAMES_STATE_H

#include "h2mux/base/buf.h"

enum { STATE_NODE_MAX = 24 };

#define STATE_SECRET "secret"
#define STATE_NODE "node"
#define STATE_NAMES "names"

/* Makes @dir (0700) and what is missing above it. ERR_IO: errno says why. */
int state_prepare(const char *dir) MUSTCHECK;

/* The whole of DIR/@file is appended to @out. ERR_NOT_FOUND; ERR_IO: errno says why; ERR_LIMIT:
 * more than @out may hold. */
int state_read(const char *dir, const char *file, struct buf *out) MUSTCHECK;
/* Replaces DIR/@file. Not synced: a crash of the machine may bring the old one back, never half of
 * one. ERR_IO: errno. */
int state_write(const char *dir, const char *file, struct slice content) MUSTCHECK;
/* Makes DIR/@file, synced. ERR_TAKEN: there is one already, maybe since a moment ago. ERR_IO:
 * errno. */
int state_create(const char *dir, const char *file, struct slice content) MUSTCHECK;
/* Others than the owner may read DIR/@file. */
bool state_is_exposed(const char *dir, const char *file);

/* "oneport-" and 8 hex digits: from DIR/node, which is made when it is not there. */
int state_node(const char *dir, char node[static STATE_NODE_MAX], char *reason,
               size_t reason_cap) MUSTCHECK;

#endif
