/* SPDX-License-Identifier: MIT */
/* session_int.h - what session.c, session_library.c and stream.c share; nobody else includes it. */
#ifndef H2MUX_H2_SESSION_INT_H
#define H2MUX_H2_SESSION_INT_H

#include <nghttp2/nghttp2.h>

#include "h2mux/base/bucket.h"
#include "h2mux/base/log.h"
#include "h2mux/h2/evict.h"
#include "h2mux/h2/h2.h"
#include "h2mux/h2/pace.h"
#include "h2mux/h2/schedule.h"
#include "h2mux/h2/window.h"
#include "h2mux/io/wheel.h"

enum {
    H2_OUT_CHUNK =
        64 * 1024, /* what is framed before it is looked at again whether there is room */
    FRAME_HEAD = 9 /* RFC 9113 4.1 */
};

/*   STARTING ──peer's SETTINGS──▶ UP ──GOAWAY either way──▶ (draining) ──last stream──▶ DEAD
 *
 * Invariant: `streams` holds every h2_stream that nghttp2 has not closed; DEAD has none. */
struct h2_session {
    struct loop *loop; /* borrowed: outlives its sessions */
    struct sock *sock; /* owned until DEAD */
    enum h2_role role;
    struct h2_options options;
    const struct h2_session_ops *ops; /* static */
    void *user;                       /* borrowed: closes the session before it goes */
    nghttp2_session *ng;              /* owned */
    struct list_node streams;
    struct list_node frozen; /* streams whose RST_STREAM waits for a token; still counted */
    uint32_t open_streams, open_bodies, lost_streams;
    uint32_t requests;     /* of the open streams, those that are no WebSockets */
    uint64_t still_held;   /* bytes held for readers that have taken nothing for a while */
    uint32_t still_bodies; /* open bodies of such readers */
    uint64_t announced_us; /* when `initial` changed last */
    uint32_t initial;      /* what a new stream's window begins with, as it was announced */
    bool up, acked, goaway_sent, goaway_received, dead;
    struct slice
        goodbye;    /* OPENER: the debug data of a GOAWAY that waits for heads; ptr NULL: none */
    int in_library; /* depth of nghttp2 calls: what must not run inside them is deferred */
    int wanted_err; /* an end that was decided inside the library; 0: none */
    uint32_t wanted_code;
    const char *wanted_reason;
    bool wanted_silent; /* the owner closes: no on_closed */
    struct buf *out;    /* borrowed from the loop while frames are gathered; NULL otherwise */
    size_t framed;      /* bytes of this chunk that were written past `out` */
    struct schedule schedule;
    struct pace pace;
    uint64_t sent_seen; /* of sock_sent: told to pace */
    size_t lowat;       /* TCP_NOTSENT_LOWAT as it is set */
    bool backlogged;    /* something was queued when pace was last told */
    struct task flush, end;
    struct wheel_timer timer;
    uint64_t timer_due_us;
    uint64_t created_us, last_rx_us;
    uint64_t rtt_us, rtt_least_us;           /* the last round trip, the shortest; 0: none yet */
    uint64_t ping_sent_us, ping_deadline_us; /* 0: no PING is out */
    struct fill fill;                        /* what all streams hold of the link's budget */
    struct evictor *evictor;                 /* borrowed; NULL: none */
    struct budget_share *share;              /* the evictor's; NULL: none */
    struct evict_group readers;              /* in the evictor until DEAD */
    uint32_t learned;                        /* the largest window that a stream has grown to */
    uint64_t rx_since_ping;
    uint64_t withheld; /* connection credit kept back while the budget is spent */
    struct bucket glitches, resets;
    struct log_limit refusals; /* a line a second of what the peer can repeat at will */
    uint64_t crossing; /* frames that may still come of streams that are over: session_library.c */
    unsigned credits;  /* WINDOW_UPDATEs that our DATA may still bring about: session_library.c */
    struct reap reap;
};

