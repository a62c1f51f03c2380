/* SPDX-License-Identifier: MIT */
/* stream_host.h - holds what the streams of one session share, and names the little that they ask
 * of the session.
 *
 * A session embeds its host and gives it stream_host_ops; streams know the host alone. So calls go
 * from a session down to its streams, and come back up through the ops. For the files of the nouns
 * session and stream alone.
 *
 * Invariants: `streams` holds every stream that nghttp2 has not closed, `open` is its length, and
 * both are empty once the session is over. flow.fill.used is the sum of what all streams hold. */
#ifndef H2MUX_H2_STREAM_HOST_H
#define H2MUX_H2_STREAM_HOST_H

#include <nghttp2/nghttp2.h>

#include "h2mux/base/bucket.h"
#include "h2mux/base/log.h"
#include "h2mux/h2/evict.h"
#include "h2mux/h2/h2.h"
#include "h2mux/h2/schedule.h"

struct stream_host;

struct stream_host_ops {
    /* A request has come: as h2_session_ops.on_stream. */
    void (*on_stream)(struct stream_host *h, struct leg *leg, struct message *m, bool end);
    /* A stream has closed and counts no more; not called once the session is over. */
    void (*on_left)(struct stream_host *h);
    /* A stream is about to be given up; as h2_session_ops.on_evicted. */
    void (*on_evicted)(struct stream_host *h, uint64_t stalled_ms, uint64_t bytes);
    /* Something waits for a time: the session's timer is to be armed for it. */
    void (*arm)(struct stream_host *h);
};

/* What a link grants to all of its streams together: stream_credit.c. */
struct stream_flow {
    struct fill fill;           /* what all streams hold of the link's budget */
    struct evictor *evictor;    /* borrowed; NULL: none */
    struct budget_share *share; /* the evictor's; NULL: none */
    struct evict_group readers; /* in the evictor until the session is over */
    uint64_t withheld;          /* connection credit that is kept back while a budget is spent */
    uint32_t requests;          /* of the open streams, those that are no WebSockets */
    uint32_t bodies;            /* of the open streams, those of which a body has begun to come */
    uint32_t still_bodies;      /* of these, those whose readers have taken nothing for a while */
    uint64_t still_held;        /* bytes held for such readers */
    uint32_t initial;           /* what a new stream's window begins with, as it was announced */
    uint64_t announced_us;      /* when `initial` changed last */
    uint32_t learned;           /* the largest window that a stream has grown to */
    uint64_t rtt_us;            /* the last round trip; 0: none was measured yet */
    uint64_t rtt_least_us;      /* the shortest one, likewise */
};

struct stream_host {
    const struct stream_host_ops *ops; /* static */
    struct loop *loop;                 /* borrowed: outlives its sessions */
    nghttp2_session *ng;               /* owned by the session */
    enum h2_role role;
    bool over;           /* nothing may be submitted any more */
    uint64_t last_rx_us; /* when bytes came last */
    struct task frame;   /* frames and writes what streams have submitted */
    struct list_node streams;
    uint32_t open; /* streams, those included whose reset waits */
    struct schedule schedule;
    struct stream_flow flow;
    struct {
        struct list_node frozen; /* streams whose RST_STREAM waits for a token; still counted */
        struct bucket bucket;
        bool paced; /* false: resets are not limited */
    } resets;
    struct log_limit refusals; /* a line a second of what the peer can repeat at will */
};

/* Makes a host without streams. @evict is what the noun stream does for evict.h. */
void stream_host_init(struct stream_host *h, struct loop *l, enum h2_role role,
                      const struct h2_options *o, const struct stream_host_ops *ops,
                      const struct evict_ops *evict);

/* Takes the host out of the budget of the process: its session is over. */
void stream_host_leave_budget(struct stream_host *h);

/* Makes the session frame in this turn: something waits for it. */
static inline void stream_host_mark(struct stream_host *h)
{
    if (!h->over)
        loop_frame(h->loop, &h->frame);
}

/* ---- stream_credit.c */

/* Returns whether the process has spent its budget and @bytes more would be beyond the fair part of
 * this link. */
bool stream_host_starves_others(const struct stream_host *h, size_t bytes);

/* Keeps @bytes of connection credit back. */
void stream_host_withhold(struct stream_host *h, size_t bytes);
/* Gives all connection credit that was kept back, unless a budget is short. */
void stream_host_restore(struct stream_host *h);

/* Finds the readers that have taken nothing for a while. That costs a walk over all streams, so it
 * is done from time to time, while stream_host_has_still says that there may be some. */
void stream_host_count_still(struct stream_host *h, uint64_t now_us);
bool stream_host_has_still(const struct stream_host *h);

#endif
