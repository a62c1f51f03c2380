/* SPDX-License-Identifier: MIT */
/* state.h - reads, replaces and creates the files of the state directory. The files are small and
 * have the mode 0600. A file is replaced as a whole, so no reader sees half of it.
 *
 *   secret   the keys that sign tickets, one a line (keyring.h)
 *   node     the server's name in Via, made once (rule H9)
 *   names    the names that are held, one a line (held_name.h, protocol.md#names-file)
 *   reserved the names that are reserved for owners who are away, one a line (reserve.h)
 *   release  names that the operator takes out of those, one a line (names_command.h)
 *   lock     held by the process that serves (state_lock.h)
 *
 * The directory and its files must be ours or root's, and writable by no others than a group of
 * ours (file_open_own). Each call looks at the directory anew. A function that fails sets @why to
 * static text that says the reason. */
#ifndef SRC_NAMES_STATE_H
#define SRC_NAMES_STATE_H

#include <sys/types.h>

#include "h2mux/base/buf.h"

enum { STATE_NODE_MAX = 24 };

#define STATE_SECRET "secret"
#define STATE_NODE "node"
#define STATE_NAMES "names"
#define STATE_RESERVED "reserved"
#define STATE_RELEASE "release"
#define STATE_LOCK "lock"

/* Makes @dir, and the directories above it that are missing, with mode 0700. Returns 0; ERR_DENIED
 * when somebody else may change @dir; or ERR_IO with errno set. */
int state_prepare(const char *dir, const char **why) MUSTCHECK;

/* Gives @dir to the user @uid and the group @gid, with its files; makes it, and the directories
 * above it that are missing, for that user. Does nothing to a directory that is @uid's. The caller
 * is root. Returns 0; ERR_DENIED when @dir is not root's, somebody else may change it, or it has
 * files that no start makes; or ERR_IO with errno set. */
int state_give(const char *dir, uid_t uid, gid_t gid, const char **why) MUSTCHECK;

/* Opens the directory @dir. Returns a descriptor, ERR_NOT_FOUND, ERR_DENIED or ERR_IO. */
int state_open(const char *dir, const char **why) MUSTCHECK;

/* Appends the content of the file @dir/@file to @out. Returns 0; ERR_NOT_FOUND when the file does
 * not exist; ERR_DENIED when somebody else may have changed it; ERR_LIMIT when the content does not
 * fit into @out; or ERR_IO with errno set. */
int state_read(const char *dir, const char *file, struct buf *out, const char **why) MUSTCHECK;

/* Replaces the content of the file @dir/@file by @content. The file is not synced, so a crash of
 * the machine may bring the old content back. Returns 0, or ERR_NOT_FOUND or ERR_DENIED for the
 * directory, or ERR_IO with errno set. */
int state_write(const char *dir, const char *file, struct slice content,
                const char **why) MUSTCHECK;

/* Creates the file @dir/@file with @content, and syncs it. Returns 0, ERR_TAKEN when the file
 * exists, or an error of state_write. */
int state_create(const char *dir, const char *file, struct slice content,
                 const char **why) MUSTCHECK;

/* Removes the file @dir/@file, if it is there. */
void state_remove(const char *dir, const char *file);

/* Returns whether @err, with errno, says that a file could not be made because the disk is full or
 * read-only. The server runs on then, and tries again. */
bool state_may_pass(int err);

/* Returns whether the mode of the file gives any right to users other than its owner. */
bool state_is_exposed(const char *dir, const char *file);

/* Reads the server's name, "oneport-" and 8 hexadecimal digits, from the file `node` into @node.
 * Makes a random name, and the file anew, when the file does not exist or holds no such name. Sets
 * @unsaved when the disk is full or read-only, so that the file is not there. Returns 0, ERR_DENIED
 * or ERR_IO. */
int state_node(const char *dir, char node[static STATE_NODE_MAX], bool *unsaved,
               const char **why) MUSTCHECK;

/* Writes the file `node`. Returns 0, or an error of state_write. */
int state_node_save(const char *dir, const char *node, const char **why) MUSTCHECK;

#endif
