/* SPDX-License-Identifier: MIT */
/* stream_int.h - declares a stream and its functions. Only session*.c and stream*.c include this
 * header.
 *
 * Invariants: a stream is in host->streams until nghttp2 has closed the stream, and nghttp2 has no
 * pointer to the stream afterwards. An RST_STREAM waits for a token (reset.frozen is linked) or was
 * submitted (reset.sent), never both; only an OPENER's RST_STREAM waits. A stream is in its link's
 * list of readers iff it holds bytes, and flow.still is at most reader.held. Bytes that are
 * promised to nghttp2 (tx.promised) are in the queue. A party lives as long as one of its streams.
 */
#ifndef H2MUX_H2_STREAM_INT_H
#define H2MUX_H2_STREAM_INT_H

#include <assert.h>

#include "h2mux/h2/stream_host.h"
#include "h2mux/h2/window.h"

enum { FRAME_HEAD = 9 /* RFC 9113 4.1 */ };

/* Streams of one viewer. The leader is the id of one of them, which may be over. */
struct stream_party {
    struct schedule_group turns;
    uint32_t leader, streams;
    uint32_t asking, moving; /* streams: h2_stream_asks, h2_stream_moves */
    uint64_t windows;        /* of those that move */
};

struct h2_stream {
    struct leg leg;
    struct stream_host *host;   /* borrowed: outlives its streams */
    struct stream_party *party; /* counted; NULL: the stream is a party by itself */
    struct list_node node;      /* in host->streams */
    int32_t id;
    bool connect;  /* extended CONNECT: each direction ends by itself */
    bool bodiless; /* OPENER: the request is HEAD, whose answer has no body */
    struct {
        bool head_seen; /* the final head was received */
        bool cut;       /* fields of the head were left out, since it is too large */
        bool ended;
        unsigned interim; /* heads with a status 1xx */
    } rx;
    struct {
        struct buf queue;        /* body bytes that are not framed yet */
        size_t promised;         /* bytes of `queue` in a DATA frame that is not written yet */
        struct fields *trailers; /* owned; to be sent after the body; NULL: none */
        bool head_sent;          /* OPENER: the request has left */
        bool no_body;            /* the answer is to HEAD: its head ends it (leg_reply) */
        bool no_trailers;        /* the peer does not want trailers (leg_reply) */
        uint64_t framed;         /* bytes of DATA that were framed */
        struct {
            uint64_t framed; /* bytes that the peer's system has taken, or more */
            uint64_t asked;  /* `framed` of the stream when its peer was asked last */
            uint64_t end;    /* bytes that the session had written then */
        } taken;             /* stream_tail.c */
        bool ended;          /* END_STREAM is queued */
    } tx;
    struct {
        struct list_node frozen; /* linked iff RST_STREAM waits for a token */
        bool sent;               /* RST_STREAM is submitted, or the stream is closed */
        bool came;               /* the peer's RST_STREAM has come */
        uint32_t code;
    } reset;
    struct {
        struct window window;
        bool request_counted, body_counted; /* counted in host->flow */
        /* The part of host->flow.still_held that belongs to this stream; 0: the reader moves. */
        uint64_t still;
        size_t kept;      /* credit that is not given back yet: less than half of the window */
        uint32_t owed;    /* credit to be withheld, because the window was made smaller */
        uint32_t reduced; /* by how much the window was made smaller, as nghttp2 counts it: G21 */
        /* The part of the window that was granted before a byte of the body had come; and how much
         * of it may still arrive. Both are counted in host->flow. */
        uint32_t granted, promised;
        bool backlog; /* its sender has more to send, and may; counted in host->flow */
        struct {
            uint64_t us;
            uint32_t bytes;
        } late; /* the credit of the last round trip, which the sender may not have yet */
    } flow;
    struct evict_reader reader;     /* counts the bytes handed up without credit */
    struct evict_reader tail;       /* counts the queue once the exchange is over */
    struct schedule_entry schedule; /* its place among the streams with DATA to send */
    struct reap reap;
};

