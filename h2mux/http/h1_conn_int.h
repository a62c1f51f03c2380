/* SPDX-License-Identifier: MIT */
/* h1_conn_int.h - is shared by h1_conn.c and its two directions, h1_conn_rx.c and h1_conn_tx.c.
 * Nobody else includes it. */
#ifndef H2MUX_HTTP_H1_CONN_INT_H
#define H2MUX_HTTP_H1_CONN_INT_H

#include <assert.h>

#include "h2mux/http/h1_conn.h"

enum rx_state {
    RX_HEAD,
    RX_HOLD, /* the head was handed over, its body is not wanted yet */
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
    void *user;                    /* borrowed: closes the connection before it dies */

    /* What is read. */
    struct buf head; /* the head being read, then kept for the message that borrows from it */
    struct buf rest; /* read ahead, behind the head or the message */
    struct h1_scan scan;
    bool begun;     /* on_head_begin was told of this head */
    bool lent;      /* the head was given to an owner, who may still borrow from it */
    size_t skipped; /* empty lines before this head that have gone */
    struct message in;
    struct h1_body body;
    bool keep_alive;   /* what the head that was read says */
    bool answers_head; /* CLIENT: the request was HEAD */

    /* How much may be out. */
    size_t window, outstanding;
    struct h1_windows *windows; /* borrowed: lends what `window` has beyond its least; or NULL */
    bool of_many;               /* leg_of_many: it takes no more of `windows` than most of it */
    size_t credited;            /* what came back since the window last grew */
    uint64_t taken;             /* what came back in all */
    size_t told;                /* bytes of memory, as on_memory was told last */

    /* What is written. */
    struct leg_reply reply;
    enum h1_framing tx_framing;
    bool tx_close;       /* the message said close, or only the close ends it */
    uint64_t tx_left;    /* H1_LENGTH: bytes still owed */
    size_t tx_unsent;    /* body bytes taken and not reported by on_sent */
    const char *gave_up; /* static: why nothing is written from here on; NULL: all is well */

    bool done_told;
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

/* Checks the invariants of h1_conn.c; for CHECK=1 alone. */
void h1_conn_check(const struct h1_conn *c);
/* Sets the window, and settles with c->windows, which is set. */
void h1_conn_set_window(struct h1_conn *c, size_t bytes);
/* Reads again: something is wanted from the sock. */
void h1_conn_resume(struct h1_conn *c);
/* Lets go of the leg if both directions are over; the owner hears it from the task. */
void h1_conn_check_over(struct h1_conn *c);

/* Returns how many body bytes may be out. */
static inline size_t h1_conn_window(const struct h1_conn *c)
{
    bool closed = c->windows && c->windows->closed && c->window > H1_WINDOW_CLOSED;
    return closed ? H1_WINDOW_CLOSED : c->window;
}

/* Tells the owner how much memory the connection holds, if that has changed. The owner may close
 * the connection. */
void h1_conn_tell_memory(struct h1_conn *c);

/* h1_conn_rx.c */

/* Reads what is wanted, as much as a turn allows. */
void h1_conn_read(struct h1_conn *c);
/* Returns whether body or raw bytes are to be read. */
bool h1_conn_wants_body(const struct h1_conn *c);
void h1_conn_forget_head(struct h1_conn *c);
/* Tells the exchange, then the owner, that the connection has failed. */
void h1_conn_fail(struct h1_conn *c, int err, const char *reason);

/* h1_conn_tx.c */

/* Reports by on_sent what has left. */
void h1_conn_report_sent(struct h1_conn *c);

#endif
