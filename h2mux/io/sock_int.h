/* SPDX-License-Identifier: MIT */
/* sock_int.h - what the files of a sock share; nobody else includes it. */
#ifndef H2MUX_IO_SOCK_INT_H
#define H2MUX_IO_SOCK_INT_H

#include <openssl/ssl.h>

#include "h2mux/io/sock.h"

enum {
    SOCK_RX_CHUNK = 65536,
    SOCK_PAIR_ROOM =
        256 * 1024 /* what the other end of a pair holds unread, like a socket buffer */
};

enum sock_state { SOCK_CONNECTING, SOCK_HANDSHAKING, SOCK_OPEN, SOCK_CLOSED };

struct finish;
struct tail;

struct sock {
    struct loop *loop; /* borrowed: outlives its socks */
    int fd;            /* owned; -1 in memory */
    enum sock_state state;
    bool rx_ready, tx_ready; /* the kernel may have bytes, room */
    bool hangup;             /* the peer sent FIN or RST: the reads behind what came end */
    bool drained;            /* the last read was short, and no event came since */
    bool raw_eof, eof_told;
    int raw_end; /* what reads end with at raw_eof: 0 for FIN, or an error */
    bool paused;
    bool reads_ahead; /* TLS: OpenSSL does */
    bool starved;     /* TLS: nothing more can be decrypted until raw bytes come */
    bool shut_tx, fin_sent;
    bool tx_broken; /* a write failed: what is written vanishes */
    bool sent;      /* bytes left since on_sent was called */
    uint64_t tx_total;
    unsigned rekeys; /* TLS: handshake messages behind the handshake, since: */
    uint64_t rekeys_since_us;
    int failed; /* enum err that reads return from now on; 0 */
    struct event event;
    const struct sock_ops *ops;             /* static */
    void *user;                             /* borrowed */
    struct buf rx, tx;                      /* raw bytes */
    struct buf unread;                      /* put back by a reader */
    struct buf early;                       /* written before the handshake was through */
    SSL *ssl;                               /* owned; NULL: plain */
    struct sock *pair;                      /* weak: the other end in memory */
    struct finish *finish;                  /* owned; set by sock_finish */
    struct sock_tails *tail_of;             /* borrowed; what waits is to be counted there */
    struct tail *tail;                      /* owned; NULL: nothing of it is counted yet */
    struct task ready, shake, flush, check; /* shake: the handshake goes on */
    struct sockaddr_storage peer;
    struct reap reap;
};

/* sock.c */
extern const struct sock_ops sock_no_ops; /* of a sock that nobody reads */
struct sock *sock_alloc(struct loop *l, int fd) MUSTCHECK;

/* sock_raw.c */
int sock_errno(int e); /* as enum err */
/* Raw bytes into rx: > 0, 0 at the peer's FIN, or an error. */
ssize_t sock_raw_fill(struct sock *s, size_t chunk);
/* Raw bytes past it, likewise. */
ssize_t sock_raw_recv(struct sock *s, void *to, size_t cap);
/* Out of @b, which gives its memory back with the last. */
size_t sock_buf_take(struct buf *b, void *to, size_t cap);
size_t sock_rx_take(struct sock *s, void *to,
                    size_t cap);                /* out of rx; a pair's other end may flush again */
void sock_mark_sent(struct sock *s);            /* on_sent is due */
void sock_tx_break(struct sock *s);             /* a write failed */
void sock_send_failed(struct sock *s, int why); /* errno of a send */
void sock_push(struct sock *s);  /* what is queued, then FIN if it is due, as far as they go */
void sock_run_flush(void *sock); /* likewise, and on_sent */

/* sock_event.c */
void sock_watch(struct sock *s); /* registers the descriptor, for good */
void sock_fail(struct sock *s, int err, const char *reason); /* on_error */
void sock_opened(struct sock *s);                            /* on_open */
void sock_run_ready(void *sock);                             /* the tasks of struct sock */
void sock_run_shake(void *sock);
void sock_run_check(void *sock);

/* sock_gather.c */
bool sock_gather(struct sock *s, struct slice data) MUSTCHECK; /* false: it is to be queued */
void sock_gather_settle(struct sock *s);                       /* sent, or queued, at once */
void sock_gather_drop(struct sock *s);
size_t sock_gathered(const struct sock *s); /* bytes, not in the queue */

/* sock_pair.c */
void sock_pair_end(struct sock *s, int end); /* the other end hears FIN (0) or RST (ERR_RESET) */
void sock_pair_flush(struct sock *s);
void sock_pair_leave(struct sock *s);

/* sock_tls.c */
void sock_handshake(struct sock *s);
void sock_tls_write(struct sock *s, struct slice data);
void sock_tls_shutdown(struct sock *s); /* close_notify */
ssize_t sock_tls_read(struct sock *s, void *to, size_t cap);

/* sock_finish.c */
void sock_finish_cancel(struct sock *s); /* at close */

/* sock_tail.c */
void sock_tail_look(struct sock *s); /* after a flush, while it has a share */
void sock_tail_drop(struct sock *s); /* at the end, by either side */

#endif
