/* SPDX-License-Identifier: MIT */
/* h1_conn.h - one HTTP/1.1 connection as a leg: reads heads and bodies, and writes those of the
 * other direction. Plays either role.
 *
 * The connection keeps messages apart and in order: nothing of the next one is judged before
 * h1_conn_next. Its owner decides when the peer may speak and for how long, and how an error is
 * answered. Body bytes are decoded from one read of the loop's scratch and handed up without a
 * copy; at most `window` of them are out without credit. */

/* draw: the two directions
 *
 *   rx: HEAD ──▶ BODY ──▶ DONE ──next──▶ HEAD …      RAW after an upgrade; FAILED, ENDED
 *   tx: IDLE ──▶ BODY ──▶ DONE ──next──▶ IDLE …      RAW likewise */
#ifndef H2MUX_HTTP_H1_CONN_H
#define H2MUX_HTTP_H1_CONN_H

#include "h2mux/http/h1.h"
#include "h2mux/http/leg.h"
#include "h2mux/io/sock.h"

struct h1_conn;

enum h1_role {
    H1_SERVER, /* reads requests */
    H1_CLIENT  /* reads responses */
};

struct h1_conn_ops {
    /* The first bytes of a head, or of the empty line before it, came. May be NULL. Must not close
     * the connection. */
    void (*on_head_begin)(void *user);

    /* SERVER: a request's head is complete, and no exchange has it yet: the owner goes on from
     * here.
     * @end: no body follows. @m and what it borrows stay until h1_conn_next or leg_upgrade. A
     * CLIENT's heads come by the leg's on_head. */
    void (*on_head)(void *user, struct message *m, bool end);

    /* The message that is being read is complete; the leg has had its last event of it. May be
     * NULL. */
    void (*on_message_end)(void *user);

    /* SERVER: the peer has ended its direction by FIN behind a request, whose message of ours is
     * not complete. It may still read. Returns whether it counts as one that does: then the owner
     * calls h1_conn_peer_left when that is over. Otherwise on_error follows. May come several times
     * for one request. NULL: the peer has left. */
    bool (*on_half_closed)(void *user);

    /* Both directions are complete, or both have ended after an upgrade. Comes from a task of its
     * own. May be NULL. */
    void (*on_done)(void *user);

    /* Bytes were written, and the queue may be empty now. May be NULL. */
    void (*on_sent)(void *user);

    /* The connection holds @bytes of memory now: of a head that has come, of what was read ahead,
     * and of body that was handed up without credit. It may be closed inside. May be NULL. Nothing
     * is told when the connection ends. */
    void (*on_memory)(void *user, size_t bytes);

    /* The connection has failed: a malformed head or body; ERR_CLOSED when the exchange gave the
     * leg up, or gave it what breaks the promise of its head; FIN or RST where it does not belong;
     * an I/O error; ERR_PROTOCOL when a CLIENT reads an answer that no exchange waits for. ERR_EOF
     * without a byte of a head is a connection that ended in order. The exchange of the leg was
     * told by on_reset before; if that closed the connection, nothing comes here. */
    void (*on_error)(void *user, int err, const char *reason);
};

/* ---- its life */

/* Makes a connection of @sock and owns it. */
struct h1_conn *h1_conn_new(struct loop *l, struct sock *sock, enum h1_role role,
                            const struct h1_limits *limits, size_t window,
                            const struct h1_conn_ops *ops, void *user) MUSTCHECK;

/* Close the connection; no callback follows. NULL is fine. h1_conn_close drops what is queued,
 * h1_conn_abort sends RST, h1_conn_finish is sock_finish. */
void h1_conn_close(struct h1_conn *c);
void h1_conn_abort(struct h1_conn *c);
void h1_conn_finish(struct h1_conn *c, uint64_t max_ms, size_t max_bytes);

/* Gives the sock back, with the bytes that were not read, and closes the rest. For a connection
 * that goes on in another protocol. */
struct sock *h1_conn_release(struct h1_conn *c) MUSTCHECK;

