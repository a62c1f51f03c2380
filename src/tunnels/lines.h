/* SPDX-License-Identifier: MIT */
/* lines.h - remembers for one tunnel what the lines of its links carry, so that the next link of
 * the same place knows it. docs/flow-control.md#what-a-line-teaches
 *
 * A place is an instance of a client and the number of its link: another instance may run on
 * another machine. A client that names no instance is not remembered. */
#ifndef SRC_TUNNELS_LINES_H
#define SRC_TUNNELS_LINES_H

#include "h2mux/h2/line.h"
#include "src/tunnels/backend.h"

enum { LINES_MAX = 16 }; /* places; the one that has learned nothing for longest goes first */

struct lines {
    struct known_line *known; /* owned: LINES_MAX of them; NULL: none has learned anything */
};

/* Remembers what a link at the place @p has learned. */
void lines_keep(struct lines *l, const struct place *p, const struct line_rate *learned);

/* Returns what the links at the place @p have learned; a rate of 0 if that is nothing. The caller
 * judges whether it is too old (line_rate). */
struct line_rate lines_find(const struct lines *l, const struct place *p);

/* Frees what is remembered. */
void lines_forget(struct lines *l);

#endif
