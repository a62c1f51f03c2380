/* SPDX-License-Identifier: MIT */
/* sock.h - reads and writes one non-blocking byte stream: a TCP or unix socket, TLS over either, or
 * one end of a pair in memory.
 *
 * The owner reads by sock_read. Written bytes are queued and leave in one gathered write at the end
 * of the turn. The queue has no limit of its own: the writer asks sock_queued() how long the queue
 * is, and on_sent tells when bytes have left. The descriptor is registered with the loop once,
 * edge-triggered, for both directions. The owner may look at the first bytes before starting TLS:
 * sock_peek shows bytes without reading them, and sock_start_tls takes the same bytes as TLS.
 *
 * Callbacks come only from the loop, never inside the calls below. After sock_close no callback
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
    /* Tells that the sock is connected and, with TLS, that the handshake is complete. May be
     * NULL. */
    void (*on_open)(void *user);
    /* Tells that sock_read has something: bytes, the end of the stream, or an error. */
    void (*on_readable)(void *user);
    /* Tells that bytes have left the queue since the last call. May be NULL. */
    void (*on_sent)(void *user);
    /* Tells that the peer has sent FIN or RST, during a pause (sock_pause) or before. May be
     * NULL. */
    void (*on_hangup)(void *user);
    /* Tells that connecting or the TLS handshake has failed, or that the sock was cut because
     * memory is short (sock_count_tail). The owner closes the sock. A failed write is reported by
     * sock_read instead. */
    void (*on_error)(void *user, int err, const char *reason);
};

/* ---- making and closing */

/* Makes a sock that owns @fd, and makes @fd non-blocking. @peer is the address from accept(): after
 * a reset by the peer the kernel no longer knows the address. */
struct sock *sock_accepted(struct loop *l, int fd, const struct sockaddr *peer) MUSTCHECK;

/* Begins to connect to @addr. Returns NULL if the attempt fails at once; errno has the reason.
 * on_error reports a later failure. @below is 0, or leaves descriptors for others: the attempt
 * fails with EMFILE if every descriptor below @below is in use. */
struct sock *sock_connect(struct loop *l, const struct sockaddr *addr, socklen_t len,
                          int below) MUSTCHECK;

/* Returns the enum err of an attempt to connect to @addr that failed with errno @why: ERR_SHORT if
 * this machine lacks descriptors, ports or memory for a connection, or if the queue of a unix
 * socket is full; ERR_UNREACHABLE if there is no way to the address; ERR_DENIED if a rule of this
 * machine forbids the connection; ERR_TIMEOUT; otherwise ERR_REFUSED. */
int sock_connect_err(const struct sockaddr *addr, socklen_t len, int why);

/* Makes two socks that are the ends of a connection in memory. Each end is closed by its own
 * owner. */
void sock_pair(struct loop *l, struct sock **a, struct sock **b);

/* Sets the owner: @ops are called with @user. @user is borrowed: the owner outlives the sock or
 * closes the sock. */
void sock_set_ops(struct sock *s, const struct sock_ops *ops, void *user);

/* Sends FIN after the queued bytes; with TLS, close_notify before the FIN. */
void sock_shutdown(struct sock *s);
/* Closes @s at once and drops the queued bytes. Does nothing if @s is NULL. */
void sock_close(struct sock *s);
/* Closes @s at once with RST, which tells the peer that bytes are missing. Does nothing if @s is
 * NULL. */
void sock_abort(struct sock *s);

/* Says whether every close of @s sends RST, also the kernel's when this program dies; false: FIN,
 * as at first (SO_LINGER, socket(7)). Not for pairs in memory. */
void sock_reset_on_close(struct sock *s, bool resets);

/* Takes @s from its owner and closes @s in order. First sends the queued bytes, however slowly the
 * peer takes them; closes @s when nothing leaves for a minute. Then sends FIN, and reads and drops
 * up to @max_bytes bytes until the peer's FIN, for at most @max_ms. So the peer reads the last
 * bytes and not an RST (RFC 9112 9.6). */
void sock_finish(struct sock *s, uint64_t max_ms, size_t max_bytes);

/* Counts @s in @count until @s is closed. The caller calls this function in the same turn as
 * sock_finish. @count is borrowed: the counter outlives the loop. */
void sock_count_finishing(struct sock *s, size_t *count);

