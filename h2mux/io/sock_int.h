/* SPDX-License-Identifier: MIT */
/* sock_int.h - declares a sock, the states of its two directions, and what its files share; for the
 * files of the noun sock alone.
 *
 * Invariants: a closed sock has no descriptor, pair, tail or last words, and no task of it waits.
 * rx is HELD or NOTIFIED only with TLS, READY or SHORT only on a descriptor, FAILED iff there is an
 * error. Behind FIN and on a broken sock nothing is queued. Only TLS before it is open has early
 * bytes. */

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

#include <openssl/ssl.h>

#include "h2mux/io/sock.h"

enum {
    SOCK_RX_CHUNK = 65536,
    SOCK_PAIR_ROOM = 256 * 1024 /* what the end of a pair takes unread, like a socket buffer */
};

enum sock_state { SOCK_CONNECTING, SOCK_HANDSHAKING, SOCK_OPEN, SOCK_CLOSED };

/* The order counts: from SOCK_RX_LEFT on the peer is known to have sent FIN or RST, or it is of no
 * interest any more. */
enum sock_rx_state {
    SOCK_RX_EMPTY,    /* nothing can be read before an event tells, or a pair's other end */
    SOCK_RX_HELD,     /* TLS: the kernel has nothing, but OpenSSL may hold something */
    SOCK_RX_READY,    /* the kernel may have bytes */
    SOCK_RX_SHORT,    /* the kernel may have bytes, but the last read was short */
    SOCK_RX_NOTIFIED, /* TLS: the reader was told of close_notify; FIN may follow */
    SOCK_RX_LEFT,     /* the peer has sent FIN or RST; bytes may be there before it */
    SOCK_RX_ENDED,    /* the raw bytes end here, with rx.end */
    SOCK_RX_TOLD,     /* the reader was told of the end */
    SOCK_RX_FAILED    /* reads return rx.failed */
};

enum sock_tx_state {
    SOCK_TX_FULL,      /* the kernel takes nothing until an event tells; at first too */
    SOCK_TX_READY,     /* the kernel may take bytes */
    SOCK_TX_FULL_FIN,  /* the owner has said all: FIN goes behind what is queued */
    SOCK_TX_READY_FIN, /* likewise, and the kernel may take bytes */
    SOCK_TX_ENDED,     /* FIN has been sent */
    SOCK_TX_BROKEN     /* a write failed: what is written vanishes */
};

struct finish;
struct tail;

struct sock {
    struct loop *loop; /* borrowed: outlives its socks */
    int fd;            /* owned; -1 in memory and once closed */
    struct event event;
    enum sock_state state;
    const struct sock_ops *ops; /* static */
    void *user;                 /* borrowed */
    struct {
        enum sock_rx_state state;
        int end;           /* ENDED, TOLD: what reads end with, 0 for FIN or an error */
        int failed;        /* FAILED: enum err; 0 in all other states */
        bool paused;       /* the owner wants no on_readable */
        struct buf raw;    /* bytes as they came from the peer */
        struct buf unread; /* put back by a reader, as it had read them */
    } rx;
    struct {
        enum sock_tx_state state;
        bool told_late;   /* bytes have left since on_sent was called */
        uint64_t total;   /* bytes that have left */
        struct buf raw;   /* bytes as they leave for the peer */
        struct buf early; /* TLS: written before the handshake was through */
    } tx;
    struct {
        SSL *ssl;         /* owned; NULL: plain */
        bool reads_ahead; /* OpenSSL reads many records at once */
        unsigned rekeys;  /* handshake messages behind the handshake, since: */
        uint64_t rekeys_since_us;
    } tls;
    struct {
        struct task ready; /* something may be there to be read */
        struct task shake; /* the handshake goes on */
        struct task flush; /* something waits to leave, or on_sent is due */
        struct task check; /* paused: has the peer left? */
    } tasks;
    struct {
        struct sock_tails *of; /* borrowed: what waits is to be counted there; NULL */
        struct tail *waits;    /* owned; NULL: nothing of it is counted yet */
    } tail;
    struct sock *pair;     /* weak: the other end in memory */
    struct finish *finish; /* owned; set by sock_finish */
    struct sockaddr_storage peer;
    struct reap reap;
};

/* ---- sock_state.c: every change of rx.state and tx.state */

/* Return the name of a state, for messages. */
const char *sock_rx_name(enum sock_rx_state state);
const char *sock_tx_name(enum sock_tx_state state);

/* Returns whether the peer is known to have sent FIN or RST, or is of no interest any more. */
static inline bool sock_has_left(const struct sock *s)
{
    return s->rx.state >= SOCK_RX_LEFT;
}