extern const struct leg_ops h2_leg_ops; /* stream.c */

/* Returns the stream of @leg. Asserts in release builds, too, that @leg belongs to a stream,
 * because a wrong pointer would corrupt memory. */
static inline struct h2_stream *h2_stream_of(struct leg *leg)
{
    assert(leg->ops == &h2_leg_ops);
    return CONTAINER_OF(leg, struct h2_stream, leg);
}

/* ---- stream.c */

struct h2_stream *h2_stream_new(struct stream_host *h, int32_t id);

/* Submits the request @m on a new stream that is tied to @events and @exchange. Returns the stream,
 * or NULL if nghttp2 refuses the request. */
struct h2_stream *h2_stream_request(struct stream_host *h, const struct message *m, bool end,
                                    const struct leg_events *events, void *exchange);

/* Ends @st, which nghttp2 has closed: in order if @why is NULL, otherwise with on_reset(@why).
 * Frees @st at the end of the turn. */
void h2_stream_closed(struct h2_stream *st, const struct leg_fault *why);

/* Hands the complete head in st->rx.head up, as trailers if @trailers. @end: no body follows. */
void h2_stream_headers(struct h2_stream *st, bool trailers, bool end);

/* Takes over how urgent the peer says that the answer is (RFC 9218). A stream that waits already
 * stays where it is for its next turn. */
void h2_stream_prioritise(struct h2_stream *st, struct slice value);

/* Hands the end of the body (END_STREAM) up. */
void h2_stream_end(struct h2_stream *st);

/* Notes that a HEADERS or DATA frame has left, with END_STREAM if @end. */
void h2_stream_sent(struct h2_stream *st, bool end);

/* Submits the RST_STREAM of @st, which has waited for a token because resets are paced. */
void h2_stream_thaw(struct h2_stream *st);

/* Checks the invariants of one stream (check.h). */
void h2_stream_check(const struct h2_stream *st);

/* Returns a leg_fault of the arguments. Its reason is the name of @h2_code, or NULL if @h2_code is
 * 0. */
struct leg_fault h2_fault(int err, uint32_t h2_code, bool unprocessed);

/* ---- stream_evict.c */

extern const struct evict_ops h2_stream_evict_ops;

/* Stores in @bytes how many bytes the peer that reads from @st has taken so far (leg_taken).
 * Returns false if the number is not known. Asks the kernel, which is a system call. */
bool h2_stream_taken(struct h2_stream *st, uint64_t *bytes);

/* ---- stream_tail.c */

extern const struct evict_ops h2_stream_tail_ops;

/* Stores in @bytes how many bytes of DATA the peer's system has taken, as far as it is known
 * (leg_ops.taken). */
bool h2_stream_taken_by_peer(struct leg *leg, uint64_t *bytes);

/* Takes over that @bytes have left the queue of @st. */
void h2_stream_tail_left(struct h2_stream *st, size_t bytes);

/* ---- stream_credit.c */

/* Hands @data up to the exchange, and counts its bytes as held until credit comes for them. */
void h2_stream_data(struct h2_stream *st, struct slice data);

/* Subtracts @bytes, but no more than @st holds, from the bytes that @st holds and from both
 * budgets. */
void h2_stream_give_back(struct h2_stream *st, uint64_t bytes);

/* Counts @st as an open request of the link, unless its head is an extended CONNECT. */
void h2_stream_count_request(struct h2_stream *st);
/* Ends the counting of @st as a request and as a body. */
void h2_stream_uncount(struct h2_stream *st);

/* ---- stream_party.c */

/* Puts @st, whose head has come, into the party with the @number that the peer has given it: the id
 * of an earlier stream. Does nothing if that is none. */
void h2_stream_join(struct h2_stream *st, uint32_t number);

/* Takes @st, which is counted no more, out of its party, which it has. */
void h2_party_leave(struct h2_stream *st);

