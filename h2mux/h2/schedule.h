/* SPDX-License-Identifier: MIT */
/* schedule.h - decides whose DATA is framed next: short and interactive before bulk, each in turn.
 * The same in both roles; RFC 9218 leaves the order to the sender.
 *
 * nghttp2 is let see one stream at a time: all others stay deferred in it. A stream with bytes to
 * send waits here until its turn, has a run of DATA frames, and goes to the end of its queue.
 *
 * The schedule works on entries that are embedded in streams; it knows neither streams nor
 * nghttp2.
 *
 * Invariants: an entry is in one queue at most; the entry whose turn it is, is in none. A turn is
 * never longer than SCHEDULE_RUN. */
#ifndef H2MUX_H2_SCHEDULE_H
#define H2MUX_H2_SCHEDULE_H

#include "h2mux/base/list.h"

enum {
    SCHEDULE_FRAME = 16 * 1024 - 9,    /* a DATA frame: with its header a full TLS record */
    SCHEDULE_RUN = 4 * SCHEDULE_FRAME, /* bytes of bulk in a turn */
    SCHEDULE_SHORT = 16 * 1024, /* what a stream may have queued, or sent at first, to be short */
    SCHEDULE_AHEAD = 256 * 1024 /* bytes of others while bulk waits for one turn */
};

/* The place of one stream. Embedded in the stream; must leave before that is freed. */
struct schedule_entry {
    struct list_node node; /* in one of the queues; linked iff the entry waits */
    size_t framed;         /* bytes that were framed, up to SCHEDULE_SHORT */
    bool interactive;      /* goes before bulk however much it has sent */
};

struct schedule {
    struct list_node urgent, bulk; /* of schedule_entry.node */
    struct schedule_entry *turn;   /* weak: the one that may be framed now; NULL: none */
    size_t run;                    /* bytes left of its turn */
    size_t ahead; /* bytes framed of others while bulk waits, since bulk had its last turn */
};

void schedule_init(struct schedule *q);

/* Queues @e, which has something to send: @queued bytes, or its end. Does nothing if @e waits or
 * has its turn. */
void schedule_ready(struct schedule *q, struct schedule_entry *e, size_t queued);

/* Returns how many of the @queued bytes of @e may be framed now, at most @most. Returns 0 if it is
 * not the turn of @e: then @e waits, and nghttp2 is to defer it. */
size_t schedule_share(struct schedule *q, struct schedule_entry *e, size_t queued, size_t most);

/* Counts @bytes of @e that were framed. */
void schedule_framed(struct schedule *q, struct schedule_entry *e, size_t bytes);

/* Ends the turn that runs and gives the next entry its turn. Returns that entry, or NULL if none
 * waits. */
struct schedule_entry *schedule_next(struct schedule *q);
/* Ends the turn that runs; nobody has a turn then. */
void schedule_end_turn(struct schedule *q);

/* Returns whether an entry waits; nghttp2 does not know. */
bool schedule_waits(const struct schedule *q);

/* Makes bulk that is in the middle of its turn step back for urgent entries that came meanwhile. */
void schedule_preempt(struct schedule *q);

/* Checks the invariants: check.h. Looks at every entry. */
void schedule_check(const struct schedule *q);

/* Takes @e out of its queue and ends its turn: it has nothing to send. */
void schedule_leave(struct schedule *q, struct schedule_entry *e);

#endif
