/* SPDX-License-Identifier: MIT */
/* session_int.h - declares a session and what the files session*.c share. No other file includes
 * this header.
 *
 * Invariants: a session that is over (DEAD) has no sock, no streams, no credit that is kept back,
 * and neither a queued task nor an armed timer; `out` is set only while nghttp2 is on the stack;
 * only an OPENER has a GOAWAY that waits for heads; an end that was decided inside nghttp2 has its
 * task queued. */

/* draw: a session
 *
 *   STARTING ──peer's SETTINGS──▶ UP ──GOAWAY either way──▶ (draining) ──last stream──▶ DEAD */
#ifndef H2MUX_H2_SESSION_INT_H
#define H2MUX_H2_SESSION_INT_H

#include "h2mux/h2/flight.h"
#include "h2mux/h2/pace.h"
#include "h2mux/h2/stream_int.h"
#include "h2mux/io/wheel.h"

enum {
    H2_OUT_CHUNK = 64 * 1024 /* bytes that are framed between two looks at the room */
};

struct h2_session {
    struct stream_host host;
    struct sock *sock; /* owned until DEAD */
    struct h2_options options;
    const struct h2_session_ops *ops; /* static */
    void *user;                       /* borrowed; closes the session before its own end */
    struct {
        bool up;    /* the peer's SETTINGS have arrived */
        bool acked; /* the peer has acknowledged ours */
    } settings;
    struct {
        bool sent, received;
        /* The debug data of a GOAWAY that waits: of an OPENER's until all heads have left, of a
         * SERVER's for a round trip after the notice. ptr is NULL if no GOAWAY waits. */
        struct slice farewell;
        uint64_t noticed_us; /* SERVER: when the notice left; 0: it has not */
        bool crossed;        /* SERVER: what the peer sent before the notice has come */
    } goaway;
    struct {
        int in_library; /* depth of nghttp2 calls that are on the stack */
        struct task task;
        /* These four are of an end that was decided inside nghttp2, for the task to carry out. */
        int err;
        uint32_t code;
        const char *reason; /* NULL: no end was decided */
        bool silent;        /* the owner closes the session: no on_closed */
        uint32_t lost;      /* streams that were open at the end */
    } closing;
    struct {
        struct buf *out; /* borrowed; set while frames are gathered, otherwise NULL */
        size_t framed;   /* bytes of this chunk that were written to the sock */
        struct pace pace;
        uint64_t seen;   /* part of sock_sent() that was told to pace */
        size_t lowat;    /* the present TCP_NOTSENT_LOWAT */
        bool backlogged; /* the sock had a queue when pace was last told */
        struct flight flight;
        struct timer opens; /* armed while bulk waits for room in the flight */
        uint64_t turn;      /* of the loop, in which `in_turn` bytes were framed */
        size_t in_turn;
        struct task goes_on; /* queued while bulk waits for the next turn of the loop */
    } tx;
    struct {
        struct wheel_timer timer;
        uint64_t due_us; /* when the armed timer comes */
        uint64_t created_us;
        uint64_t ping_sent_us;
        uint64_t ping_deadline_us; /* 0: no PING is out */
        uint64_t rx_since_ping;    /* bytes of DATA since the last PING */
        uint64_t unanswered;       /* PINGs whose answers have not come */
        unsigned firsts;           /* PINGs that the beginning of the link is measured by */
        struct timer first;        /* armed for the next of them */
    } keepalive;
    struct {
        struct bucket glitches;
        uint64_t crossing; /* frames of closed streams that may still arrive */
        unsigned credits;  /* WINDOW_UPDATEs that our DATA may still cause */
    } nuisance;            /* see session_library.c */
    struct reap reap;
};

static inline struct h2_session *h2_session_of(struct stream_host *h)
{
    return CONTAINER_OF(h, struct h2_session, host);
}

/* ---- session.c */

/* Counts one unit of nuisance, that is, one frame that costs the peer nothing (fact G6). Ends the
 * session with ERR_ABUSE and the reason @kind, a static text, when there were too many (10,000 at
 * once, 330 a second). */
void h2_session_glitch(struct h2_session *s, const char *kind);
/* Counts @weight units: one frame that costs us as much as so many others. */
void h2_session_glitch_of(struct h2_session *s, uint64_t weight, const char *kind);

/* Makes and writes frames while fewer than @most_queued bytes are queued in the sock. Returns false
 * if nghttp2 fails. */
bool h2_session_frame(struct h2_session *s, size_t most_queued);

/* Returns whether more frames may be added to the chunk that is being made. */
bool h2_session_room(const struct h2_session *s);

/* Writes the frames in `out` to the sock, and empties `out`. */
void h2_session_write_out(struct h2_session *s);

/* ---- session_check.c */

/* Checks the invariants of @s and of its streams between two turns (check.h). */
void h2_session_check(const struct h2_session *s);

/* ---- session_turn.c */

void h2_session_init_turn(struct h2_session *s);
/* Counts @bytes of DATA that were framed beside parties. Lets bulk wait for the next turn of the
 * loop when they are enough for this one. */
void h2_session_count_turn(struct h2_session *s, size_t bytes);

/* ---- session_end.c */

/* Ends the session, at once or after nghttp2 has returned. The peer gets GOAWAY(@h2_code) if the
 * connection still works, the owner on_closed(@err, @reason). @silent: the owner itself closes the
 * session and gets no on_closed. */
void h2_session_end(struct h2_session *s, int err, uint32_t h2_code, const char *reason,
                    bool silent);
void h2_session_run_end(void *session); /* the task of `closing` */

/* Submits the GOAWAY that waits, if all heads have left. Returns whether the GOAWAY was
 * submitted. */
bool h2_session_say_goodbye(struct h2_session *s);

/* ---- session_time.c */

void h2_session_arm(struct h2_session *s); /* arms the timer for the earliest deadline */
void h2_session_run_timer(void *session);

/* Counts @bytes of DATA that have arrived, and sends a PING if the round trip is to be measured
 * again. */
void h2_session_measure(struct h2_session *s, size_t bytes);

/* Sends one of the PINGs that measure the round trip of a link that has come up, and plans the
 * next one. */
void h2_session_measure_first(void *session);
/* Takes over that the shutdown notice has left: a PING follows, whose answer comes behind all that
 * the peer has sent before it heard of the notice. */
void h2_session_noticed(struct h2_session *s);

/* Takes a measured round trip, and measures again if the line seems to be long and has only just
 * been opened. */
void h2_session_measured(struct h2_session *s, uint64_t rtt_us);

/* Measures the round trip once more, because a body's window was opened as far as the line is
 * long. */
void h2_session_measure_start(struct h2_session *s);

/* ---- session_library.c */

void h2_session_callbacks(nghttp2_session_callbacks *callbacks);

/* Fills the bucket of nuisance, by what the peer is. */
void h2_session_init_nuisance(struct h2_session *s);

/* Ends the session because nghttp2 has refused received bytes with its error @err: with ERR_ABUSE
 * after a flood of frames, otherwise with ERR_PROTOCOL. */
void h2_session_reject(struct h2_session *s, ssize_t err);

#endif
