/* SPDX-License-Identifier: MIT */
/* sock_int.h - declares a sock, the states of its two directions, and what the files sock*.c share.
 * No other product file includes this header.
 *
 * Invariants: a closed sock has no descriptor, pair, tail (sock_tail.h) or `finish`, and none of
 * its tasks is queued. rx is HELD or NOTIFIED only with TLS, READY or SHORT only on a descriptor,
 * FAILED iff rx.failed is set. After FIN and on a broken sock nothing is queued. Only TLS before
 * the end of its handshake has early bytes. */

/* draw: what can be read (sock.rx.state)
 *
 *   EMPTY ──event──▶ READY ──short read──▶ SHORT ──event──▶ READY
 *                    READY, SHORT ──the kernel has nothing──▶ EMPTY, TLS: HELD
 *                             SHORT ──sock_rest──▶ EMPTY, TLS: HELD
 *   TLS: HELD ──event──▶ READY        HELD ──OpenSSL wants more──▶ EMPTY
 *
 *   all of these ──FIN or RST is seen──▶ LEFT ──end is read──▶ ENDED ──owner is told──▶ TOLD
 *                ──end is read──▶ ENDED
 *   TLS: all of these ──close_notify is told──▶ NOTIFIED ──FIN or RST is seen──▶ TOLD
 *   every state ──an error──▶ FAILED */

/* draw: what can be written (sock.tx.state)
 *
 *   FULL ◀──▶ READY                   the kernel takes nothing more; an event says that it does
 *     │         │  sock_shutdown
 *     ▼         ▼
 *   FULL_FIN ◀──▶ READY_FIN ──queue is empty, FIN is sent──▶ ENDED
 *
 *   FULL, READY ──a write failed──▶ BROKEN ──sock_shutdown──▶ READY_FIN */
#ifndef H2MUX_IO_SOCK_INT_H
#define H2MUX_IO_SOCK_INT_H

#include <netinet/in.h>
#include <openssl/ssl.h>

#include "h2mux/io/sock.h"
#include "h2mux/io/wheel.h"

enum {
    SOCK_RX_CHUNK = 65536,
    SOCK_PAIR_ROOM = 256 * 1024 /* unread bytes that one end of a pair may hold */
};

enum sock_state { SOCK_CONNECTING, SOCK_HANDSHAKING, SOCK_OPEN, SOCK_CLOSED };

/* The order matters: from SOCK_RX_LEFT on, the peer is known to have sent FIN or RST, or the sock
 * has failed. */
enum sock_rx_state {
    SOCK_RX_EMPTY,    /* nothing can be read before the next event */
    SOCK_RX_HELD,     /* TLS: the kernel has nothing, but OpenSSL may hold bytes */
    SOCK_RX_READY,    /* the kernel may have bytes */
    SOCK_RX_SHORT,    /* the kernel may have bytes, but the last read was short */
    SOCK_RX_NOTIFIED, /* TLS: the reader was told of close_notify; FIN may follow */
    SOCK_RX_LEFT,     /* the peer has sent FIN or RST; earlier bytes may be unread */
    SOCK_RX_ENDED,    /* no more raw bytes come; reads end with rx.end */
    SOCK_RX_TOLD,     /* the reader was told of the end */
    SOCK_RX_FAILED    /* reads return rx.failed */
};

enum sock_tx_state {
    SOCK_TX_FULL,      /* the kernel takes nothing before the next event */
    SOCK_TX_READY,     /* the kernel may take bytes */
    SOCK_TX_FULL_FIN,  /* as FULL; FIN will follow the queued bytes */
    SOCK_TX_READY_FIN, /* as READY; FIN will follow the queued bytes */
    SOCK_TX_ENDED,     /* FIN has been sent */
    SOCK_TX_BROKEN     /* a write has failed; further writes are dropped */
};

struct finish;
struct tail;

/* The address of a peer. It is a quarter of a sockaddr_storage: nobody asks for a unix socket's
 * path. */
union sock_peer {
    struct sockaddr any;
    struct sockaddr_in v4;
    struct sockaddr_in6 v6;
};

