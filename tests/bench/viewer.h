/* SPDX-License-Identifier: MIT */
/* viewer.h - a viewer: a keep-alive connection of HTTP/1.1 that sends requests, counts the bytes of
 * the answers and throws them away.
 *
 * Answers need a Content-Length; the origins of the benchmark all send one. */

/* draw: a viewer
 *
 *   DIALLING ──▶ IDLE ──viewer_ask──▶ HEAD ──▶ BODY ──whole──▶ IDLE ...
 *                                      └─101──▶ SWITCHED: bytes are on_bytes' from then on */
#ifndef TESTS_BENCH_VIEWER_H
#define TESTS_BENCH_VIEWER_H

#include "tests/bench/conn.h"

enum viewer_state { VIEWER_DIALLING, VIEWER_IDLE, VIEWER_HEAD, VIEWER_BODY, VIEWER_SWITCHED };

struct viewer;

struct viewer_ops {
    void (*on_ready)(struct viewer *v);                    /* dialled */
    void (*on_head)(struct viewer *v);                     /* `status` is known; may be NULL */
    void (*on_body)(struct viewer *v, struct slice bytes); /* may be NULL */
    void (*on_answer)(struct viewer *v); /* the answer is complete; may ask again */
    void (*on_room)(struct viewer *v);   /* an upload may go on: conn_fill() was called */
    void (*on_bytes)(struct viewer *v, struct slice bytes); /* after a 101 */
    /* The connection is closed. May dial again. */
    void (*on_broken)(struct viewer *v, const char *why);
};

enum { VIEWER_EXPECTED_MAX = 64 };

struct viewer {
    struct conn conn;
    const struct viewer_ops *ops;
    struct buf head;
    uint64_t left; /* bytes left of the answer's body */
    enum viewer_state state;
    int status;
    char expected[VIEWER_EXPECTED_MAX]; /* expected start of the body */
    size_t expected_len, matched;
};

int viewer_dial(struct viewer *v, struct event_base *base, const struct viewer_ops *ops,
                uint16_t port, size_t number) MUSTCHECK;
void viewer_ask(struct viewer *v, struct slice request);

/* Sets how the bodies of later answers begin: with @start, at most VIEWER_EXPECTED_MAX bytes. A
 * body that begins otherwise breaks the connection. */
void viewer_expect(struct viewer *v, struct slice start);
void viewer_close(struct viewer *v);

#endif
