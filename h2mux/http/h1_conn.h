/* SPDX-License-Identifier: MIT */
/* h1_conn.h - one HTTP/1.1 connection end as a leg: reads heads and bodies, writes the other
 * direction. Either role.
 *
 * It keeps messages apart and in order: nothing of the next one is judged before h1_conn_next. Who
 * may speak, for how long, and what an error is answered with is the owner's policy. Body bytes
 * are decoded from one read of the loop's scratch and handed up without a copy; at most `window` of
 * them are out without credit. */

/* draw: the two directions of a connection
 *
 *   rx: HEAD ──▶ BODY ──▶ DONE ──next──▶ HEAD …      RAW after an upgrade; FAILED, ENDED
 *   tx: IDLE ──▶ BODY ──▶ DONE ──next──▶ IDLE …      RAW likewise */
#ifndef H2MUX_HTTP_H1_CONN_H
#define H2MUX_HTTP_H1_CONN_H

#include "h2mux/http/h1.h"
#include "h2mux/http/leg.h"
#include "h2mux/io/sock.h"

struct h1_conn;

enum h1_role { H1_SERVER /* reads requests */, H1_CLIENT /* reads responses */ };

struct h1_conn_ops {
    void (*on_head_begin)(void *user); /* the first bytes of a head, or of the empty line before
                                          it, came: its time runs; may be NULL. Must not close */
    /* SERVER: a request's head is complete, and no exchange has it yet: the owner goes on from
     * here. @end: no body follows. @m and what it borrows stay until h1_conn_next or leg_upgrade.
     * A CLIENT's heads come by the leg's on_head. */
    void (*on_head)(void *user, struct message *m, bool end);
    void (*on_message_end)(
        void *user); /* the message being read is complete: after the leg's last event of it */
    void (*on_done)(void *user); /* both directions are complete (or both ended, when raw): from a
                                    task of its own; may be NULL */
    void (*on_sent)(
        void *user); /* something was written, and the queue may be empty now; may be NULL */
    /* Malformed head or body; given up (ERR_CLOSED) by its exchange's leg.reset or because what is
     * to be written breaks its promise; the peer's FIN or RST where it does not belong, I/O error.
     * CLIENT: an answer that no exchange waits for (ERR_PROTOCOL). ERR_EOF with `head_bytes` 0 is a
     * keep-alive connection that ended in order. The exchange that is tied to the leg was told by
     * on_reset before; if that closed the connection nothing comes here. */
    void (*on_error)(void *user, int err, const char *reason);
};

struct h1_conn *h1_conn_new(struct loop *l, struct sock *sock, enum h1_role role,
                            const struct h1_limits *limits, size_t window,
                            const struct h1_conn_ops *ops, void *user) MUSTCHECK; /* takes @sock */
/* What the windows of many connections of a thread have beyond the least, all together. */
struct h1_windows {
    size_t least, most;   /* of each; immutable */
    uint64_t lent, limit; /* lent <= limit */
};
/* Its window is the most at once while less than half of @w is lent, else the least; that doubles
 * whenever four times as much credit has come back, as long as @w has some left: who stands still
 * keeps the small one. Until h1_conn_next or the end. @w outlives the connection; between messages.
 */
void h1_conn_lend_window(struct h1_conn *c, struct h1_windows *w);
void h1_conn_close(
    struct h1_conn *c); /* closes the sock at once; no callback follows. NULL is fine */
void h1_conn_abort(struct h1_conn *c); /* likewise with RST */
void h1_conn_finish(struct h1_conn *c, uint64_t max_ms,
                    size_t max_bytes); /* likewise by sock_finish */

/* Gives the sock back, unread bytes included, and closes the rest: for a connection that goes on
 * in another protocol. */
struct sock *h1_conn_release(struct h1_conn *c) MUSTCHECK;

/* Likewise with the head put back too, as if it had not been read: for another reader of the same
 * protocol. Inside on_head. */
struct sock *h1_conn_rewind(struct h1_conn *c) MUSTCHECK;

struct leg *h1_conn_leg(struct h1_conn *c);
struct sock *h1_conn_sock(struct h1_conn *c);
bool h1_conn_is(const struct leg *leg); /* whether this leg is an h1_conn */

/* SERVER, inside on_head or later: body bytes may flow to the tied exchange now (until then none
 * is read). */
void h1_conn_start_body(struct h1_conn *c);
/* Both directions of the exchange are over: the next head may come. What was read ahead is judged
 * in a task of its own. */
void h1_conn_next(struct h1_conn *c);

/* What the message being read says: the connection may serve another behind it. */
bool h1_conn_keeps_alive(const struct h1_conn *c);
bool h1_conn_rx_done(const struct h1_conn *c); /* the message being read is complete */
bool h1_conn_tx_done(
    const struct h1_conn *c); /* the message being written is complete (queued, maybe not sent) */
bool h1_conn_tx_until_close(const struct h1_conn *c); /* only the close ends the message written */
bool h1_conn_tx_close(const struct h1_conn *c);       /* the message written can only end by closing
                                                         (until-close, or said close) */
struct slice h1_conn_head_so_far(
    const struct h1_conn *c); /* of a head that is not complete yet: nothing of it was judged */
size_t h1_conn_head_bytes(const struct h1_conn *c); /* of the head being read, so far */
bool h1_conn_surplus(
    const struct h1_conn *c); /* bytes are there behind the message that was read */
bool h1_conn_reading(
    const struct h1_conn *c); /* a body is open and its window is not used up: the peer's turn */
uint64_t
h1_conn_last_io_us(const struct h1_conn *c); /* when a byte last moved in either direction */

/* Bytes of @data straight to the peer, outside any message: a WebSocket Close frame of our own. */
void h1_conn_write_raw(struct h1_conn *c, struct slice data);

#endif
