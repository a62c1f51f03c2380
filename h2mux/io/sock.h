/* SPDX-License-Identifier: MIT */
/* sock.h - one non-blocking byte stream: TCP or unix socket, TLS over it, or one half of a pair in
 * memory.
 *
 * Reads are pulled (sock_read), writes are queued and leave in one gathered write at turn's end; a
 * large one goes at once. The queue has no limit of its own: its source looks at sock_queued() and
 * is told by on_sent. The descriptor is registered once, edge-triggered, for both directions.
 * Nothing is lost before it is judged: sock_peek shows bytes and leaves them, and sock_start_tls
 * begins with what was peeked.
 *
 * Callbacks never run inside the calls below, only from the loop. After sock_close no callback
 * runs. */

/* draw: a sock
 *
 *   CONNECTING ──▶ HANDSHAKING ──▶ OPEN ──▶ (shut_tx, shut_rx) ──▶ closed */
#ifndef H2MUX_IO_SOCK_H
#define H2MUX_IO_SOCK_H

#include <sys/socket.h>
#include <sys/types.h>

#include "h2mux/base/buf.h"
#include "h2mux/base/err.h"
#include "h2mux/io/loop.h"
#include "h2mux/io/tls.h"

struct sock;

struct sock_ops {
    void (*on_open)(
        void *user); /* connected, and through the handshake if TLS was started; may be NULL */
    void (*on_readable)(void *user); /* sock_read has something: bytes, the end, or an error */
    void (*on_sent)(void *user);     /* bytes left the queue since the last call; may be NULL */
    void (*on_hangup)(void *user); /* reading is paused and the peer has sent FIN or RST, before or
                                      since; may be NULL */
    void (*on_error)(
        void *user, int err,
        const char *reason); /* connect, handshake or write failed: the owner closes it */
};

/* Takes @fd (non-blocking is set here). The peer is asked of the kernel. */
struct sock *sock_new(struct loop *l, int fd) MUSTCHECK;
/* Likewise, with the peer as accept() gave it: of one that has reset meanwhile the kernel knows no
 * more. */
struct sock *sock_accepted(struct loop *l, int fd, const struct sockaddr_storage *peer) MUSTCHECK;
/* NULL: errno says why at once; later failures come by on_error. */
struct sock *sock_connect(struct loop *l, const struct sockaddr *addr, socklen_t len) MUSTCHECK;
/* Two ends in memory; each end is closed by its own owner. */
void sock_pair(struct loop *l, struct sock **a, struct sock **b);

/* @user is borrowed and outlives the sock or closes it. */
void sock_set_ops(struct sock *s, const struct sock_ops *ops, void *user);

/* What has arrived raw and was not read, at least one byte; ERR_AGAIN, ERR_EOF, ERR_IO. Before TLS
 * only. */
int sock_peek(struct sock *s, struct slice *out) MUSTCHECK;

/* From here on the bytes are TLS records. @host NULL: server side. on_open follows. */
int sock_start_tls(struct sock *s, struct tls *t, const char *host) MUSTCHECK;
bool sock_is_tls(const struct sock *s);
/* TLS: many records are read at once, into memory that is given back when they are used up. For a
 * connection that carries much; nothing on a plain one. */
void sock_read_ahead(struct sock *s);

/* > 0 bytes; 0: the peer ended its direction in order; ERR_AGAIN; ERR_TRUNCATED (TLS without
 * close_notify), ERR_RESET, ERR_IO, ERR_TLS; ERR_ABUSE: TLS without end, more than 32 KeyUpdates
 * (or attempts to renegotiate) in a minute. */
ssize_t sock_read(struct sock *s, void *to, size_t cap) MUSTCHECK;
/* TLS: what sock_read gives at most of one record, and at once when there is room for so much (RFC
 * 8446 5.1). */
enum { SOCK_RECORD_MAX = 16384 };

/* All of @data is taken: written or copied. Nothing happens on a sock that failed or was shut for
 * writing. */
void sock_write(struct sock *s, struct slice data);
size_t sock_queued(const struct sock *s); /* bytes taken that have not left (as they will leave:
                                             records when TLS) */

uint64_t sock_sent(const struct sock *s); /* bytes that have left so far, likewise */
/* Of them, those that the peer's system has acknowledged. Asks the kernel. */
uint64_t sock_taken(const struct sock *s);

/* Puts @data back in front of what will be read: for whoever takes the sock over from a reader that
 * read ahead. */
void sock_unread(struct sock *s, struct slice data);
/* Cuts the last @bytes off the queue, if they are still there and are not records: false
 * otherwise. */
bool sock_unsend(struct sock *s, size_t bytes);

/* While paused on_readable is not called. on_readable runs again after a resume if anything may be
 * there. */
void sock_pause(struct sock *s);
void sock_resume(struct sock *s);

/* Between messages: what was read to its end is taken as empty until the kernel says otherwise,
 * which saves asking it. An RST that came in the same event is then found by the next write, or by
 * whoever limits how long a connection may be idle. */
void sock_rest(struct sock *s);
/* What had come was read to its end: an event will tell before anything else can be read. */
bool sock_is_drained(const struct sock *s);

void sock_shutdown(struct sock *s); /* FIN (close_notify before it) after what is queued */
void sock_close(struct sock *s);    /* at once; what is queued is dropped. NULL is fine */
void sock_abort(struct sock *s);    /* at once, with RST, so that the peer can tell */

/* Takes @s from its owner: sends what is queued, however slowly the peer takes it (given up when
 * nothing leaves for a minute), then FIN; from then on reads and forgets up to @max_bytes for at
 * most @max_ms or until the peer's FIN, then closes: so the peer reads our last words instead of a
 * RST (RFC 9112 9.6). */
void sock_finish(struct sock *s, uint64_t max_ms, size_t max_bytes);

/* In the turn of sock_finish: @count is one more until @s is closed. Borrowed: outlives the loop.
 */
void sock_count_finishing(struct sock *s, size_t *count);

struct sock_tails;
/* Counts what waits in @s among @tails until it has left: nobody else counts it any more. When the
 * budget is short and the peer has taken nothing for tails->stall_ms, @s is cut: its owner gets
 * on_error(ERR_STALLED), or @s is closed if it is finishing. @tails is borrowed: it outlives @s, or
 * forgets it. NULL is fine. */
void sock_count_tail(struct sock *s, struct sock_tails *tails);

/* From one loop to another, maybe on another thread: between the two nobody may touch it. No reader
 * is set (sock_set_ops NULL is done here); what is queued, read ahead and agreed by TLS goes along.
 * Connected socks only. */
void sock_leave(struct sock *s);
void sock_enter(struct sock *s, struct loop *l);

int sock_fd(const struct sock *s); /* -1 in memory */
/* What the kernel takes from the peer before we do, from now on (SO_RCVBUF, socket(7)); by itself
 * it goes up to some MiB, and so does what the peer's kernel holds. */
void sock_set_receive_buffer(struct sock *s, int bytes);
/* The peer's address, AF_UNSPEC for pairs, AF_UNIX for unix sockets. */
const struct sockaddr_storage *sock_peer(const struct sock *s);
void sock_set_notsent_lowat(struct sock *s,
                            int bytes); /* links: what waits in the kernel stays short */
void sock_address_text(const struct sockaddr_storage *a, bool with_port, char *to,
                       size_t cap); /* "192.0.2.1", "[2001:db8::1]:443", "unix" */

#endif
