/* SPDX-License-Identifier: MIT */
/* message.h - holds the head of one request or response, in terms that HTTP/1.1 and HTTP/2 share.
 * RFC 9110 6. */
#ifndef H2MUX_HTTP_MESSAGE_H
#define H2MUX_HTTP_MESSAGE_H

#include "h2mux/http/fields.h"

enum { MESSAGE_LENGTH_UNKNOWN = -1 };

struct message {
    /* Of a request. */
    struct slice method, scheme, authority, path;
    struct slice protocol; /* ":protocol" of an extended CONNECT (RFC 8441); empty otherwise */

    int status; /* of a response; 0 for a request */

    /* Content-Length and Host are not among the fields: `length` and `authority` hold them. */
    struct fields fields;
    int64_t length; /* Content-Length, or MESSAGE_LENGTH_UNKNOWN */

    /* More than the head will follow: body bytes, maybe none, or trailers. */
    bool has_body;

    int minor_version; /* 0 or 1, as it came over HTTP/1; HTTP/2 leaves 1 */
    bool http2;        /* a request that came over HTTP/2 */
};

void message_init(struct message *m);
void message_deinit(struct message *m);

static inline bool message_is_websocket(const struct message *m)
{
    return slice_eq(m->protocol, SLICE("websocket"));
}

/* Returns whether @method is GET, HEAD, OPTIONS, TRACE, PUT or DELETE (RFC 9110 9.2.2). */
bool method_is_idempotent(struct slice method);

/* Returns the registered phrase, as "Not Found", or "Unknown". */
const char *status_phrase(int status);

/* Returns whether a response may have a body. 1xx, 204, 304 and answers to HEAD have none, whatever
 * their fields say (RFC 9112 6.3). */
bool status_has_body(int status, bool to_head_request);

#endif