struct h2_stream {
    struct leg leg;
    struct h2_session *session; /* borrowed: outlives its streams */
    struct list_node node;      /* in session->streams */
    struct list_node frozen;    /* linked iff its RST_STREAM waits */
    struct schedule_entry schedule;
    int32_t id;
    bool connect;            /* extended CONNECT: both directions end on their own */
    bool head_seen;          /* the final head was received */
    bool rx_ended, tx_ended; /* tx: END_STREAM is queued */
    bool tx_open;            /* a data provider is attached */
    bool end_sent;           /* END_STREAM left */
    bool headers_sent;       /* OPENER: the request left */
    bool reset_sent;
    bool request_counted, body_counted;
    unsigned interim;
    uint32_t reset_code;
    struct message in;       /* the head or trailers being received */
    struct buf tx;           /* body bytes not framed yet */
    size_t promised;         /* of them: the length of a DATA frame that is made and has not left */
    struct fields *trailers; /* owned: to be sent behind the body; NULL */
    struct window window;
    uint64_t still;             /* bytes of it that count in still_held; 0: it moves */
    struct evict_reader reader; /* what was handed up without credit */
    struct reap reap;
};

/* session.c */
void h2_session_mark(struct h2_session *s);                     /* something waits to be framed */
void h2_session_glitch(struct h2_session *s, const char *kind); /* one unit of nuisance */
/* Frames and writes while less than @most_queued waits in the sock. false: the library failed. */
bool h2_session_frame(struct h2_session *s, size_t most_queued);

/* While frames are gathered: whether the chunk may grow; `out` goes into the sock before what
 * follows. */
bool h2_session_room(const struct h2_session *s);
void h2_session_write_out(struct h2_session *s);

/* session_end.c */
/* Ends the session: at once, or after the library has returned. @silent: the owner asked for it. */
void h2_session_end(struct h2_session *s, int err, uint32_t h2_code, const char *reason,
                    bool silent);
void h2_session_run_end(void *session);            /* the task `end` */
bool h2_session_say_goodbye(struct h2_session *s); /* as soon as it may: there is more to frame */

/* session_time.c */
void h2_session_arm(struct h2_session *s); /* the timer, for whatever is due first */
void h2_session_run_timer(void *session);
void h2_session_measure(struct h2_session *s, size_t bytes); /* of DATA came: is a PING due? */

/* session_library.c: nghttp2's callbacks, and the end when it takes no more (@err: its own). */
void h2_session_callbacks(nghttp2_session_callbacks *callbacks);
void h2_session_reject(struct h2_session *s, ssize_t err);

/* stream_credit.c */
extern const struct evict_ops h2_stream_evict_ops;
/* The process is out of memory, and with @bytes this session would hold more than its part. */
bool h2_session_starves_others(const struct h2_session *s, size_t bytes);
void h2_session_withhold(struct h2_session *s, size_t bytes); /* of connection credit */
void h2_session_release_withheld(struct h2_session *s);       /* unless memory is short */
void h2_stream_data(struct h2_stream *st, struct slice data);
void h2_stream_credit(struct leg *leg, size_t bytes);           /* leg_ops.credit */
void h2_stream_give_back(struct h2_stream *st, uint64_t bytes); /* of what is held, to the budget */
void h2_stream_count_request(struct h2_stream *st);             /* once it is known what it is */
void h2_stream_uncount(struct h2_stream *st);                   /* it is over */
void h2_session_count_still(struct h2_session *s, uint64_t now_us); /* from time to time */
bool h2_session_has_still(const struct h2_session *s); /* some may be: count them each second */
void h2_stream_open_window(struct h2_stream *st,
                           const struct message *m); /* of a body that begins */

/* stream.c */
static inline struct h2_stream *h2_stream_of(struct leg *leg)
{
    return CONTAINER_OF(leg, struct h2_stream, leg);
}
struct h2_stream *h2_stream_new(struct h2_session *s, int32_t id);
void h2_stream_closed(
    struct h2_stream *st,
    const struct leg_fault *why); /* nghttp2 is through with it; @why NULL: in order */
void h2_stream_headers(struct h2_stream *st, bool trailers, bool end); /* st->in is complete */
void h2_stream_end(struct h2_stream *st);                              /* END_STREAM came */
void h2_stream_sent(struct h2_stream *st, bool end); /* a HEADERS or DATA frame left */
void h2_stream_thaw(struct h2_stream *st);           /* a token is there: RST_STREAM now */
struct leg_fault h2_fault(int err, uint32_t h2_code, bool unprocessed);

#endif
