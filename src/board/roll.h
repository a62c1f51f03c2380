/* SPDX-License-Identifier: MIT */
/* roll.h - asks every worker for its part of an answer, and brings the parts together.
 *
 * A roll visits each worker on the worker's own thread, where its tunnels may be touched, and comes
 * back to the worker that asked. It costs a letter to each worker and one back. */
#ifndef SRC_BOARD_ROLL_H
#define SRC_BOARD_ROLL_H

#include <cjson/cJSON.h>

#include "src/worker/worker.h"

struct roll;

struct roll_ops {
    /* Adds the part of @w to @part, an array, on the thread of @w. @question is that of
     * roll_call. */
    void (*fill)(struct worker *w, const void *question, cJSON *part);

    /* Gets the parts of all workers in one array, which belongs to the callee, on the thread of the
     * worker that asked. */
    void (*done)(void *user, cJSON *all);
};

/* Asks all workers of the server of @asker. @question, of @len bytes, is copied. Calls ops->done
 * later, unless roll_cancel is called before. */
struct roll *roll_call(struct worker *asker, const struct roll_ops *ops, const void *question,
                       size_t len, void *user) MUSTCHECK;

/* Gives the answer up: ops->done is not called. Workers that were not asked yet are asked all the
 * same. NULL is fine. */
void roll_cancel(struct roll *r);

#endif