/* Gives the sock back with the head put back too, as if it had not been read. For another reader of
 * HTTP/1.1, or of what a malformed head is. Inside on_head or on_error only. */
struct sock *h1_conn_rewind(struct h1_conn *c) MUSTCHECK;

/* Gives the connection to another owner: @user is borrowed as in h1_conn_new. */
void h1_conn_set_user(struct h1_conn *c, void *user);

struct leg *h1_conn_leg(struct h1_conn *c);
struct sock *h1_conn_sock(struct h1_conn *c);

/* ---- messages */

/* SERVER: lets body bytes flow to the exchange that is tied; none is read before. Inside on_head or
 * later. */
void h1_conn_start_body(struct h1_conn *c);

/* Lets the next head come, when both directions are complete. What was read ahead is judged in a
 * task of its own. */
void h1_conn_next(struct h1_conn *c);

/* Ends the connection as one whose peer has left: on_error follows. After on_half_closed. */
void h1_conn_peer_left(struct h1_conn *c);

/* Writes @data to the peer, outside of any message: a Close frame of a WebSocket. */
void h1_conn_write_raw(struct h1_conn *c, struct slice data);

/* ---- what it knows */

/* Returns whether the connection may serve another message behind the one that is being read, as
 * that says. */
bool h1_conn_keeps_alive(const struct h1_conn *c);
/* Returns whether the message that is being read is complete. */
bool h1_conn_rx_done(const struct h1_conn *c);
/* Returns whether only the close ends the message that is being read. */
bool h1_conn_rx_until_close(const struct h1_conn *c);
/* Returns whether the message that is being written is complete; it may still be queued. */
bool h1_conn_tx_done(const struct h1_conn *c);
/* Returns whether only the close ends the message that is being written. */
bool h1_conn_tx_until_close(const struct h1_conn *c);
/* Returns whether the message that was written said close, or only the close ends it. */
bool h1_conn_tx_close(const struct h1_conn *c);
/* Returns what has come of a head that is not complete. Nothing of it was judged. */
struct slice h1_conn_head_so_far(const struct h1_conn *c);
/* Returns how many bytes of the head have come. */
size_t h1_conn_head_bytes(const struct h1_conn *c);
/* Returns whether bytes are there behind the message that was read. */
bool h1_conn_surplus(const struct h1_conn *c);
/* Returns when a byte last moved, in either direction. */
uint64_t h1_conn_last_io_us(const struct h1_conn *c);

/* ---- windows */

enum { H1_WINDOW_CLOSED = 4096 };

/* What the windows of many connections of a thread have beyond their least, all together. */
struct h1_windows {
    size_t least, most;   /* of each; immutable */
    uint64_t lent, limit; /* lent <= limit */
    bool closed;          /* memory is spent: no more than H1_WINDOW_CLOSED is read of each body */
};

/* Lends the connection a window from @w, until h1_conn_next or the end. The window is the most at
 * once while less than half of @w is lent, and else the least; that doubles whenever four times as
 * much credit has come back, as long as @w has some left; of the last quarter a message of a viewer
 * who has many gets nothing (leg_of_many). A connection whose reader stands still keeps the small
 * one. Called between messages; @w outlives the connection. */
void h1_conn_lend_window(struct h1_conn *c, struct h1_windows *w);

/* Does the same, but the window is the least at first. For a connection that may rest for long.
 * Does nothing if the connection has a window of @w already. */
void h1_conn_lend_least(struct h1_conn *c, struct h1_windows *w);

/* Reads on after w->closed was reset. */
void h1_conn_reopen(struct h1_conn *c);

/* Returns how many body bytes were handed up without credit. */
size_t h1_conn_outstanding(const struct h1_conn *c);

/* Returns the bytes of memory that on_memory tells. A head counts twice: it waits here, and a copy
 * of it may wait for the other leg's peer. */
size_t h1_conn_memory(const struct h1_conn *c);

/* Returns a number that changes when the reader of the body that is out takes some of it or, while
 * nothing is out, when a byte moves in either direction. */
uint64_t h1_conn_progress(const struct h1_conn *c);

#endif
