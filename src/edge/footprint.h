/* SPDX-License-Identifier: MIT */
/* footprint.h - counts the memory of one viewer's connection in the budget of the process: its head
 * and the body that waits for a client. http-rules.md#memory, rules F61 and F62
 *
 * The first FOOTPRINT_FREE bytes of a connection count, but they are never a reason to end it. A
 * connection that holds more is a reader (evict.h) and is given up when memory is short and nothing
 * has moved for the stall time. While the budget is spent, viewers' windows are closed but for a
 * rest, and no request with a large head is let in.
 *
 * Invariants: a footprint is in worker->uploads iff it holds more than FOOTPRINT_FREE. The budget
 * counts worker->windows.closed as one byte of credit that is kept back, so that the evictor opens
 * the windows again.
 *
 * A footprint is embedded in its connection. Only the thread of its worker touches it. */
#ifndef SRC_EDGE_FOOTPRINT_H
#define SRC_EDGE_FOOTPRINT_H

#include "src/worker/worker.h"

enum {
    FOOTPRINT_FREE = 4096,
    FOOTPRINT_HANDSHAKE = 64 * 1024 /* of a TLS handshake that is under way */
};

struct footprint {
    struct worker *worker;      /* borrowed */
    struct h1_conn *conn;       /* borrowed */
    struct evict_reader reader; /* what is held beyond FOOTPRINT_FREE */
    uint64_t small;             /* what is held up to that */

    /* Ends the connection, of which nothing has moved for @stalled_ms. */
    void (*give_up)(struct footprint *f, uint64_t stalled_ms);
};

/* Gives @w, which is one of @workers, the windows that it lends to viewers, and the group of its
 * footprints. The windows of all workers together have an eighth of the budget beyond the least,
 * and those of one worker 8 MiB at most. */
void footprint_open(struct worker *w, unsigned workers);
/* Ends that, when no footprint holds anything. */
void footprint_close(struct worker *w);

/* Begins to count @conn. @give_up as in struct footprint. */
void footprint_init(struct footprint *f, struct worker *w, struct h1_conn *conn,
                    void (*give_up)(struct footprint *f, uint64_t stalled_ms));

/* Says that the connection holds @bytes now. 0 when it ends. */
void footprint_set(struct footprint *f, uint64_t bytes);

/* Returns whether memory is spent and the head of the connection has more than FOOTPRINT_FREE
 * bytes, so that its request is to be refused. */
bool footprint_refuses(const struct footprint *f);

/* The same for a head of @head_bytes that came over HTTP/2. */
bool footprint_admits(const struct worker *w, size_t head_bytes);

/* Returns whether a request for a tunnel may begin: it is not refused, and the process does not
 * refuse everything (memory_alarm.h). */
bool footprint_lets_in(const struct footprint *f);

#endif