struct sock {
    struct loop *loop; /* borrowed: outlives its socks */
    int fd;            /* owned; -1 in memory and once closed */
    struct event event;
    enum sock_state state;
    const struct sock_ops *ops; /* static */
    void *user;                 /* borrowed */
    struct {
        enum sock_rx_state state;
        int end;           /* ENDED, TOLD: reads end with 0 for FIN, or with an error */
        int failed;        /* FAILED: enum err; 0 in all other states */
        bool paused;       /* the owner has called sock_pause */
        size_t seen;       /* bytes of `raw` that its owner has peeked at, and needs more */
        struct buf raw;    /* bytes as they came from the peer */
        struct buf unread; /* bytes that a reader has put back */
    } rx;
    struct {
        enum sock_tx_state state;
        bool told_late;   /* bytes have left since on_sent was called */
        uint64_t total;   /* bytes that have left */
        struct buf raw;   /* raw bytes that wait to be sent */
        struct buf early; /* TLS: bytes written before the end of the handshake */
    } tx;
    struct {
        SSL *ssl;         /* owned; NULL: plain */
        bool reads_ahead; /* OpenSSL reads many records at once */
        unsigned rekeys;  /* handshake messages after the handshake, since: */
        uint64_t rekeys_since_us;
        uint64_t records;     /* written with the present key, of TLS 1.3 */
        uint64_t rekey_after; /* records; then a KeyUpdate follows */
    } tls;
    struct {
        struct task ready; /* tells the owner what can be read */
        struct task shake; /* continues the handshake */
        struct task flush; /* sends queued bytes, calls on_sent */
        struct task check; /* during a pause: looks whether the peer has left */
    } tasks;
    struct {
        struct sock_tails *of; /* borrowed; counts the queued bytes; NULL: none does */
        struct tail *waits;    /* owned; NULL: nothing is counted yet */
    } tail;
    struct {
        struct wheel_timer timer; /* armed while bytes may not be acknowledged */
        uint64_t since_us;        /* nothing was amiss until then */
        uint64_t timeout_ms;      /* 0: nobody watches */
    } watch;
    struct sock *pair;     /* weak: the other end in memory */
    struct finish *finish; /* owned; set by sock_finish */
    union sock_peer peer;
    struct reap reap;
};

/* ---- sock_state.c: every change of rx.state and tx.state */

/* Return the name of a state, for messages. */
const char *sock_rx_name(enum sock_rx_state state);
const char *sock_tx_name(enum sock_tx_state state);

/* Returns whether the peer is known to have sent FIN or RST, or the sock has failed. */
static inline bool sock_has_left(const struct sock *s)
{
    return s->rx.state >= SOCK_RX_LEFT;
}

/* Returns whether no more raw bytes come, because the peer has ended them or the sock has
 * failed. */
static inline bool sock_has_ended(const struct sock *s)
{
    return s->rx.state >= SOCK_RX_ENDED;
}

/* Notes that an event has reported bytes. */
void sock_rx_arrived(struct sock *s);
/* Notes that the peer has sent FIN or RST. */
void sock_rx_left(struct sock *s);
/* Notes that the kernel gave @n bytes of the @cap that were asked for. */
void sock_rx_got(struct sock *s, size_t n, size_t cap);
/* Notes that the kernel has nothing more. */
void sock_rx_drained(struct sock *s);
/* Notes that OpenSSL may hold bytes. Does nothing without TLS. */
void sock_rx_held(struct sock *s);
/* Notes that OpenSSL holds no bytes and needs more raw bytes. */
void sock_rx_starved(struct sock *s);
/* Notes that no more raw bytes come: after FIN (@end is 0), or after the error @end. */
void sock_rx_ended(struct sock *s, int end);
/* Notes that sock_read reports the end in order (returns 0) to its caller. */
void sock_rx_told(struct sock *s);
/* Makes all reads from now on return @err. If the sock has failed before, its first error stays. */
void sock_rx_fail(struct sock *s, int err);

/* Returns whether the kernel may take bytes. */
static inline bool sock_tx_is_ready(const struct sock *s)
{
    return s->tx.state == SOCK_TX_READY || s->tx.state == SOCK_TX_READY_FIN;
}

/* Returns whether the owner has called sock_shutdown. */
static inline bool sock_tx_is_shut(const struct sock *s)
{
    return s->tx.state >= SOCK_TX_FULL_FIN && s->tx.state <= SOCK_TX_ENDED;
}

/* Notes that the kernel takes bytes. */
void sock_tx_ready(struct sock *s);
/* Notes that the kernel takes no more. */
void sock_tx_full(struct sock *s);
/* Notes that the owner has called sock_shutdown. */
void sock_tx_shut(struct sock *s);
/* Notes that FIN was sent. */
void sock_tx_ended(struct sock *s);

