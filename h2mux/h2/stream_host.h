/* SPDX-License-Identifier: MIT */
/* stream_host.h - holds the data that the streams of one session share, and declares the calls
 * that streams make to their session.
 *
 * A session embeds its host and sets stream_host_ops; streams know only the host. So a session
 * calls its streams directly, and streams call their session by the ops. Only session*.c and
 * stream*.c include this header.
 *
 * Invariants: `streams` holds every stream that nghttp2 has not closed, `open` is its length, and
 * both are empty once the session is over. flow.fill.used is the sum of the bytes that all streams
 * hold. */
#ifndef H2MUX_H2_STREAM_HOST_H
#define H2MUX_H2_STREAM_HOST_H

#include <nghttp2/nghttp2.h>

#include "h2mux/base/bucket.h"
#include "h2mux/base/log.h"
#include "h2mux/base/map.h"
#include "h2mux/h2/evict.h"
#include "h2mux/h2/h2.h"
#include "h2mux/h2/schedule.h"
#include "h2mux/h2/window.h"
#include "h2mux/http/message.h"

struct stream_host;

struct stream_host_ops {
    /* Hands a new request to the session's owner (h2_session_ops.on_stream). */
    void (*on_stream)(struct stream_host *h, struct leg *leg, struct message *m, bool end);
    /* Tells that the request @m was reset because of @reason (h2_session_ops.on_malformed). Returns
     * false if the owner does not want to know. */
    bool (*on_malformed)(struct stream_host *h, const struct message *m, const char *reason);
    /* Stores how many bytes of the session were written so far, and how many of them its peer's
     * system has taken (sock_taken). */
    void (*on_wire)(struct stream_host *h, uint64_t *written, uint64_t *taken);
    /* Tells that a stream has closed and is no longer counted. Not called once the session is
     * over. */
    void (*on_left)(struct stream_host *h);
    /* Tells the session's owner that a stream is given up (h2_session_ops.on_evicted). */
    void (*on_evicted)(struct stream_host *h, uint64_t stalled_ms, uint64_t bytes);
    /* Arms the session's timer, because a stream waits for a point in time. */
    void (*arm)(struct stream_host *h);
    /* Tells the session's owner that the line has taught something
     * (h2_session_ops.on_learned). */
    void (*on_learned)(struct stream_host *h);
};

/* The flow control of all streams of a link together (stream_credit.c). "Held" bytes were handed up
 * without credit. */
struct stream_flow {
    struct fill fill;           /* bytes that all streams hold, and the link's budget */
    struct evictor *evictor;    /* borrowed; NULL: none */
    struct budget_share *share; /* the evictor's; NULL: none */
    struct evict_group readers; /* in the evictor until the session is over */
    uint64_t withheld;          /* connection credit kept back while a budget is spent */
    uint32_t requests;          /* open streams that are no WebSockets */
    uint32_t bodies;            /* open streams on which body bytes have arrived */
    uint32_t uploads;           /* those of them that are no WebSockets */
    uint32_t still_bodies;      /* `bodies` whose readers have taken nothing for 1 s */
    uint64_t still_held;        /* bytes held for the readers of still_bodies */
    uint32_t askers, movers;    /* parties with such requests and bodies whose readers move */
    uint64_t windows;           /* of these bodies, all together */
    bool looks;                 /* some bytes are held by a window larger than `initial` */
    uint32_t initial;           /* the announced window of a new stream */
    uint32_t first;             /* the same while few streams are open */
    uint64_t announced_us;      /* when `initial` changed last */
    uint32_t learned;           /* the largest window that a stream has grown to */
    uint64_t granted, promised; /* the sums of those of all streams */
    uint64_t line_rate;         /* bytes a second that the line is expected to carry; 0: nothing */
    struct line line;           /* what has come has shown of the line */
    uint32_t backlogs;          /* streams whose senders have more to send, and may */
    uint64_t first_rate;        /* the rate that `first` was computed with */
    uint64_t rtt_begin_us;      /* the round trip as the attach call has shown it; 0: unknown */
    uint64_t rtt_us;            /* the last round trip; 0: none was measured yet */
    uint64_t rtt_least_us;      /* the shortest round trip; 0: none was measured yet */
};