/* Returns whether @st counts as an open request, or as a body, whose reader moves. */
static inline bool h2_stream_asks(const struct h2_stream *st)
{
    return st->flow.request_counted && st->flow.still == 0;
}
static inline bool h2_stream_moves(const struct h2_stream *st)
{
    return st->flow.body_counted && st->flow.still == 0;
}

/* Count @st as one that asks, and as one that moves; or no more. Those of h2_party_ are for streams
 * that have a party. */
void h2_party_count_asks(struct h2_stream *st, bool more);
void h2_party_count_moves(struct h2_stream *st, bool more);
static inline void h2_stream_count_asks(struct h2_stream *st, bool more)
{
    if (st->party)
        h2_party_count_asks(st, more);
    else
        st->host->flow.askers += more ? 1 : UINT32_MAX;
}
static inline void h2_stream_count_moves(struct h2_stream *st, bool more)
{
    uint64_t window = st->flow.window.size;
    st->host->flow.windows += more ? window : -window;
    if (st->party)
        h2_party_count_moves(st, more);
    else
        st->host->flow.movers += more ? 1 : UINT32_MAX;
}

/* Takes over that the window of @st is @size from now on, for the sums of windows. */
static inline void h2_stream_count_window(struct h2_stream *st, uint32_t size)
{
    uint64_t more = (uint64_t)size - st->flow.window.size;
    if (!h2_stream_moves(st))
        return;
    st->host->flow.windows += more;
    if (st->party)
        st->party->windows += more;
}

/* Returns the window of @st with which its party would have as much as the others have, on average;
 * 0 if no others have a body. */
uint64_t h2_stream_fair_window(const struct h2_stream *st);

/* Return how many requests, and how many bodies, @st shares the link with, itself included, if each
 * party had as many as its own: so viewers have equal parts, and the streams of each.
 * h2_party_alike returns it for a party with @own. */
uint32_t h2_party_alike(uint32_t parties, uint32_t own);
static inline uint32_t h2_stream_askers(const struct h2_stream *st)
{
    uint32_t parties = st->host->flow.askers;
    return st->party ? h2_party_alike(parties, st->party->asking) : parties;
}
static inline uint32_t h2_stream_movers(const struct h2_stream *st)
{
    uint32_t parties = st->host->flow.movers;
    return st->party ? h2_party_alike(parties, st->party->moving) : parties;
}

/* ---- stream_line.c */

/* Takes over that a DATA frame of @bytes bytes has come, with END_STREAM if @end, and learns from
 * it what the line carries. */
void h2_stream_arrived(struct h2_stream *st, size_t bytes, bool end);
/* Takes over that the peer is granted @bytes more. */
void h2_stream_note_grant(struct h2_stream *st, size_t bytes);
/* Takes over that the sender of @st sends no more. */
void h2_stream_forget_backlog(struct h2_stream *st);

/* ---- stream_window.c */

/* Gives credit for @bytes bytes that have left on the other side of the exchange (leg_ops.credit),
 * and enlarges the window if the window was the limit. */
void h2_stream_credit(struct leg *leg, size_t bytes);

/* Takes over that SETTINGS have changed the window of @st by @step, and enlarges the window if it
 * would be less than a new one. */
void h2_stream_step_window(struct h2_stream *st, int64_t step);

/* Opens the window of @st for the answer to a request whose HEADERS have just left, as far as the
 * line is long and the budgets have room: the WINDOW_UPDATE follows the HEADERS. */
void h2_stream_start(struct h2_stream *st);

/* Opens the window of @st for the body that @m announces, if the body is long and the budgets have
 * room. Takes back the promise of what will not come, of everything if @end. */
void h2_stream_open_window(struct h2_stream *st, const struct message *m, bool end);

/* Counts anew how much of what was granted to @st may still arrive; h2_stream_forget_grant: nothing
 * of it. */
void h2_stream_count_promise(struct h2_stream *st);
void h2_stream_forget_grant(struct h2_stream *st);

#endif
