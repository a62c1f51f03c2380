/* SPDX-License-Identifier: MIT */
/* message.h - the head of one request or response, in the terms that HTTP/1.1 and HTTP/2 share. RFC
 * 9110 6. */
#ifndef H2MUX_HTTP_MESSAGE_H
#define H2MUX_HTTP_MESSAGE_H

#include "h2mux/http/fields.h"

enum { MESSAGE_LENGTH_UNKNOWN = -1 };

struct message {
    /* request */
    struct slice method, scheme, authority, path;
    struct slice protocol; /* ":protocol" of an extended CONNECT (RFC 8441); empty otherwise */
    /* response; 0 for a request */
    int status;
    /* both; content-length and host are not among the fields: they are length and authority */
    struct fields fields;
    int64_t length; /* Content-Length, or MESSAGE_LENGTH_UNKNOWN */
    bool has_body;  /* more than the head will follow (body bytes, maybe none, or trailers) */
    /* as it came over HTTP/1: 0 or 1; HTTP/2 leaves 1 */
    int minor_version;
};

void message_init(struct message *m);
void message_deinit(struct message *m);

static inline bool message_is_websocket(const struct message *m)
{
    return slice_eq(m->protocol, SLICE("websocket"));
}

/* GET, HEAD, OPTIONS, TRACE, PUT, DELETE (RFC 9110 9.2.2). */
bool method_is_idempotent(struct slice method);

/* "Not Found"; "Unknown" for what has no registered phrase. */
const char *status_phrase(int status);

/* 1xx, 204, 304 and answers to HEAD have no body, whatever their fields say (RFC 9112 6.3). */
bool status_has_body(int status, bool to_head_request);

#endif
