/* SPDX-License-Identifier: MIT */
/* tickets.h - keeps the tickets that outlive the process: one JSON file of mode 0600, by server and
 * name.
 *
 *   {"https://example.com": {"my-app": "<ticket>"}}
 *
 * Each change reads, changes and replaces the file under a lock, so that several oneports may share
 * it. A file that cannot be read, that is no ticket file, or that somebody else may have written
 * (file_open_own) is never overwritten. An empty file is as good as none. */
#ifndef CLIENT_SERVER_TICKETS_H
#define CLIENT_SERVER_TICKETS_H

#include "h2mux/base/slice.h"

enum { TICKETS_FILE_MAX = 1024 * 1024 };

/* Returns "$XDG_STATE_HOME/oneport/tickets.json", or the same under ~/.local/state; NULL when there
 * is no home. The caller frees the result. */
char *tickets_default_path(void) MUSTCHECK;

/* Returns the ticket of @name at @server, which the caller frees; NULL when none is kept, or when
 * the file cannot be read, which is logged. */
char *tickets_get(const char *path, const char *server, const char *name) MUSTCHECK;

/* Keeps @ticket; NULL forgets it. Makes directories as needed. Fails with ERR_IO (errno says why),
 * ERR_SYNTAX (the file is no ticket file), ERR_DENIED (somebody else may have written it) or
 * ERR_LIMIT. */
int tickets_put(const char *path, const char *server, const char *name,
                const char *ticket) MUSTCHECK;

#endif
