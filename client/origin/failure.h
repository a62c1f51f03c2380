/* SPDX-License-Identifier: MIT */
/* failure.h - says what a viewer is told when the origin fails, or oneport does: a status and an
 * RFC 9209 error type. Rules D10, R1-R3, W5. Pure. */
#ifndef CLIENT_ORIGIN_FAILURE_H
#define CLIENT_ORIGIN_FAILURE_H

#include "h2mux/http/leg.h"
#include "h2mux/io/dial.h"

struct failure {
    int status;
    const char *type; /* static */
};

extern const struct failure failure_silent;        /* no response head came in time */
extern const struct failure failure_protocol;      /* what came is no response */
extern const struct failure failure_head_size;     /* the response head is too large */
extern const struct failure failure_upgrade;       /* a WebSocket handshake went wrong */
extern const struct failure failure_internal;      /* the fault is oneport's own */
extern const struct failure failure_unsupported;   /* oneport cannot carry the request */
extern const struct failure failure_no_websockets; /* the origin carries no WebSocket */

/* Returns the failure of a connection that was not made. */
const struct failure *failure_of_dial(enum dial_step step, int err);
/* Returns the failure of a connection that broke. @began: bytes of the response head had come. */
const struct failure *failure_of_response(int err, bool began);
/* Returns the failure of a stream that the origin has reset, or whose connection broke. @began: the
 * response head had come. */
const struct failure *failure_of_stream(const struct leg_fault *why, bool began);

/* Makes the head of the response that tells @f (protocol.md#whose-failure); the caller deinits it.
 * oneportd puts a page of its own in its place. @grpc: the request is a call of gRPC, so it is told
 * by grpc-status (rule D42). */
void failure_head(const struct failure *f, bool grpc, struct message *m);

#endif
