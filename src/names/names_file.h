/* SPDX-License-Identifier: MIT */
/* names_file.h - keeps the names file up to date. The file is read at the start, and is rewritten
 * from the directory soon after a change, at most once a second. Only one thread may use a
 * names_file: the thread that makes it and runs its loop. protocol.md#names-file */
#ifndef SRC_NAMES_NAMES_FILE_H
#define SRC_NAMES_NAMES_FILE_H

#include "h2mux/io/loop.h"
#include "src/names/directory.h"

struct names_file;

/* Makes an object that keeps the names file of @state_dir up to date, by a timer on @l. Does not
 * read or write the file yet. @state_dir and @directory are borrowed and outlive the object. */
struct names_file *names_file_new(struct loop *l, const char *state_dir,
                                  struct directory *directory) MUSTCHECK;

/* Writes the file a last time, and frees @f. NULL is fine. */
void names_file_free(struct names_file *f);

/* Frees @f and leaves the file as it is, since it could not be read or written. */
void names_file_drop(struct names_file *f);

/* Reads the file and calls @adopt for each name in it. Ignores malformed lines, and logs one error
 * with their number. Returns 0, also when the file does not exist; or ERR_IO or ERR_LIMIT, with
 * errno set, when the file cannot be read. */
int names_file_load(struct names_file *f, void (*adopt)(const struct held_name *h, void *user),
                    void *user) MUSTCHECK;

/* Writes the file now. Returns 0, or ERR_IO with errno set. */
int names_file_write(struct names_file *f) MUSTCHECK;

/* Sets a timer that writes the file within a second. Does nothing when the timer runs already. A
 * write that fails is logged and tried again after 5 seconds. */
void names_file_write_soon(struct names_file *f);

#endif
