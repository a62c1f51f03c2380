/* SPDX-License-Identifier: MIT */
/* stream_int.h - declares a stream and what is done with it, for the files of the nouns session and
 * stream alone.
 *
 * Invariants: a stream is in host->streams until nghttp2 has closed it, and nghttp2 knows no
 * pointer to it afterwards. Its RST_STREAM waits (reset.frozen is linked) or was submitted
 * (reset.sent), never both; only an OPENER's waits. It is in a list of readers iff it holds
 * anything, and counts no more as still than it holds. What is promised to nghttp2 is queued. */
#ifndef H2MUX_H2_STREAM_INT_H
#define H2MUX_H2_STREAM_INT_H

#include <assert.h>

#include "h2mux/h2/stream_host.h"
#include "h2mux/h2/window.h"

enum { FRAME_HEAD = 9 /* RFC 9113 4.1 */ };

struct h2_stream {
    struct leg leg;
    struct stream_host *host; /* borrowed: outlives its streams */
    struct list_node node;    /* in host->streams */
    int32_t id;
    bool connect; /* extended CONNECT: both directions end on their own */
    struct {
        struct message head; /* the head or the trailers that are being received */
        bool head_seen;      /* the final head was received */
        bool ended;
        unsigned interim; /* heads with a status 1xx */
    } rx;
    struct {
        struct buf queue;        /* body bytes that are not framed yet */
        size_t promised;         /* of them: the length of a DATA frame that is made, not sent */
        struct fields *trailers; /* owned: to be sent behind the body; NULL */
        bool head_sent;          /* OPENER: the request has left */
        bool ended;              /* END_STREAM is queued */
    } tx;
    struct {
        struct list_node frozen; /* linked iff RST_STREAM waits for a token */
        bool sent;               /* RST_STREAM is submitted, or the stream is closed */
        uint32_t code;
    } reset;
    struct {
        struct window window;
        bool request_counted, body_counted; /* in host->flow */
        uint64_t still; /* of reader.held: what counts in flow.still_held; 0: the reader moves */
    } flow;
    struct evict_reader reader;     /* what was handed up without credit */
    struct schedule_entry schedule; /* its place among those that have DATA to send */
    struct reap reap;
};

extern const struct leg_ops h2_leg_ops; /* stream.c */

/* Returns the stream of @leg, which must be the leg of a stream: the assert guards memory in
 * release, too. */
static inline struct h2_stream *h2_stream_of(struct leg *leg)
{
    assert(leg->ops == &h2_leg_ops);
    return CONTAINER_OF(leg, struct h2_stream, leg);
}

/* ---- stream.c */

struct h2_stream *h2_stream_new(struct stream_host *h, int32_t id);

/* Submits a request on a new stream, tied to @events. Returns NULL if nghttp2 takes no more. */
struct h2_stream *h2_stream_request(struct stream_host *h, const struct message *m, bool end,
                                    const struct leg_events *events, void *exchange);

/* Ends @st, of which nghttp2 knows no more: in order if @why is NULL, otherwise with on_reset. */
void h2_stream_closed(struct h2_stream *st, const struct leg_fault *why);

/* Hands st->rx.head up, which is complete: a head, or trailers. */
void h2_stream_headers(struct h2_stream *st, bool trailers, bool end);

/* Hands END_STREAM up. */
void h2_stream_end(struct h2_stream *st);

/* Notes that a HEADERS or DATA frame has left, with END_STREAM if @end. */
void h2_stream_sent(struct h2_stream *st, bool end);

/* Submits the RST_STREAM that waited for a token. */
void h2_stream_thaw(struct h2_stream *st);

/* Checks the invariants of one stream: check.h. */
void h2_stream_check(const struct h2_stream *st);

/* Returns a fault whose reason is the name of @h2_code, if that is not 0. */
struct leg_fault h2_fault(int err, uint32_t h2_code, bool unprocessed);

/* ---- stream_evict.c */

extern const struct evict_ops h2_stream_evict_ops;

/* ---- stream_credit.c */

/* Hands @data up, which counts until credit comes for it. */
void h2_stream_data(struct h2_stream *st, struct slice data);

/* Gives credit for @bytes, which have left on the other side (leg_ops.credit). */
void h2_stream_credit(struct leg *leg, size_t bytes);

/* Counts @bytes less of what @st holds, or all if that is less. */
void h2_stream_give_back(struct h2_stream *st, uint64_t bytes);

/* Counts @st as a request, unless its head is an extended CONNECT. */
void h2_stream_count_request(struct h2_stream *st);
/* Counts @st no more, as a request or as a body. */
void h2_stream_uncount(struct h2_stream *st);

/* Opens the window for the body that @m announces, if that is long and there is room. */
void h2_stream_open_window(struct h2_stream *st, const struct message *m);

#endif
