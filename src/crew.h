/* SPDX-License-Identifier: MIT */
/* crew.h - makes and runs the workers of the server, and ends the objects that live on them.
 *
 * Invariants: each gauge of a worker is the length of its list. A stopped worker has no listeners,
 * gates, edges, links or exchanges. drain.h decides when to stop. */
#ifndef SRC_CREW_H
#define SRC_CREW_H

#include "src/worker/worker.h"

/* Returns the number of workers that --workers asks for, one for each core by default. */
unsigned crew_size(const struct config *c);

/* Makes crew_size workers in s->workers. Returns
 * 0, or ERR_LIMIT with errno set. crew_close frees the workers that were made in either case. */
int crew_open(struct server *s) MUSTCHECK;

/* Ends the objects that are left on the workers, and delivers the letters of all mailboxes until
 * none is left. The workers' loops do not run. Afterwards no letter names anything, so whatever
 * letters name may be freed. */
void crew_settle(struct server *s);

/* Ends the objects that are left on the workers, and frees the workers. Their loops have ended. */
void crew_close(struct server *s);

/* Makes one worker with its registry and its limits. Returns NULL with errno set when the system
 * gives no event loop. crew_open and tests call this. */
struct worker *crew_worker_new(struct server *s, unsigned index) MUSTCHECK;

/* Ends the objects that are left on @w, and frees @w. NULL is fine. */
void crew_worker_free(struct worker *w);

/* Runs a worker's loop on the calling thread until drain.c stops the loop. Then ends all objects on
 * the worker. */
void crew_run(struct worker *w);

/* The functions below are called on the worker's thread, or while its loop does not run. */

/* Closes listeners, gates and idle connections, and sends GOAWAY on each link. Requests and
 * WebSockets that are under way go on. */
void crew_drain(struct worker *w);

/* Returns whether requests other than WebSockets are under way, or their answers are still being
 * sent. */
bool crew_is_answering(const struct worker *w);

/* Ends all objects on the worker. No object can be added after that. WebSockets get close code
 * 1012, requests without an answer get 503, and everything else is cut. */
void crew_stop(struct worker *w);

#endif
