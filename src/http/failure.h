/* SPDX-License-Identifier: MIT */
/* failure.h - names the failures for which oneportd answers a viewer with an error. Each failure
 * has one row of a table, with its status, its error type and its texts. answer.h makes an answer
 * of a row. http-rules.md#failures, protocol.md#errors-that-viewers-see */
#ifndef SRC_HTTP_FAILURE_H
#define SRC_HTTP_FAILURE_H

#include "h2mux/base/slice.h"

/* Lists the failures. The comment at a failure gives its status, and its error type unless that is
 * http_request_error. A client can report the failures from FAIL_REFUSED on
 * (failure_from_client). */
enum failure {
    FAIL_BAD_REQUEST,       /* 400 */
    FAIL_METHOD,            /* 405 */
    FAIL_REQUEST_TIMEOUT,   /* 408 */
    FAIL_BODY_TOO_LARGE,    /* 413 */
    FAIL_URI_TOO_LONG,      /* 414 */
    FAIL_EXPECTATION,       /* 417 */
    FAIL_MISDIRECTED,       /* 421 */
    FAIL_UPGRADE_VERSION,   /* 426, Sec-WebSocket-Version: 13 */
    FAIL_TOO_MANY_ABORTS,   /* 429, Retry-After: 1 */
    FAIL_TOO_MANY_REQUESTS, /* 429, Retry-After: 1 */
    FAIL_SIGN_IN,           /* 401: a stream is reset with HTTP_1_1_REQUIRED (rule D44) */
    FAIL_BARRED,            /* 403: the operator has shut the viewer out */
    FAIL_LOGIN,             /* 401 http_request_denied, WWW-Authenticate */
    FAIL_KEY,               /* 403 http_request_denied: a key is wanted, or this one is not good */
    FAIL_FOREIGN,           /* 403 http_request_denied: a page of another site has caused it */
    FAIL_NOT_ALLOWED,       /* 403 http_request_denied: the tunnel's policy */
    FAIL_OVER,              /* 410 destination_not_found: the time of the tunnel is over */
    FAIL_NO_SEAT,           /* 503 connection_limit_reached, Retry-After: 3 */
    FAIL_HEAD_TOO_LARGE,    /* 431 */
    FAIL_CODING,            /* 501 */
    FAIL_NO_WEBSOCKETS,     /* 501 http_upgrade_failed: the client carries no WebSockets */
    FAIL_VERSION,           /* 505 */
    FAIL_LOOP,              /* 508 proxy_loop_detected */
    FAIL_NO_TUNNEL,         /* 404 destination_not_found */
    FAIL_NOT_FOUND,         /* 404 without an error type: a path of the base domain */
    FAIL_AWAY,              /* 503 destination_unavailable, Retry-After: 2 */
    FAIL_BUSY,              /* 503 connection_limit_reached, Retry-After: 1 */
    FAIL_SOCKETS,           /* 503 connection_limit_reached, Retry-After: 1: answer_no_socket */
    FAIL_DRAINING,          /* 503 destination_unavailable, Retry-After: 2 */
    FAIL_REFUSED,           /* 502 connection_refused */
    FAIL_TERMINATED,        /* 502 connection_terminated */
    FAIL_PROTOCOL,          /* 502 http_protocol_error */
    FAIL_INCOMPLETE,        /* 502 http_response_incomplete */
    FAIL_RESPONSE_CODING,   /* 502 http_response_transfer_coding */
    FAIL_RESPONSE_HEAD,     /* 502 http_response_header_section_size */
    FAIL_UPGRADE,           /* 502 http_upgrade_failed */
    FAIL_DNS,               /* 502 dns_error */
    FAIL_UNROUTABLE,        /* 502 destination_ip_unroutable */
    FAIL_PROHIBITED,        /* 502 destination_ip_prohibited */
    FAIL_ORIGIN_LIMIT,      /* 503 connection_limit_reached, Retry-After: 1 */
    FAIL_TLS,               /* 502 tls_alert_received */
    FAIL_CONNECT_TIMEOUT,   /* 504 connection_timeout */
    FAIL_RESPONSE_TIMEOUT   /* 504 http_response_timeout */
};

struct failure_row {
    int status;
    unsigned retry_after_s; /* 0: no Retry-After */
    const char *type;       /* the error type of RFC 9209 2.3; "": no Proxy-Status */
    const char *title;      /* the heading of the HTML page */
    const char *message;    /* one sentence or two, for HTML and JSON */
};

/* Returns the row of the table for the failure @why. The pointer is never NULL. */
const struct failure_row *failure_row(enum failure why);

/* Return the row's status and its error type. */
int failure_status(enum failure why);
const char *failure_type(enum failure why);

/* Sets @why to the failure for a head that was malformed with the error @err. Returns false when
 * @err does not stand for a malformed head. */
bool failure_of_head(int err, enum failure *why);

/* Returns the failure that a client reports by `oneport-error: @type` in a response with @status,
 * which is 200 if the request is a call of gRPC (rule D42). Returns FAIL_PROTOCOL when @type is not
 * known, or when @status is none of 200 and 502 to 504, or 501 for a WebSocket. */
enum failure failure_from_client(int status, struct slice type);

#endif
