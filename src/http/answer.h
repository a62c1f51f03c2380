/* SPDX-License-Identifier: MIT */
/* answer.h - what oneportd answers itself: error pages, JSON, redirects. Every one has
 * Cache-Control: no-store. protocol.md#errors-that-viewers-see */
#ifndef SRC_HTTP_ANSWER_H
#define SRC_HTTP_ANSWER_H

#include <cjson/cJSON.h>

#include "h2mux/http/message.h"

struct answer {
    struct message head; /* status, fields; length is the body's */
    struct buf body;     /* owned */
};
/* Each function that gives @a a status initialises it, those of admin.h and register.h too;
 * answer_json and answer_html are for one that answer_init made. Fields may be added afterwards. */
void answer_init(struct answer *a, int status);
void answer_deinit(struct answer *a);
void answer_json(struct answer *a, cJSON *json);       /* takes @json; sets Content-Type */
void answer_html(struct answer *a, struct slice html); /* likewise text/html; charset=utf-8 */
void answer_redirect(struct answer *a, int status, struct slice where);
/* {"error":…,"message":…} with @status: the API's refusals. @retry_after_s 0: none (also
 * "retry_after" in the JSON). */
void answer_refusal(struct answer *a, int status, const char *error, const char *message,
                    unsigned retry_after_s);

/* Why a viewer gets an error from us: one row gives status, Proxy-Status type, words. */
enum failure {
    FAIL_BAD_REQUEST,       /* 400 http_request_error */
    FAIL_METHOD,            /* 405 */
    FAIL_REQUEST_TIMEOUT,   /* 408 */
    FAIL_BODY_TOO_LARGE,    /* 413 */
    FAIL_URI_TOO_LONG,      /* 414 */
    FAIL_EXPECTATION,       /* 417 */
    FAIL_UPGRADE_VERSION,   /* 426 + Sec-WebSocket-Version: 13 */
    FAIL_TOO_MANY_ABORTS,   /* 429, Retry-After: 1 */
    FAIL_TOO_MANY_REQUESTS, /* likewise */
    FAIL_HEAD_TOO_LARGE,    /* 431 */
    FAIL_CODING,            /* 501 */
    FAIL_NO_WEBSOCKETS,     /* 501: the tunnel's client cannot */
    FAIL_VERSION,           /* 505 */
    FAIL_LOOP,              /* 508 proxy_loop_detected */
    FAIL_NO_TUNNEL,         /* 404 destination_not_found */
    FAIL_NOT_FOUND,         /* 404 for a path of the base domain; no Proxy-Status */
    FAIL_AWAY,              /* 503 destination_unavailable, Retry-After: 2 */
    FAIL_BUSY,              /* 503 connection_limit_reached, Retry-After: 1 */
    FAIL_DRAINING,          /* 503 destination_unavailable, Retry-After: 2 */
    FAIL_REFUSED,           /* 502 connection_refused */
    FAIL_TERMINATED,        /* 502 connection_terminated */
    FAIL_PROTOCOL,          /* 502 http_protocol_error */
    FAIL_INCOMPLETE,        /* 502 http_response_incomplete */
    FAIL_RESPONSE_HEAD,     /* 502 http_response_header_section_size */
    FAIL_UPGRADE,           /* 502 http_upgrade_failed */
    FAIL_DNS,               /* 502 dns_error */
    FAIL_TLS,               /* 502 tls_alert_received */
    FAIL_CONNECT_TIMEOUT,   /* 504 connection_timeout */
    FAIL_RESPONSE_TIMEOUT   /* 504 http_response_timeout */
};
/* HTML when @accept prefers text/html over application/json (a browser's navigation: 502, 503 and
 * 504 reload by themselves), else JSON
 * {"error":type,"message":…}. Proxy-Status: oneport; error=TYPE. @name: the tunnel's, for the
 * words; may be empty. */
void answer_failure(struct answer *a, enum failure why, struct slice accept, struct slice name);
int failure_status(enum failure why);
const char *failure_type(enum failure why); /* the RFC 9209 type, or "" */
/* oneport's own failure as it comes in `oneport-error: <type>` with 502 or 504; FAIL_PROTOCOL for a
 * type not known. */
enum failure failure_from_client(int status, struct slice type);

#endif
