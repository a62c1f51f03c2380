/* SPDX-License-Identifier: MIT */
/* viewer.h - one viewer: an HTTP/1.1 keep-alive connection that asks, counts the answer's bytes
 * and throws them away.
 *
 * Answers need a Content-Length: every origin here gives one. */

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
    void (*on_answer)(struct viewer *v); /* the whole of it is here; ask again if you like */
    void (*on_room)(struct viewer *v);   /* an upload may go on: conn_fill() was called */
    void (*on_bytes)(struct viewer *v, struct slice bytes); /* after a 101 */
    void (*on_broken)(struct viewer *v,
                      const char *why); /* closed; viewer_dial may be called again */
};

enum { VIEWER_EXPECTED_MAX = 64 };

struct viewer {
    struct conn conn;
    const struct viewer_ops *ops;
    struct buf head;
    uint64_t left; /* bytes of the answer's body still to come */
    enum viewer_state state;
    int status;
    char expected[VIEWER_EXPECTED_MAX]; /* how the body has to begin */
    size_t expected_len, matched;
};

int viewer_dial(struct viewer *v, struct event_base *base, const struct viewer_ops *ops,
                uint16_t port, size_t number) MUSTCHECK;
void viewer_ask(struct viewer *v, struct slice request);

/* The body of the answers from now on has to begin with @start, VIEWER_EXPECTED_MAX bytes at most:
 * the connection is broken when one does not. */
void viewer_expect(struct viewer *v, struct slice start);
void viewer_close(struct viewer *v);

#endif