/* Checks the invariants of a sock: check.h. */
void sock_check(const struct sock *s);

/* ---- sock.c */

extern const struct sock_ops sock_no_ops; /* the ops of a sock without an owner */
struct sock *sock_alloc(struct loop *l, int fd) MUSTCHECK;

/* ---- sock_raw.c */

/* Returns the enum err of errno @e, which a connection has that was up. */
int sock_errno(int e);

/* Reads up to @chunk raw bytes into rx.raw. Returns their number, 0 at the peer's FIN, or an error
 * (ERR_AGAIN if nothing can be read now). */
ssize_t sock_raw_fill(struct sock *s, size_t chunk);
/* Reads up to @cap raw bytes into @to and not into rx.raw. Returns the same as sock_raw_fill. */
ssize_t sock_raw_recv(struct sock *s, void *to, size_t cap);

/* Moves up to @cap bytes from the front of @b to @to, and returns their number. Frees the memory of
 * @b when @b is empty. */
size_t sock_buf_take(struct buf *b, void *to, size_t cap);
/* Moves up to @cap bytes from rx.raw to @to, and returns their number. Lets the other end of a pair
 * flush again. */
size_t sock_rx_take(struct sock *s, void *to, size_t cap);

/* Makes the sock call on_sent in this turn. */
void sock_mark_sent(struct sock *s);
/* Marks the sock as broken after a failed write. Drops the queued bytes and calls on_sent in this
 * turn, so that the source of the bytes does not wait for ever. The owner learns of the failure by
 * its next read. */
void sock_tx_break(struct sock *s);
/* Handles a send that failed with errno @why. Returns true if the sock is broken now, and false if
 * the kernel just takes no more bytes at the moment. */
bool sock_send_failed(struct sock *s, int why);
/* Writes the queued bytes as far as the kernel takes them, and FIN after the last byte if the owner
 * has called sock_shutdown. */
void sock_push(struct sock *s);
void sock_run_flush(void *sock); /* does the same, and calls on_sent */

/* ---- sock_event.c */

void sock_watch(struct sock *s); /* registers the descriptor, for good */
void sock_fail(struct sock *s, int err, const char *reason); /* calls on_error */
void sock_opened(struct sock *s);                            /* calls on_open */
void sock_run_ready(void *sock);                             /* the tasks of struct sock */
void sock_run_shake(void *sock);
void sock_run_check(void *sock);

/* ---- sock_gather.c */

/* Lists @data in the loop's gather (gather.h), to be sent without a copy. Returns false if the
 * caller must queue @data, after the gathered bytes. */
bool sock_gather(struct sock *s, struct slice data) MUSTCHECK;
void sock_gather_settle(struct sock *s); /* sends or queues the gathered bytes */
void sock_gather_drop(struct sock *s);
size_t sock_gathered(const struct sock *s); /* returns the number of gathered bytes */

/* ---- sock_pair.c */

/* Ends the direction from @s to the other end of its pair, which then reads FIN (@end is 0) or RST
 * (@end is ERR_RESET). */
void sock_pair_end(struct sock *s, int end);
void sock_pair_flush(struct sock *s);
void sock_pair_leave(struct sock *s);

/* ---- sock_tls.c */

void sock_handshake(struct sock *s);
void sock_tls_write(struct sock *s, struct slice data);
void sock_tls_shutdown(struct sock *s); /* close_notify */
ssize_t sock_tls_read(struct sock *s, void *to, size_t cap);

/* ---- sock_finish.c */

void sock_finish_cancel(struct sock *s); /* at close */

/* ---- sock_peer.c */

void sock_peer_look(void *sock);      /* the timer of `watch` */
void sock_peer_begin(struct sock *s); /* arms it */

/* Notes that bytes were written to the kernel. */
static inline void sock_peer_sent(struct sock *s)
{
    if (s->watch.timeout_ms != 0 && !wheel_timer_armed(&s->watch.timer))
        sock_peer_begin(s);
}

/* ---- sock_tail.c */

void sock_tail_look(struct sock *s); /* after each flush, if the sock has a sock_tails */
void sock_tail_drop(struct sock *s); /* at the end of the sock or of the sock_tails */

#endif
