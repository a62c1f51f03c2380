/* SPDX-License-Identifier: MIT */
/* heritage.h - gives the names that a server before this one has held to the workers, and keeps the
 * names file as they change. A name that the operator releases is let go by the worker that has
 * it. */
#ifndef SRC_HERITAGE_H
#define SRC_HERITAGE_H

#include "src/worker/server.h"

/* Reads the names file of @s, deals its names to the workers, none of which runs yet, and starts
 * the thread that writes the file. A file that could not be read is left as it is, also at the end.
 * Returns 0; ERR_LIMIT when the thread cannot be started; or another error. @what gets the name of
 * what has failed then, and @why the reason. heritage_close follows in any case. */
int heritage_open(struct server *s, char *what, size_t cap, const char **why) MUSTCHECK;

/* Writes the file a last time, and frees what heritage_open has made. */
void heritage_close(struct server *s);

#endif
