/* SPDX-License-Identifier: MIT */
/* crew.h - all workers of the server, and what lives on them: makes them, runs them, walks their
 * lists for a stop, and empties them. */
#ifndef SRC_CREW_H
#define SRC_CREW_H

#include "src/worker/worker.h"

/* Makes the workers that --workers asks for, one a core by default, in s->workers. Returns 0, or
 * ERR_LIMIT with errno; crew_close frees what was made either way. */
int crew_open(struct server *s) MUSTCHECK;

/* Ends what is left on the workers, none of which runs any more, and frees them. */
void crew_close(struct server *s);

/* One worker with its registry and limits, for crew_open and for tests. Returns NULL with errno. */
struct worker *crew_worker_new(struct server *s, unsigned index) MUSTCHECK;
void crew_worker_free(struct worker *w); /* NULL is fine */

/* Runs a worker's loop on the calling thread until drain.c stops the loop, then ends all that lives
 * on it. */
void crew_run(struct worker *w);

/* All below act on one worker and are called on its thread, or while it does not run. */

/* Closes listeners and idle connections and sends GOAWAY on each link; what runs goes on. */
void crew_drain(struct worker *w);

/* Whether ordinary exchanges run, or their answers are still being sent. WebSockets do not count.
 */
bool crew_is_answering(const struct worker *w);

/* Ends everything at once: WebSockets get close code 1012, all else is cut. Nothing new begins. */
void crew_stop(struct worker *w);

#endif
