/* SPDX-License-Identifier: MIT */
/* schedule.h - whose DATA is framed next: short and interactive before bulk, each in turn. For
 * session.c and stream.c alone, the same in both roles; RFC 9218 leaves the order to the sender.
 *
 * nghttp2 is let see one stream at a time: all others stay deferred in it. A stream with bytes to
 * send waits here until its turn, has a run of DATA frames, and goes to the end of its queue. */
#ifndef H2MUX_H2_SCHEDULE_H
#define H2MUX_H2_SCHEDULE_H

#include "h2mux/base/list.h"

struct h2_session;
struct h2_stream;

enum {
    SCHEDULE_FRAME = 16 * 1024 - 9,    /* of DATA: with its header a full TLS record */
    SCHEDULE_RUN = 4 * SCHEDULE_FRAME, /* bytes of bulk in a turn */
    SCHEDULE_SHORT = 16 * 1024, /* what a stream may have queued, or sent at first, to be short */
    SCHEDULE_AHEAD = 256 * 1024 /* bytes of short streams while bulk waits for one turn */
};

struct schedule {
    struct list_node urgent, bulk; /* of h2_stream.waiting */
    struct h2_stream *turn;        /* weak: who may be framed now; NULL */
    size_t run;                    /* bytes left of its turn */
    size_t ahead;                  /* framed of others while bulk waits, since it had its turn */
};

void schedule_init(struct schedule *q);
/* @st has something to send: bytes, or its end. */
void schedule_ready(struct h2_session *s, struct h2_stream *st);
/* How many of the @have bytes @st may frame now. 0: it waits, and is to be deferred. */
size_t schedule_share(struct h2_session *s, struct h2_stream *st, size_t have);
void schedule_framed(struct h2_session *s, struct h2_stream *st, size_t bytes);
/* Gives the next one its turn; false: nobody waits, or the connection's window is used up. */
bool schedule_next(struct h2_session *s);
bool schedule_waits(const struct schedule *q); /* somebody does: nghttp2 does not know it */
/* Bulk that is in the middle of its turn steps back for who came meanwhile. */
void schedule_preempt(struct h2_session *s);
/* @st has nothing to send, now or any more. */
void schedule_leave(struct h2_session *s, struct h2_stream *st);

#endif
