/* SPDX-License-Identifier: MIT */
/* sock.h - reads and writes one non-blocking byte stream: a TCP or unix socket, TLS over it, or one
 * end of a pair in memory.
 *
 * Reads are pulled (sock_read). Writes are queued and leave in one gathered write at the end of the
 * turn. The queue has no limit of its own: its source looks at sock_queued() and is told by
 * on_sent. The descriptor is registered once, edge-triggered, for both directions. Nothing is lost
 * before it is judged: sock_peek shows bytes and leaves them, and sock_start_tls begins with what
 * was peeked.
 *
 * Callbacks never run inside the calls below, only from the loop. After sock_close no callback
 * runs. A sock does not know HTTP. */

/* draw: a sock
 *
 *   CONNECTING ──▶ HANDSHAKING ──▶ OPEN ──▶ (each direction ends by itself) ──▶ CLOSED */
#ifndef H2MUX_IO_SOCK_H
#define H2MUX_IO_SOCK_H

#include <sys/socket.h>
#include <sys/types.h>

#include "h2mux/base/buf.h"
#include "h2mux/base/err.h"
#include "h2mux/io/loop.h"
#include "h2mux/io/tls.h"

struct sock;
struct sock_tails;

struct sock_ops {
    /* The sock is connected, and through the handshake if TLS was started. May be NULL. */
    void (*on_open)(void *user);
    /* sock_read has something: bytes, the end, or an error. */
    void (*on_readable)(void *user);
    /* Bytes have left the queue since the last call. May be NULL. */
    void (*on_sent)(void *user);
    /* Reading is paused and the peer has sent FIN or RST, before or since. May be NULL. */
    void (*on_hangup)(void *user);
    /* Connecting, the handshake or a write has failed, or the sock was cut (sock_count_tail): the
     * owner closes the sock. */
    void (*on_error)(void *user, int err, const char *reason);
};

/* ---- making and closing */

/* Makes a sock of @fd, owns it and makes it non-blocking. @peer is as accept() gave it: of a peer
 * that has reset meanwhile the kernel knows no more. */
struct sock *sock_accepted(struct loop *l, int fd, const struct sockaddr_storage *peer) MUSTCHECK;

/* Begins to connect to @addr. Returns NULL if that fails at once (errno says why); later failures
 * come by on_error. */
struct sock *sock_connect(struct loop *l, const struct sockaddr *addr, socklen_t len) MUSTCHECK;

/* Makes two ends in memory; each end is closed by its own owner. */
void sock_pair(struct loop *l, struct sock **a, struct sock **b);

/* Sets the owner. @user is borrowed: it outlives the sock or closes it. */
void sock_set_ops(struct sock *s, const struct sock_ops *ops, void *user);

/* Sends FIN (close_notify before it) behind what is queued. */
void sock_shutdown(struct sock *s);
/* Closes @s at once; what is queued is dropped. NULL is fine. */
void sock_close(struct sock *s);
/* Closes @s at once with RST, so that the peer can tell. NULL is fine. */
void sock_abort(struct sock *s);

/* Takes @s from its owner. Sends what is queued, however slowly the peer takes it, and gives up
 * when nothing leaves for a minute. Then sends FIN, reads and forgets up to @max_bytes for at most
 * @max_ms or until the peer's FIN, and closes: so the peer reads our last words and not an RST (RFC
 * 9112 9.6). */
void sock_finish(struct sock *s, uint64_t max_ms, size_t max_bytes);

/* Adds one to @count until @s is closed. To be called in the turn of sock_finish. @count is
 * borrowed: it outlives the loop. */
void sock_count_finishing(struct sock *s, size_t *count);

/* ---- reading */

/* Shows in @out what has arrived and was not read, at least one byte, before TLS. Fails with
 * ERR_AGAIN, ERR_EOF, ERR_RESET, ERR_IO. */
int sock_peek(struct sock *s, struct slice *out) MUSTCHECK;

