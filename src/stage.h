/* SPDX-License-Identifier: MIT */
/* stage.h - takes a program through the steps of its start, and back through them at its end.
 *
 * A table of stages is the one place that says what is there before what. The stages start in the
 * order of the table and stop in the reverse order. So what a stage made is there while every later
 * stage lives, also when the start fails half way. */
#ifndef SRC_STAGE_H
#define SRC_STAGE_H

#include <stddef.h>

#include "h2mux/base/alloc.h"

struct stage {
    /* Starts the stage and returns 0. On failure tells the user why and returns the exit code of
     * the program. What it has made by then is left to `stop`. NULL: there is nothing to start. */
    int (*start)(void *program);

    /* Undoes what `start` did, all of it or a part. NULL: there is nothing to undo. */
    void (*stop)(void *program);
};

/* Starts @count stages until one of them fails. Then stops all stages that were begun, that one
 * too, in the reverse order. Returns 0, or the exit code of the stage that failed. The last stage
 * is the one that runs the program: its `start` returns when the program is over. */
int stage_run(const struct stage *stages, size_t count, void *program) MUSTCHECK;

#endif
