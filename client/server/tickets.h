/* SPDX-License-Identifier: MIT */
/* tickets.h - keeps the tickets that outlive the process: one JSON file of mode 0600, by server and
 * name.
 *
 *   {"https://example.com": {"my-app": "<ticket>", "http://localhost:3000": "<ticket>"}}
 *
 * The ticket of a random name stands under the origin that the name was given for. A process that
 * uses an origin's ticket holds it (tickets_hold), so that a second one takes another.
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

/* Holds the ticket @key at @server for this process, by a lock beside the file. Returns a
 * descriptor, and the lock lasts until that is closed; ERR_TAKEN when another process holds the
 * ticket; or ERR_IO (errno says why). */
int tickets_hold(const char *path, const char *server, const char *key) MUSTCHECK;

#endif
