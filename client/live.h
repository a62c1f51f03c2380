/* SPDX-License-Identifier: MIT */
/* live.h - keeps a drawing of the shares (screen.h) at the bottom of the terminal: draws it again
 * when something has changed or the terminal's size has, and prints other lines above it.
 *
 * The terminal is written to without waiting: while it takes nothing (Ctrl-S), nothing is drawn.
 * Nothing is drawn while the process is in the background either. */
#ifndef CLIENT_LIVE_H
#define CLIENT_LIVE_H

#include "client/screen.h"
#include "h2mux/io/loop.h"

struct live;

struct live_options {
    struct loop *loop; /* borrowed: outlives the drawing */

    /* Fills in what is not noted by calls: the shares, viewers, running requests and WebSockets.
     * Comes before each drawing. */
    void (*look)(void *user, struct screen *s);
    void *user; /* borrowed */
};

/* Returns whether standard output is a terminal on which one can draw: TERM is set and not dumb. */
bool live_possible(void);

/* Returns NULL if the terminal cannot be opened; errno says why. The first drawing comes from the
 * loop. */
struct live *live_new(const struct live_options *o) MUSTCHECK;
/* Draws a last time, and leaves the cursor below that. NULL is fine. */
void live_free(struct live *l);

/* Prints @line above the drawing. @line has no newline. */
void live_line(struct live *l, struct slice line);

/* Note a request that has ended, and a warning, as screen_note and screen_notice do. */
void live_note(struct live *l, struct slice method, struct slice path, int status, uint64_t ms,
               uint64_t bytes);
void live_notice(struct live *l, struct slice text, struct slice advice);

/* Draws soon, since what `look` tells has changed. */
void live_touch(struct live *l);

#endif
