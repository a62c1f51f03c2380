/* SPDX-License-Identifier: MIT */
/* grpc.h - knows requests of gRPC, and makes failures that its clients understand. Pure.
 *
 * A call of gRPC is a POST over HTTP/2 whose outcome is the field `grpc-status`, in trailers or,
 * when there is no message, in the head ("Trailers-Only"). The status of HTTP is 200 in any case.
 * gRPC over HTTP2: https://github.com/grpc/grpc/blob/master/doc/PROTOCOL-HTTP2.md */
#ifndef H2MUX_HTTP_GRPC_H
#define H2MUX_HTTP_GRPC_H

#include "h2mux/http/message.h"

/* The codes of gRPC that are used here. */
enum {
    GRPC_CANCELLED = 1,
    GRPC_UNKNOWN = 2,
    GRPC_PERMISSION_DENIED = 7,
    GRPC_RESOURCE_EXHAUSTED = 8,
    GRPC_UNIMPLEMENTED = 12,
    GRPC_INTERNAL = 13,
    GRPC_UNAVAILABLE = 14,
    GRPC_UNAUTHENTICATED = 16
};

/* Returns whether @f are the fields of a request, or a response, of gRPC: its Content-Type is
 * application/grpc or begins so (application/grpc+proto, application/grpc-web). */
bool grpc_is(const struct fields *f);

/* Returns the code that stands for the HTTP status @status, which is an error: that of gRPC's own
 * mapping, but RESOURCE_EXHAUSTED for what is too large. */
int grpc_status_of(int status);

/* Adds to @m what makes it the whole answer to a call that fails with @code, and sets its status to
 * 200. @text says why; it is escaped as grpc-message is. */
void grpc_fail(struct message *m, int code, struct slice text);

#endif
