/* SPDX-License-Identifier: MIT */
/* failure.h - what a viewer is told when the origin, or we, fail: status and RFC 9209 error type.
 * Rules D10, R1-R3, W5. Pure. */
#ifndef CLIENT_ORIGIN_FAILURE_H
#define CLIENT_ORIGIN_FAILURE_H

#include "h2mux/http/message.h"
#include "h2mux/io/dial.h"

struct failure {
    int status;
    const char *type; /* static */
};

extern const struct failure failure_silent;      /* no response head in time */
extern const struct failure failure_protocol;    /* an answer that is none */
extern const struct failure failure_head_size;   /* its head is too large */
extern const struct failure failure_upgrade;     /* a WebSocket handshake gone wrong */
extern const struct failure failure_internal;    /* our own fault */
extern const struct failure failure_unsupported; /* a request that we cannot carry */

const struct failure *failure_of_dial(enum dial_step step, int err);
/* @began: some bytes of the response head had come. */
const struct failure *failure_of_answer(int err, bool began);

/* The head of the answer (protocol.md#whose-failure): deinit it. oneportd puts its own page in
 * place of it. */
void failure_answer(const struct failure *f, struct message *m);

#endif
