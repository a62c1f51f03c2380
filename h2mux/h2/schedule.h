/* SPDX-License-Identifier: MIT */
/* schedule.h - decides which stream's DATA is framed next: short and interactive streams go before
 * bulk, and streams of the same kind take turns. Before that a stream of a better urgency goes
 * first (RFC 9218), which only a stranger's streams have: on a link all have the same. The streams
 * of a group take turns as one stream does, and with each other for the turns of their group.
 *
 * nghttp2 sees one stream with DATA at a time; all others are deferred in nghttp2. A stream with
 * bytes to send waits in a queue of the schedule until its turn, sends a run of DATA frames, and
 * goes to the end of its queue.
 *
 * The schedule works on entries that are embedded in streams; it knows neither streams nor nghttp2.
 * One entry of a group stands in the queue for all of its group that wait there, and the others
 * stand behind it in a list of the group. So an entry without a group costs nothing more. The rest
 * of a turn of bulk goes to the next entry of the group when the one that had it has no more.
 *
 * Invariants: an entry is in one queue or list at most, and the entry that has the turn is in none.
 * Of a group one entry is in a queue at most, and none is behind if none is in the queue. A turn is
 * never longer than SCHEDULE_RUN. */
#ifndef H2MUX_H2_SCHEDULE_H
#define H2MUX_H2_SCHEDULE_H

#include "h2mux/base/list.h"
#include "h2mux/h2/priority.h"

enum {
    SCHEDULE_FRAME = 16 * 1024 - 9, /* bytes of a DATA frame; with its header one full TLS record */
    SCHEDULE_RUN = 4 * SCHEDULE_FRAME, /* bytes that are framed in one turn */
    SCHEDULE_SHORT = 16 * 1024,        /* largest queue of a short stream */
    SCHEDULE_AHEAD = 256 * 1024,       /* bytes of better streams before waiting ones get a turn */
    SCHEDULE_LEVELS =
        2 * PRIORITY_LEVELS /* each urgency has one for short streams and one for bulk */
};

struct schedule_entry;

/* Entries that take turns as one. All have the usual urgency, so there is one queue of short ones
 * and one of bulk. */
struct schedule_group {
    struct schedule_lane {
        struct schedule_entry *front; /* weak: stands in the queue; NULL: none */
        struct list_node behind;      /* of schedule_entry.node; the next one is first */
    } lanes[2];                       /* of short entries, of bulk */
};

/* A stream's place in the schedule, embedded in the stream. The stream calls schedule_leave before
 * its own end. */
struct schedule_entry {
    struct list_node node; /* in a queue, or behind one of its group; linked iff the entry waits */
    struct schedule_group *group; /* borrowed; NULL: it takes turns by itself */
    size_t framed;                /* bytes framed so far, counted up to SCHEDULE_SHORT */
    uint8_t level;                /* the queue that it waits in, or has its turn from */
    uint8_t urgency;              /* of RFC 9218; 0 is the best */
    bool interactive;             /* may be short however many bytes were framed */
};

struct schedule {
    /* Owned: SCHEDULE_LEVELS queues, the best first; or two, if urgencies are not looked at. */
    struct schedule_queue {
        struct list_node entries; /* of schedule_entry.node */
        /* Bytes of better streams that were framed while the queue waits, since it had its last
         * turn; counted up to SCHEDULE_AHEAD. */
        uint32_t ahead;
    } * queues;
    unsigned levels;             /* how many queues there are */
    uint32_t waiting;            /* a bit for each queue that is not empty */
    struct schedule_entry *turn; /* weak; the entry that has the turn; NULL: none */
    size_t run;                  /* bytes left of the turn */
    /* weak; the group that had the last turn of bulk, for which `run` is left if the entry had no
     * more; NULL: none */
    struct schedule_group *going;
    size_t room; /* bytes of bulk that may be framed; while 0, bulk waits and only short ones go */
    bool paused; /* bulk waits as if there was no room */
};

/* Makes a schedule without entries. @urgencies: those of entries are looked at. */
void schedule_init(struct schedule *q, bool urgencies);
/* Frees what @q owns. Its entries are forgotten. */
void schedule_deinit(struct schedule *q);

/* Makes an entry of the usual urgency. Its owner has zeroed it. */
void schedule_entry_init(struct schedule_entry *e);

void schedule_group_init(struct schedule_group *g);

/* Makes @e one of the group @g, which outlives it or its schedule_leave. @e has had no group, and
 * may wait already. */
void schedule_join(struct schedule_entry *e, struct schedule_group *g);

/* Takes over that @g, which has no entries any more, ends. */
void schedule_group_end(struct schedule *q, const struct schedule_group *g);

/* Queues @e, which has @queued bytes or the end of its body to send. Does nothing if @e waits
 * already or has the turn. */
void schedule_ready(struct schedule *q, struct schedule_entry *e, size_t queued);

/* Returns how many of the @queued bytes of @e may be framed now, at most @most. If @e does not have
 * the turn, queues @e and returns 0; the caller defers the stream in nghttp2 then. */
size_t schedule_share(struct schedule *q, struct schedule_entry *e, size_t queued, size_t most);

/* Counts @bytes of @e that were framed. */
void schedule_framed(struct schedule *q, struct schedule_entry *e, size_t bytes);

/* Ends the present turn and gives the next entry the turn. Returns this entry, or NULL if none
 * waits. */
struct schedule_entry *schedule_next(struct schedule *q);
/* Ends the present turn. No entry has the turn then. */
void schedule_end_turn(struct schedule *q);

/* Returns whether an entry waits that may have a turn. Callers must ask here, because nghttp2 does
 * not report deferred streams. */
bool schedule_waits(const struct schedule *q);

/* Lets @bytes of bulk be framed from now on, and at most a frame more; SIZE_MAX, as in the
 * beginning: without end. */
void schedule_admit(struct schedule *q, size_t bytes);
/* Lets bulk wait, whatever was admitted, until it is let go on. */
void schedule_pause(struct schedule *q, bool pause);
/* Returns whether bulk waits or has the turn. */
bool schedule_has_bulk(const struct schedule *q);

/* Ends the present turn if a better entry waits, so that the entry need not wait for the rest of
 * the turn. */
void schedule_preempt(struct schedule *q);

/* Checks the invariants (check.h) by a look at every entry. */
void schedule_check(const struct schedule *q);

/* Takes @e out of its queue and ends its turn, because the stream has nothing to send. */
void schedule_leave(struct schedule *q, struct schedule_entry *e);

#endif
