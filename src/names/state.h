/* SPDX-License-Identifier: MIT */
/* state.h - reads, replaces and creates the files of the state directory. The files are small and
 * have the mode 0600. A file is replaced as a whole, so no reader sees half of it.
 *
 *   secret   the keys that sign tickets, one a line (keyring.h)
 *   node     the server's name in Via, made once (rule H9)
 *   names    the names that are held, one a line (held_name.h, protocol.md#names-file) */
#ifndef SRC_NAMES_STATE_H
#define SRC_NAMES_STATE_H

#include "h2mux/base/buf.h"

enum { STATE_NODE_MAX = 24 };

#define STATE_SECRET "secret"
#define STATE_NODE "node"
#define STATE_NAMES "names"

/* Makes @dir, and the directories above it that are missing, with mode 0700. Returns 0, or ERR_IO
 * with errno set. */
int state_prepare(const char *dir) MUSTCHECK;

/* Appends the content of the file @dir/@file to @out. Returns 0; ERR_NOT_FOUND when the file does
 * not exist; ERR_LIMIT when the content does not fit into @out; or ERR_IO with errno set. */
int state_read(const char *dir, const char *file, struct buf *out) MUSTCHECK;

/* Replaces the content of the file @dir/@file by @content. The file is not synced, so a crash of
 * the machine may bring the old content back. Returns 0, or ERR_IO with errno set. */
int state_write(const char *dir, const char *file, struct slice content) MUSTCHECK;

/* Creates the file @dir/@file with @content, and syncs it. Returns 0, ERR_TAKEN when the file
 * exists, or ERR_IO with errno set. */
int state_create(const char *dir, const char *file, struct slice content) MUSTCHECK;

/* Returns whether the mode of the file gives any right to users other than its owner. */
bool state_is_exposed(const char *dir, const char *file);

/* Reads the server's name, "oneport-" and 8 hexadecimal digits, from the file `node` into @node.
 * Creates the file with a random name when it does not exist. Returns 0, or a negative error code
 * with a sentence in @reason. */
int state_node(const char *dir, char node[static STATE_NODE_MAX], char *reason,
               size_t reason_cap) MUSTCHECK;

#endif
