/* SPDX-License-Identifier: MIT */
/* tickets.h - the tickets that outlive the process: one JSON file of mode 0600, by server and name.
 *
 *   {"https://example.com": {"my-app": "<ticket>"}}
 *
 * Each change reads, changes and replaces the file under a lock, so that several oneports share it.
 * A file that cannot be read as such is never overwritten. */
#ifndef CLIENT_SERVER_TICKETS_H
#define CLIENT_SERVER_TICKETS_H

#include "h2mux/base/slice.h"

enum { TICKETS_FILE_MAX = 1024 * 1024 };

/* "$XDG_STATE_HOME/oneport/tickets.json", or under ~/.local/state. Freed by the caller; NULL: no
 * home to put it. */
char *tickets_default_path(void) MUSTCHECK;

/* Freed by the caller. NULL: none is kept, or (with a line in the log) the file cannot be read. */
char *tickets_get(const char *path, const char *server, const char *name) MUSTCHECK;

/* @ticket NULL: forgets it. Directories are made as needed. ERR_IO (errno says why), ERR_SYNTAX
 * (the file is not ours), ERR_LIMIT. */
int tickets_put(const char *path, const char *server, const char *name,
                const char *ticket) MUSTCHECK;

#endif
