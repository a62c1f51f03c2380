/* SPDX-License-Identifier: MIT */
/* session_int.h - declares a session and what its files share; for the files of the noun session
 * alone.
 *
 * Invariants: a session that is over (DEAD) has no sock and no streams, keeps no credit back and
 * waits for nothing; `out` is set only while nghttp2 is on the stack; a GOAWAY that waits for heads
 * is an OPENER's; an end that was decided inside nghttp2 has its task queued. */

/* draw: a session
 *
 *   STARTING ──peer's SETTINGS──▶ UP ──GOAWAY either way──▶ (draining) ──last stream──▶ DEAD */
#ifndef H2MUX_H2_SESSION_INT_H
#define H2MUX_H2_SESSION_INT_H

#include "h2mux/h2/pace.h"
#include "h2mux/h2/stream_int.h"
#include "h2mux/io/wheel.h"

enum {
    H2_OUT_CHUNK = 64 * 1024 /* bytes that are framed before the room is looked at again */
};

struct h2_session {
    struct stream_host host;
    struct sock *sock; /* owned until DEAD */
    struct h2_options options;
    const struct h2_session_ops *ops; /* static */
    void *user;                       /* borrowed: closes the session before it goes */
    struct {
        bool up;    /* the peer's were received */
        bool acked; /* the peer has acknowledged ours */
    } settings;
    struct {
        bool sent, received;
        struct slice farewell; /* OPENER: debug data of a GOAWAY that waits for heads; ptr NULL */
    } goaway;
    struct {
        int in_library; /* depth of nghttp2 calls: what must not run inside them is deferred */
        struct task task;
        int err; /* of an end that was decided inside nghttp2; so the next three */
        uint32_t code;
        const char *reason; /* NULL: none was decided */
        bool silent;        /* the owner closes: no on_closed */
        uint32_t lost;      /* streams that the end has cut */
    } closing;
    struct {
        struct buf *out; /* borrowed from the loop while frames are gathered; NULL otherwise */
        size_t framed;   /* bytes of this chunk that were written past `out` */
        struct pace pace;
        uint64_t seen;   /* of sock_sent: told to pace */
        size_t lowat;    /* TCP_NOTSENT_LOWAT as it is set */
        bool backlogged; /* something was queued when pace was last told */
    } tx;
    struct {
        struct wheel_timer timer;
        uint64_t due_us; /* when it comes, while it is armed */
        uint64_t created_us;
        uint64_t ping_sent_us;
        uint64_t ping_deadline_us; /* 0: no PING is out */
        uint64_t rx_since_ping;    /* bytes of DATA */
    } keepalive;
    struct {
        struct bucket glitches;
        uint64_t crossing; /* frames that may still come of streams that are over */
        unsigned credits;  /* WINDOW_UPDATEs that our DATA may still bring about */
    } nuisance;            /* session_library.c */
    struct reap reap;
};

static inline struct h2_session *h2_session_of(struct stream_host *h)
{
    return CONTAINER_OF(h, struct h2_session, host);
}

/* ---- session.c */

/* Counts one unit of nuisance; ends the session when there were too many. @kind: a static text. */
void h2_session_glitch(struct h2_session *s, const char *kind);

/* Frames and writes while less than @most_queued waits in the sock. Returns false if the library
 * failed. */
bool h2_session_frame(struct h2_session *s, size_t most_queued);

/* Returns whether the chunk that is being framed may grow. */
bool h2_session_room(const struct h2_session *s);

/* Writes what is gathered in `out` to the sock, before what follows. */
void h2_session_write_out(struct h2_session *s);

/* ---- session_check.c */

/* Checks the invariants of @s and of its streams between two turns: check.h. */
void h2_session_check(const struct h2_session *s);

/* ---- session_end.c */

/* Ends the session: at once, or after the library has returned. @silent: the owner asked for it. */
void h2_session_end(struct h2_session *s, int err, uint32_t h2_code, const char *reason,
                    bool silent);
void h2_session_run_end(void *session); /* the task of `closing` */

/* Submits the GOAWAY that waits as soon as it may. Returns whether there is more to frame. */
bool h2_session_say_goodbye(struct h2_session *s);

/* ---- session_time.c */

void h2_session_arm(struct h2_session *s); /* arms the timer for what is due first */
void h2_session_run_timer(void *session);

/* Counts @bytes of DATA that came, and sends a PING if it is time to measure the round trip. */
void h2_session_measure(struct h2_session *s, size_t bytes);

/* ---- session_library.c */

void h2_session_callbacks(nghttp2_session_callbacks *callbacks);

/* Ends the session because nghttp2 takes no more. @err is nghttp2's error. */
void h2_session_reject(struct h2_session *s, ssize_t err);

#endif
