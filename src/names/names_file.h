/* SPDX-License-Identifier: MIT */
/* names_file.h - the names file over the process's life: read at start, rewritten at most once a
 * second. protocol.md#names-file */
#ifndef SRC_NAMES_NAMES_FILE_H
#define SRC_NAMES_NAMES_FILE_H

#include "h2mux/io/loop.h"
#include "src/names/directory.h"

struct names_file;

/* @state_dir and @directory are borrowed and outlive it; timers run on @l. */
struct names_file *names_file_new(struct loop *l, const char *state_dir,
                                  struct directory *directory) MUSTCHECK;
void names_file_free(struct names_file *f); /* writes it once more */

/* Each name of the file that can be read; what cannot costs that name and an error line. ERR_IO,
 * ERR_LIMIT: errno says why. */
int names_file_load(struct names_file *f, void (*adopt)(const struct held_name *h, void *user),
                    void *user) MUSTCHECK;
int names_file_write(struct names_file *f) MUSTCHECK; /* ERR_IO: errno says why */
void names_file_write_soon(struct names_file *f);     /* something changed; on @l's thread */

#endif
