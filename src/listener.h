/* listener.h - one listening socket: made by main, polled by a worker, each connection given to a gate. */
#ifndef SRC_LISTENER_H
#define SRC_LISTENER_H

#include "src/worker.h"

enum { LISTENER_REASON_MAX = 256 };

/* Binds and listens at @text. -1: @reason ("address already in use"). A unix socket that nobody listens on is replaced. */
int listener_bind(const char *text, char reason[static LISTENER_REASON_MAX]) MUSTCHECK;

/* Takes @fd and logs `listening addr=…` with the port that the system chose. Lives in worker->listeners. */
void listener_start(struct worker *w, int fd);
void listener_stop(struct list_node *node); /* closes it; a unix socket's path goes too */

#endif
