/* SPDX-License-Identifier: MIT */
/* names_file.h - keeps the files of names up to date: `names` has the names that are held, and
 * `reserved` those that are reserved. They are read at the start. From then on a thread of its own
 * rewrites them from the directory soon after a change, so that a slow disk stops nobody else:
 * `names` at most once a second, `reserved` when reserve_due_us says so. protocol.md#names-file
 *
 * The thread also looks for the file `release` each second, and does what it says.
 *
 * A write that fails is told by one line of the log, and tried again every 5 seconds; another line
 * tells of the first write that succeeds again. */
#ifndef SRC_NAMES_NAMES_FILE_H
#define SRC_NAMES_NAMES_FILE_H

#include "src/names/directory.h"
#include "src/names/store.h"

struct names_file;

/* Makes an object that will keep the files of @store up to date. Reads and writes nothing yet.
 * @store and @directory are borrowed and outlive the object. @on_release tells, on the thread of
 * the object, that the operator has released @name, whose reservation is gone; NULL: nobody is
 * told. */
struct names_file *names_file_new(struct store *store, struct directory *directory,
                                  void (*on_release)(void *user, struct slice name),
                                  void *user) MUSTCHECK;

/* Writes the file a last time, unless names_file_finish was called or the thread was never started,
 * waits until that is done, and frees @f. NULL is fine. */
void names_file_free(struct names_file *f);

/* Reads the files, puts the reservations into the directory, and calls @adopt for each name that is
 * held. Ignores malformed lines, and logs one error for each file with their number. Returns 0,
 * also when there are no files; or a negative error code, with static text in @why, when a file
 * cannot be read or somebody else may have written it. */
int names_file_load(struct names_file *f, void (*adopt)(const struct held_name *h, void *user),
                    void *user, const char **why) MUSTCHECK;

/* Starts the thread, which writes the file at once. Returns 0, or ERR_IO when there is no thread to
 * be had. */
int names_file_start(struct names_file *f) MUSTCHECK;

/* Has the file written within a second. Any thread may call this and the following functions. */
void names_file_write_soon(struct names_file *f);

/* Has the file written a last time, and then gives the lock of the store up to a successor. What is
 * changed afterwards is not written. */
void names_file_finish(struct names_file *f);

/* Returns whether the last write has succeeded, as far as there was one. NULL is fine: nothing is
 * kept then. */
bool names_file_is_ok(const struct names_file *f);

#endif
