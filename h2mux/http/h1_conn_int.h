/* SPDX-License-Identifier: MIT */
/* h1_conn_int.h - what h1_conn.c and its two directions share; nobody else includes it. */
#ifndef H2MUX_HTTP_H1_CONN_INT_H
#define H2MUX_HTTP_H1_CONN_INT_H

#include <assert.h>

#include "h2mux/http/h1_conn.h"

enum rx_state {
    RX_HEAD,
    RX_HOLD, /* a head was given up, its body is not wanted yet */
    RX_BODY,
    RX_DONE,
    RX_RAW,
    RX_ENDED,
    RX_FAILED
};
enum tx_state { TX_IDLE, TX_BODY, TX_DONE, TX_RAW, TX_ENDED };

struct h1_conn {
    struct leg leg;
    struct loop *loop; /* borrowed: outlives its connections */
    struct sock *sock; /* owned; NULL once closed or released */
    enum h1_role role;
    enum rx_state rx;
    enum tx_state tx;
    const struct h1_limits *limits;
    const struct h1_conn_ops *ops; /* static */
    void *user;                    /* borrowed: closes this before it goes */

    struct buf head; /* the head being read, then kept for the message that borrows from it */
    struct buf rest; /* read ahead, behind the head or the message */
    bool keep_alive; /* what the head that was read says */
    bool begun, line_skipped; /* of the head: on_head_begin was told; its one empty line has gone */
    struct h1_scan scan;
    struct message in;
    struct h1_body body;
    bool answers_head; /* CLIENT: the request was HEAD */
    size_t window, outstanding;
    struct h1_windows *windows; /* borrowed: what `window` has beyond its least is lent; or NULL */
    size_t credited;            /* what came back since it last grew */

    struct leg_reply reply;
    enum h1_framing tx_framing;
    bool tx_close;
    uint64_t tx_left; /* H1_LENGTH: bytes still owed */
    size_t tx_unsent; /* body bytes taken and not reported by on_sent */
    bool done_told;
    const char *gave_up; /* by leg.reset, or what was promised is not kept: why. Nothing is written
                            from here on */
    uint64_t last_io_us;
    struct task task;
    struct reap reap;
};

extern const struct leg_ops h1_leg_ops;

static inline struct h1_conn *h1_conn_of(struct leg *leg)
{
    assert(leg->ops == &h1_leg_ops); /* in release too: it guards memory */
    return CONTAINER_OF(leg, struct h1_conn, leg);
}

static inline bool h1_conn_closed(const struct h1_conn *c)
{
    return !c->sock;
}

static inline void h1_conn_touch(struct h1_conn *c)
{
    c->last_io_us = loop_now_us(c->loop);
}

/* h1_conn.c */
void h1_conn_check(const struct h1_conn *c);              /* what h1_conn.c states; CHECK=1 alone */
void h1_conn_set_window(struct h1_conn *c, size_t bytes); /* settles what is lent; windows is set */

/* h1_conn_rx.c */
void h1_conn_read(struct h1_conn *c);             /* as much as a turn allows of what is wanted */
bool h1_conn_wants_body(const struct h1_conn *c); /* body or raw bytes are to be read */
void h1_conn_forget_head(struct h1_conn *c);
void h1_conn_fail(struct h1_conn *c, int err,
                  const char *reason); /* the exchange, then the owner are told */

/* h1_conn_tx.c */
void h1_conn_report_sent(struct h1_conn *c); /* on_sent for what has left */

/* h1_conn.c */
void h1_conn_check(const struct h1_conn *c); /* what h1_conn.c states; CHECK=1 alone */
void h1_conn_resume(struct h1_conn *c);      /* something is wanted from the sock again */
bool h1_conn_both_over(const struct h1_conn *c);
void h1_conn_check_over(struct h1_conn *c);

#endif
