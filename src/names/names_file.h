/* SPDX-License-Identifier: MIT */
/* names_file.h - keeps the names file up to date. It is read at the start, and rewritten from the
 * directory soon after a change, at most once a second. One thread uses it: the one that makes it
 * and runs its loop. protocol.md#names-file */
#ifndef SRC_NAMES_NAMES_FILE_H
#define SRC_NAMES_NAMES_FILE_H

#include "h2mux/io/loop.h"
#include "src/names/directory.h"

struct names_file;

/* Returns an object that keeps the names file of @state_dir, by a timer on @l. The file is neither
 * read nor written yet. @state_dir and @directory are borrowed and outlive the object. */
struct names_file *names_file_new(struct loop *l, const char *state_dir,
                                  struct directory *directory) MUSTCHECK;

/* Writes the file a last time, and frees @f. NULL is fine. */
void names_file_free(struct names_file *f);

/* Reads the file and calls @adopt for each name in it. Lines that are malformed are left out, and
 * one error in the log says how many. Returns 0, also when there is no file, or ERR_IO or ERR_LIMIT
 * with errno when the file cannot be read. */
int names_file_load(struct names_file *f, void (*adopt)(const struct held_name *h, void *user),
                    void *user) MUSTCHECK;

/* Writes the file now. Returns 0, or ERR_IO with errno. */
int names_file_write(struct names_file *f) MUSTCHECK;

/* Has the file written within a second, unless that is under way already. A write that fails is
 * logged and tried again. */
void names_file_write_soon(struct names_file *f);

#endif