struct stream_host {
    const struct stream_host_ops *ops; /* static */
    struct loop *loop;                 /* borrowed: outlives its sessions */
    nghttp2_session *ng;               /* owned by the session */
    enum h2_role role;
    bool stranger; /* h2_options.stranger */
    struct slice party_field;
    bool over;           /* the session is over: nothing may be submitted */
    uint64_t last_rx_us; /* when bytes arrived last */
    struct task frame;   /* makes and writes the frames of all streams */
    struct list_node streams;
    uint32_t open; /* streams, also those whose reset waits */
    /* Owned: the head or the trailers that are being received, of whichever stream: the frames of a
     * head come without others between them (RFC 9113 4.3). NULL between heads; but what a stream
     * that was reset has begun of a head stays here until the next one begins. */
    struct message *head;
    struct schedule schedule;
    struct map parties; /* of struct stream_party, owned; keyed by the bytes of their leaders */
    struct stream_flow flow;
    struct evict_group tails; /* what answers whose exchange is over have queued: stream_tail.c */
    uint64_t tail_us;         /* h2_options.tail_ms */
    struct {
        struct list_node frozen; /* streams whose RST_STREAM waits for a token; still counted */
        struct bucket bucket;
        bool paced; /* false: resets are not limited */
    } resets;
    struct log_limit refusals; /* limits a log line that the peer can cause at will */
};

/* Makes a host without streams. @evict has the functions of streams for evict.h
 * (h2_stream_evict_ops), @tails those for what is queued of answers (h2_stream_tail_ops). */
void stream_host_init(struct stream_host *h, struct loop *l, enum h2_role role,
                      const struct h2_options *o, const struct stream_host_ops *ops,
                      const struct evict_ops *evict, const struct evict_ops *tails);

/* Begins an empty head, and forgets what is left of an earlier one. */
void stream_host_begin_head(struct stream_host *h);
/* Returns the head that has come, which the caller owns. */
struct message stream_host_take_head(struct stream_host *h);

/* Frees what the host owns. Does nothing to its streams. */
void stream_host_deinit(struct stream_host *h);

/* Takes the host out of the budget of the process when its session is over. */
void stream_host_leave_budget(struct stream_host *h);

/* Makes the session write its frames in this turn. Does nothing once the session is over. */
static inline void stream_host_mark(struct stream_host *h)
{
    if (!h->over)
        loop_frame(h->loop, &h->frame);
}

/* ---- stream_credit.c */

/* Returns whether the process has spent its budget and the link would hold more than its fair part
 * (budget_fair) with @bytes more. */
bool stream_host_starves_others(const struct stream_host *h, size_t bytes);

/* Keeps @bytes of connection credit back from the peer. */
void stream_host_withhold(struct stream_host *h, size_t bytes);
/* Gives the peer all connection credit that was kept back, unless a budget is short. */
void stream_host_restore(struct stream_host *h);

/* stream_host_count_still finds the readers that have taken nothing for 1 s, by a walk over all
 * streams. stream_host_has_still returns whether the walk is needed, that is, whether more than 8
 * bodies are open; the session's timer walks once a second then. */
void stream_host_count_still(struct stream_host *h, uint64_t now_us);
bool stream_host_has_still(const struct stream_host *h);

/* Announces another window for new streams, if the number of open ones or the line asks for it. */
void stream_host_retier(struct stream_host *h);

/* Takes over how long the line is now known to be, for the windows of new uploads; and how much it
 * carries, if no upload is open: SETTINGS change the windows of open streams, too, which may need
 * more than a new one. */
void stream_host_fit_line(struct stream_host *h);

/* ---- stream_tail.c */

/* Gives up the tails that have rested for tail_ms. The session's timer calls this once a second
 * while stream_host_has_tails returns true. */
void stream_host_end_tails(struct stream_host *h, uint64_t now_us);
static inline bool stream_host_has_tails(const struct stream_host *h)
{
    return !list_empty(&h->tails.readers);
}

/* ---- stream_line.c */

/* stream_host_learned returns the rate (bytes a second) that the line has taught, or 0.
 * stream_host_rate returns this rate, or before it is known the one that is expected. */
uint64_t stream_host_learned(const struct stream_host *h);
uint64_t stream_host_rate(const struct stream_host *h);

/* Returns the bytes that the line carries in a round trip at @rate (window_line). The shortest
 * answer to a PING tells the round trip, and before the first answer the attach call does. */
uint32_t stream_host_line(const struct stream_host *h, uint64_t rate);

/* ---- stream_window.c */

/* Returns the window that every stream has at least: the announced one, or WINDOW_INITIAL if that
 * is less. */
static inline uint32_t stream_host_least(const struct stream_host *h)
{
    return h->flow.initial < WINDOW_INITIAL ? h->flow.initial : WINDOW_INITIAL;
}

/* Finds the readers that are slow (window.h), by a walk over all streams, and makes their windows
 * smaller. The session's timer calls this once a second while flow.looks is set. @late: the loop
 * has stood still, so the time before says nothing of the readers. */
void stream_host_look_for_slow(struct stream_host *h, uint64_t now_us, bool late);

#endif