/* Returns whether the raw bytes have ended, in order or by an error. */
static inline bool sock_has_ended(const struct sock *s)
{
    return s->rx.state >= SOCK_RX_ENDED;
}

/* Notes that bytes may be there: an event says so. */
void sock_rx_arrived(struct sock *s);
/* Notes that the peer has sent FIN or RST. */
void sock_rx_left(struct sock *s);
/* Notes that the kernel gave @n bytes where @cap were asked for. */
void sock_rx_got(struct sock *s, size_t n, size_t cap);
/* Notes that the kernel has nothing more. */
void sock_rx_drained(struct sock *s);
/* Notes, with TLS, that OpenSSL may hold something. */
void sock_rx_held(struct sock *s);
/* Notes that OpenSSL holds nothing and wants more raw bytes. */
void sock_rx_starved(struct sock *s);
/* Notes that the raw bytes end here, with @end. */
void sock_rx_ended(struct sock *s, int end);
/* Notes that the reader is told of an end in order. */
void sock_rx_told(struct sock *s);
/* Makes reads return @err from now on, or the first such error. */
void sock_rx_fail(struct sock *s, int err);

/* Returns whether the kernel may take bytes. */
static inline bool sock_tx_is_ready(const struct sock *s)
{
    return s->tx.state == SOCK_TX_READY || s->tx.state == SOCK_TX_READY_FIN;
}

/* Returns whether the owner has said all. */
static inline bool sock_tx_is_shut(const struct sock *s)
{
    return s->tx.state >= SOCK_TX_FULL_FIN && s->tx.state <= SOCK_TX_ENDED;
}

/* Notes that the kernel takes bytes. */
void sock_tx_ready(struct sock *s);
/* Notes that the kernel takes no more. */
void sock_tx_full(struct sock *s);
/* Notes that the owner has said all. */
void sock_tx_shut(struct sock *s);
/* Notes that FIN was sent. */
void sock_tx_ended(struct sock *s);

/* Checks the invariants of a sock: check.h. */
void sock_check(const struct sock *s);

/* ---- sock.c */

extern const struct sock_ops sock_no_ops; /* of a sock that nobody reads */
struct sock *sock_alloc(struct loop *l, int fd) MUSTCHECK;

/* ---- sock_raw.c */

/* Returns the enum err of errno @e. */
int sock_errno(int e);

/* Reads raw bytes into rx.raw, up to @chunk. Returns how many, 0 at the peer's FIN, or an error. */
ssize_t sock_raw_fill(struct sock *s, size_t chunk);
/* Reads raw bytes past rx.raw to @to; returns likewise. */
ssize_t sock_raw_recv(struct sock *s, void *to, size_t cap);

/* Takes up to @cap bytes out of @b, which gives its memory back with the last. */
size_t sock_buf_take(struct buf *b, void *to, size_t cap);
/* Takes up to @cap bytes out of rx.raw; the other end of a pair may flush again. */
size_t sock_rx_take(struct sock *s, void *to, size_t cap);

/* Makes on_sent due. */
void sock_mark_sent(struct sock *s);
/* Breaks the sock after a failed write: what is queued vanishes, so that its source is not held up,
 * and the reading side tells the owner. */
void sock_tx_break(struct sock *s);
/* Handles errno @why of a send. Returns true if that breaks the sock, and false if the kernel only
 * takes nothing more now. */
bool sock_send_failed(struct sock *s, int why);
/* Writes what is queued, then FIN if it is due, as far as they go. */
void sock_push(struct sock *s);
void sock_run_flush(void *sock); /* likewise, and calls on_sent */

/* ---- sock_event.c */

void sock_watch(struct sock *s); /* registers the descriptor, for good */
void sock_fail(struct sock *s, int err, const char *reason); /* calls on_error */
void sock_opened(struct sock *s);                            /* calls on_open */
void sock_run_ready(void *sock);                             /* the tasks of struct sock */
void sock_run_shake(void *sock);
void sock_run_check(void *sock);

/* ---- sock_gather.c */

/* Takes @data to be sent from where it is. Returns false if @data is to be queued, behind what was
 * gathered. */
bool sock_gather(struct sock *s, struct slice data) MUSTCHECK;
void sock_gather_settle(struct sock *s); /* sends or queues what was gathered, at once */
void sock_gather_drop(struct sock *s);
size_t sock_gathered(const struct sock *s); /* returns the bytes that are not in the queue */

/* ---- sock_pair.c */

/* Ends this direction of a pair: the other end hears FIN (0) or RST (ERR_RESET). */
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

/* ---- sock_tail.c */

void sock_tail_look(struct sock *s); /* after a flush, while it has a sock_tails */
void sock_tail_drop(struct sock *s); /* at the end, by either side */

#endif
