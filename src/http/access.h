/* SPDX-License-Identifier: MIT */
/* access.h - writes the access log. Each request gets one line when its answer ends, as text or as
 * JSON: the request, its viewer and tunnel, the answer's status, the bytes of both bodies, the
 * times, and the error if there was one. h2mux/base/log.h opens and reopens the file. */
#ifndef SRC_HTTP_ACCESS_H
#define SRC_HTTP_ACCESS_H

#include "h2mux/http/message.h"

struct log_file;

/* Holds the parts of a request that its log line shows, as the viewer sent them. The texts may hold
 * any bytes. They are borrowed from the request's head, or from the block that access_request_keep
 * made. */
struct access_request {
    struct slice host, method, path, user_agent, referer;
    int minor_version; /* of HTTP/1 */
    bool http2;        /* it came over HTTP/2 */
};

/* What is behind this at the beginning of a path is a secret: a key that lets its holder in, up to
 * the next '/', '?' or '#' (rule P26). No line shows it. */
#define ACCESS_KEY_PATH "/.oneport/key/"

/* Copies the parts of @r into one block, each cut to the length that a line can show, and makes @r
 * borrow from that block. The caller needs this when the line is written after the head is freed.
 * Returns the block, which the caller frees. */
char *access_request_keep(struct access_request *r) MUSTCHECK;

/* One line of the log. */
struct access_entry {
    const char *viewer; /* the address */
    struct access_request request;
    const char *tunnel; /* the tunnel's name, or "-" */
    int status;         /* 0: the viewer left before an answer; printed as 499 */
    bool websocket;
    uint64_t rx_bytes, tx_bytes; /* bytes of the bodies: from the viewer, to the viewer */
    uint64_t duration_us;        /* time from the request's head to the end of the answer */
    uint64_t wait_us;            /* the part of duration_us until a link took the request */
    const char *error;           /* the error type of RFC 9209, or an event's name; NULL: none */
    bool aborted;                /* the answer was cut off after its head */
};

/* Writes the log line of @e to @f, as JSON if @json is set, otherwise as text. Does nothing when @f
 * is NULL. A text line begins as in the combined log format, `viewer - - [time] "METHOD path
 * HTTP/1.1" status bytes "referer" "agent"`, and goes on with `tunnel=… host=… ms=…` and more
 * fields. In a viewer's text, each byte that is not printable, each `"`, each `\`, and each space
 * outside of quotes is written as \xNN. */
void access_write(struct log_file *f, bool json, const struct access_entry *e);

#endif