/* Calls @on_closed with @user when @s is closed. The caller calls this function in the same turn as
 * sock_finish. Returns false, and does nothing, when @s is closed already. */
bool sock_watch_finishing(struct sock *s, void (*on_closed)(void *user), void *user) MUSTCHECK;

/* ---- a peer that vanishes */

/* Turns on keepalive for the descriptor @fd: 60 s of silence, then five probes in 50 s. On a
 * listening socket it holds for the connections that are accepted. */
void sock_keep_alive(int fd);

/* Fails @s with ERR_GONE (by on_error; a sock that is finishing is closed with RST) when the peer
 * has kept silent for @timeout_ms while bytes of ours were under way; 0: never. A peer that lives
 * and reads nothing is not silent, since its system answers. For TCP alone. The kernel's own end of
 * such a connection, by keepalive, is ERR_GONE from sock_read. */
void sock_watch_peer(struct sock *s, uint64_t timeout_ms);

/* ---- reading */

/* Stores in @out the bytes that have arrived and were not read, at least one byte, without reading
 * them. Works before TLS only. Returns 0; ERR_AGAIN if no byte has arrived; ERR_EOF after the
 * peer's FIN; ERR_RESET or ERR_IO if the connection has failed. */
int sock_peek(struct sock *s, struct slice *out) MUSTCHECK;

/* Does the same for an owner that has seen the first @seen bytes and needs more: shows all bytes
 * that were not read, more than @seen. On ERR_AGAIN on_readable follows when there are more. */
int sock_peek_beyond(struct sock *s, size_t seen, struct slice *out) MUSTCHECK;

/* Reads up to @cap bytes into @to. Returns their number, or 0 when the peer has ended its direction
 * in order. Fails with ERR_AGAIN if nothing can be read now; ERR_TRUNCATED if TLS ended without
 * close_notify; ERR_RESET, ERR_IO or ERR_TLS if the connection has failed; ERR_ABUSE after more
 * than 32 KeyUpdates or attempts to renegotiate in a minute. */
ssize_t sock_read(struct sock *s, void *to, size_t cap) MUSTCHECK;

/* One TLS record has at most this number of bytes (RFC 8446 5.1). sock_read returns a whole record
 * if @cap leaves room for a record of this length. */
enum { SOCK_RECORD_MAX = 16384 };

/* Puts @data back before the bytes that sock_read returns next. A reader that has read too far
 * calls this function before another owner takes the sock. */
void sock_unread(struct sock *s, struct slice data);
/* Returns how many bytes wait that sock_unread has put back. */
size_t sock_unread_bytes(const struct sock *s);

/* sock_pause stops the calls of on_readable, and sock_resume allows them again. After sock_resume
 * on_readable runs if something may be there to be read. */
void sock_pause(struct sock *s);
void sock_resume(struct sock *s);

/* Treats @s as empty until the next event if the last read was short, that is, brought fewer bytes
 * than were asked for. Between two messages this saves a system call. But an RST that came in the
 * same event is found only by the next write or by the timeout of an idle connection. */
void sock_rest(struct sock *s);

/* Returns whether all bytes that have arrived were read. If so, an event comes before anything else
 * can be read. */
bool sock_is_drained(const struct sock *s);

/* Returns whether the peer takes nothing any more: it has reset the connection, or writing has
 * failed. Behind a FIN alone it may still read. Asks the kernel. */
bool sock_is_dead(const struct sock *s);

/* ---- writing */

/* Takes all of @data: writes or copies it. Does nothing if @s has failed or was shut down. */
void sock_write(struct sock *s, struct slice data);

/* Removes the last @bytes bytes from the queue. Returns false if these bytes have left already, or
 * if the queue has TLS records. */
bool sock_unsend(struct sock *s, size_t bytes);

/* Count bytes on the wire (with TLS: bytes of records). sock_queued returns the number of bytes
 * that wait in the queue, sock_sent the number of bytes that have left. sock_taken asks the kernel
 * (SIOCOUTQ) and returns the number of bytes that the peer's system has acknowledged by TCP, or
 * that the peer itself has read from a unix socket. A unix socket counts what waits with the memory
 * around it, so there the number may be too small while something waits, and falls when bytes are
 * sent. Where the kernel cannot tell, all that has left counts as taken. */
size_t sock_queued(const struct sock *s);
uint64_t sock_sent(const struct sock *s);
uint64_t sock_taken(const struct sock *s);