/* Reads up to @cap bytes. Returns how many, or 0 when the peer has ended its direction in order.
 * Fails with ERR_AGAIN; ERR_TRUNCATED (TLS without close_notify), ERR_RESET, ERR_IO, ERR_TLS;
 * ERR_ABUSE for more than 32 KeyUpdates or attempts to renegotiate in a minute. */
ssize_t sock_read(struct sock *s, void *to, size_t cap) MUSTCHECK;

/* The most that sock_read gives of one TLS record; it gives the whole record if there is room for
 * so much (RFC 8446 5.1). */
enum { SOCK_RECORD_MAX = 16384 };

/* Puts @data back in front of what will be read: for whoever takes the sock over from a reader that
 * read ahead. */
void sock_unread(struct sock *s, struct slice data);

/* Stops and allows on_readable. After a resume on_readable runs again if anything may be there. */
void sock_pause(struct sock *s);
void sock_resume(struct sock *s);

/* Takes a sock whose last read was short as empty until the kernel says otherwise: between two
 * messages that saves asking the kernel. An RST that came in the same event is then found by the
 * next write, or by whoever limits how long a connection may be idle. */
void sock_rest(struct sock *s);

/* Returns whether everything that had come was read: an event will tell before anything else can be
 * read. */
bool sock_is_drained(const struct sock *s);

/* ---- writing */

/* Takes all of @data: writes or copies it. Does nothing on a sock that has failed or was shut down.
 */
void sock_write(struct sock *s, struct slice data);

/* Cuts the last @bytes off the queue. Returns false if they have left already, or are records. */
bool sock_unsend(struct sock *s, size_t bytes);

/* Return bytes as they leave, which are records with TLS: those that were taken and have not left;
 * all that have left so far; those of them that the peer's system has acknowledged (asks the
 * kernel). */
size_t sock_queued(const struct sock *s);
uint64_t sock_sent(const struct sock *s);
uint64_t sock_taken(const struct sock *s);

/* Counts what waits in @s among @tails until it has left: nobody else counts it any more. When the
 * budget is short and the peer has taken nothing for tails->stall_ms, @s is cut: its owner gets
 * on_error(ERR_STALLED), or @s is closed if it is finishing. @tails is borrowed: it outlives @s, or
 * forgets it. NULL is fine for @s. */
void sock_count_tail(struct sock *s, struct sock_tails *tails);

/* ---- TLS */

/* Takes the bytes from here on as TLS records; on_open follows. @host is the name to check, or NULL
 * on the server's side. Fails with ERR_TLS. */
int sock_start_tls(struct sock *s, struct tls *t, const char *host) MUSTCHECK;
bool sock_is_tls(const struct sock *s);

/* Makes TLS read many records at once, into memory that is given back when they are used up: for a
 * connection that carries much. Does nothing on a plain sock. */
void sock_read_ahead(struct sock *s);

/* ---- to another loop */

/* Move a connected sock from one loop to another, maybe on another thread: between the two calls
 * nobody may touch @s. sock_leave takes the owner away; what is queued, read ahead and agreed by
 * TLS goes along. */
void sock_leave(struct sock *s);
void sock_enter(struct sock *s, struct loop *l);

/* ---- the descriptor */

/* Returns the descriptor, or -1 for a sock in memory. */
int sock_fd(const struct sock *s);

/* Returns the peer's address: AF_UNSPEC for pairs, AF_UNIX for unix sockets. */
const struct sockaddr_storage *sock_peer(const struct sock *s);

/* Sets how much the kernel takes from the peer before we read (SO_RCVBUF, socket(7)). By itself
 * that grows to some MiB, and so does what the peer's kernel holds. */
void sock_set_receive_buffer(struct sock *s, int bytes);

/* Sets how much may wait in the kernel unsent (TCP_NOTSENT_LOWAT, tcp(7)): for links. */
void sock_set_notsent_lowat(struct sock *s, int bytes);

/* Writes @a to @to: "192.0.2.1", "[2001:db8::1]:443", "unix". */
void sock_address_text(const struct sockaddr_storage *a, bool with_port, char *to, size_t cap);

#endif
