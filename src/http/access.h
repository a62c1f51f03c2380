/* SPDX-License-Identifier: MIT */
/* access.h - one line an exchange, at its end: who asked for what, what it got, from where, how
 * long. Text or JSON. */
#ifndef SRC_HTTP_ACCESS_H
#define SRC_HTTP_ACCESS_H

#include "h2mux/http/message.h"

struct log_file;

/* What was asked for, as it came: any bytes. Borrowed from the request's head, or from what
 * access_request_keep made. */
struct access_request {
    struct slice host, method, path, user_agent, referer;
    int minor_version;
};

/* For a line that will be written long after the head is gone: puts as much of @r as a line shows
 * into one block, from which @r borrows from now on. The caller owns it, and frees it. */
char *access_request_keep(struct access_request *r) MUSTCHECK;

struct access_entry {
    const char *viewer; /* address */
    struct access_request request;
    const char *tunnel; /* name or "-" */
    int status;         /* 0: none was sent (the viewer left first): printed as 499 */
    bool websocket;
    uint64_t rx_bytes, tx_bytes;   /* bodies from and to the viewer */
    uint64_t duration_us, wait_us; /* until the end; held before a link took it */
    const char *error;             /* RFC 9209 type or our event; NULL: none */
    bool aborted;                  /* cut off after the head */
};
/* Text: combined-like `viewer - - [time] "METHOD path HTTP/1.1" status bytes "referer" "agent"
 * tunnel=… host=… ms=… …`, every foreign value escaped. */
void access_write(struct log_file *f, bool json, const struct access_entry *e);

#endif
