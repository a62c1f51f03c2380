/* SPDX-License-Identifier: MIT */
/* passed.h - holds the listening sockets that a supervisor has bound and passes to each process
 * that it starts, as systemd does for a unit of type socket. They stay bound while no process
 * serves: who connects meanwhile waits in the kernel, and nobody is refused. Rule O232,
 * sd_listen_fds(3)
 *
 * LISTEN_FDS is the number of descriptors, from 3 on, and LISTEN_PID the process that they are
 * for. */
#ifndef SRC_EDGE_PASSED_H
#define SRC_EDGE_PASSED_H

#include "src/worker/listen_address.h"

enum { PASSED_MAX = 64, PASSED_TEXT_MAX = 128 };

struct passed {
    int fds[PASSED_MAX]; /* owned; -1: somebody took it */
    size_t n;
};

/* Takes the descriptors that the environment says are for this process, PASSED_MAX at most, and
 * removes the variables from the environment. Must be called once, before the first thread. */
void passed_open(struct passed *p);

/* Returns the socket that listens at exactly @a, which the caller owns then, or -1. Sockets of the
 * unix domain are never taken. */
int passed_take(struct passed *p, const struct listen_address *a) MUSTCHECK;

/* Returns whether a descriptor is left, and describes it in @text. */
bool passed_rest(const struct passed *p, char text[static PASSED_TEXT_MAX]) MUSTCHECK;

/* Closes what is left. */
void passed_close(struct passed *p);

#endif
