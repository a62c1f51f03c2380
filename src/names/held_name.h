/* SPDX-License-Identifier: MIT */
/* held_name.h - prints and reads what the names file remembers of a name that somebody holds: one
 * line, `name owner-in-hex until asked`. protocol.md#names-file */
#ifndef SRC_NAMES_HELD_NAME_H
#define SRC_NAMES_HELD_NAME_H

#include "h2mux/base/buf.h"
#include "src/http/route.h"
#include "src/names/owner.h"

struct held_name {
    char name[NAME_MAX_LEN + 1];
    uint8_t owner[OWNER_LEN];

    /* The end of the hold, in wall-clock seconds. 0: the name is live, so its end is not known. */
    int64_t until;

    bool asked; /* its client asked for this name; false: it got a random one */
};

/* Appends the line of @h to @to. Returns 0, or ERR_LIMIT when it does not fit. */
int held_name_print(struct buf *to, const struct held_name *h) MUSTCHECK;

/* Reads a line, without its line feed, into @out. Returns 0, or ERR_SYNTAX. */
int held_name_parse(struct slice line, struct held_name *out) MUSTCHECK;

#endif