/* What the kernel knows of the bytes of a TCP connection that have left the sock. */
struct sock_flight {
    uint64_t bytes;    /* that the peer's system has not acknowledged, sent or not */
    uint64_t acked;    /* that it has acknowledged: sock_taken */
    uint64_t rtt_us;   /* the round trip, smoothed over the last acknowledgements (RFC 6298) */
    uint64_t least_us; /* the shortest of the last minutes */
};

/* Stores in @out what the kernel knows (SIOCOUTQ and TCP_INFO, two system calls). Returns false if
 * @s is no TCP connection, or has measured no round trip. */
bool sock_flight(const struct sock *s, struct sock_flight *out) MUSTCHECK;

/* Counts the queued bytes of @s in @tails (sock_tail.h) until they have left. An owner calls this
 * function when the exchange that has counted them is over. When the budget is short and the peer
 * has taken nothing for tails->stall_ms milliseconds, @s is cut: its owner gets
 * on_error(ERR_STALLED), or a sock that is finishing is closed with RST. @tails is borrowed: it
 * outlives @s, or sock_tails_forget is called. Does nothing if @s is NULL. */
void sock_count_tail(struct sock *s, struct sock_tails *tails);

/* ---- TLS */

/* Start TLS: all bytes from now on are TLS records, and on_open follows after the handshake. For
 * sock_start_tls @host is the server's name, which the certificate must have; NULL makes this side
 * the server, with its first certificate. sock_serve_tls makes this side a server that the peer
 * asks for @name. Return 0, or ERR_TLS if @host is empty or a server has no certificate. */
int sock_start_tls(struct sock *s, struct tls *t, const char *host) MUSTCHECK;
int sock_serve_tls(struct sock *s, struct tls *t, struct slice name) MUSTCHECK;
bool sock_is_tls(const struct sock *s);

/* Returns the protocol that both sides have agreed on by ALPN, once the handshake is done; empty
 * without ALPN or without TLS. The text lives as long as @s. */
struct slice sock_protocol(const struct sock *s);

/* Returns the name that a client has asked this server for (SNI, RFC 6066 3), in the client's
 * spelling; empty without one or without TLS. The text lives as long as @s. */
struct slice sock_tls_name(const struct sock *s);

/* Writes the subject of the certificate that the client has shown into @out (tls_clients_subject).
 * Returns false, with an empty text, when there is none. */
bool sock_tls_client(const struct sock *s, char *out, size_t cap);

/* Makes OpenSSL read up to four records at once, into memory that is freed when the records are
 * used up. This suits a connection that carries much. Does nothing on a sock without TLS. */
void sock_read_ahead(struct sock *s);

/* ---- to another loop */

/* Move a connected sock from one loop to another, maybe on another thread. sock_leave removes @s
 * from its loop and its owner, and sock_enter registers @s with @l; between the two calls nobody
 * may touch @s. Queued bytes, bytes that were read ahead, and the state of TLS move along. */
void sock_leave(struct sock *s);
void sock_enter(struct sock *s, struct loop *l);

/* ---- the descriptor */

/* Returns the descriptor, or -1 for a sock in memory. */
int sock_fd(const struct sock *s);

/* Returns the peer's address. The family is AF_UNSPEC for pairs, and AF_UNIX for unix sockets,
 * whose path is left out. Borrowed: valid until @s is closed, or sock_set_peer is called. */
const struct sockaddr *sock_peer(const struct sock *s);

/* Sets how many bytes the kernel takes from the peer before the sock reads (SO_RCVBUF, socket(7)).
 * By default the kernel's buffer grows to some MiB. */
void sock_set_receive_buffer(struct sock *s, int bytes);

/* Sets how many unsent bytes may wait in the kernel (TCP_NOTSENT_LOWAT, tcp(7)). Links use this
 * limit. */
void sock_set_notsent_lowat(struct sock *s, int bytes);

/* Makes @peer what sock_peer returns: a front end has said whose connection @s is. */
void sock_set_peer(struct sock *s, const struct sockaddr *peer);

/* Writes the address @a to @to, cut to @cap bytes, with the port if @with_port: for instance
 * "192.0.2.1", "[2001:db8::1]:443" or "unix". A mapped address is written as IPv4. */
void sock_address_text(const struct sockaddr *a, bool with_port, char *to, size_t cap);

#endif
