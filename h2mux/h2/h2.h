/* SPDX-License-Identifier: MIT */
/* h2.h - HTTP/2 sessions and streams over a sock that is given: the mux's public face. RFC 9113,
 * RFC 8441.
 *
 * Either role runs on either side of a dialled connection. Streams are legs (leg.h). Callbacks
 * submit and mark; each session frames and writes once a loop turn. It knows nothing of names or of
 * who is behind the socket. */
#ifndef H2MUX_H2_H2_H
#define H2MUX_H2_H2_H

#include "h2mux/http/leg.h"
#include "h2mux/io/sock.h"

struct evictor;
struct h2_session;
struct h2_stream;

/* RFC 9113 7: the codes that the programs look at or give. */
enum {
    H2_NO_ERROR = 0x0,
    H2_PROTOCOL_ERROR = 0x1,
    H2_INTERNAL_ERROR = 0x2,
    H2_REFUSED_STREAM = 0x7,
    H2_CANCEL = 0x8,
    H2_ENHANCE_YOUR_CALM = 0xb
};

enum h2_role {
    H2_OPENER, /* sends the preface and opens streams: the HTTP/2 client */
    H2_SERVER  /* answers streams */
};

struct h2_options {
    uint32_t max_streams;  /* SERVER: announced and enforced; work that outlives its stream is the
                              owner's  to count and to refuse */
    uint64_t keepalive_ms; /* PING after that long without incoming bytes; 0: never */
    uint64_t ping_timeout_ms;     /* then dead after that long without any byte: 10 s */
    uint64_t settings_timeout_ms; /* dead without the peer's SETTINGS: 10 s */
    uint64_t buffer_limit;        /* the link's budget: 32 MiB */
    struct evictor *evictor;      /* borrowed, outlives the session: the same rules for the whole
                                     process; NULL: none */
    uint64_t stall_ms; /* over 3/4 of either budget, a stream of which no byte was taken for so
                          long is reset, the longest first: 10 s */
    uint64_t reset_burst, reset_rate; /* OPENER: RST_STREAM frames sent; 0: not limited */
};

/* Callbacks run from the loop, never inside a call of this header. @user is the owner. */
struct h2_session_ops {
    void (*on_up)(void *user);    /* the peer's first SETTINGS has arrived: its limits are known */
    void (*on_acked)(void *user); /* our SETTINGS are acknowledged; may be NULL */
    /* SERVER: a request. The owner ties the leg at once or resets it. @m as in leg_events.on_head;
     * `end`: no body. */
    void (*on_stream)(void *user, struct leg *leg, struct message *m, bool end);
    void (*on_goaway)(void *user, struct slice debug); /* the peer will open or take nothing new */
    void (*on_room)(void *user); /* one more may be opened: a stream has closed, or the peer's
                                    limits are others; may be NULL */
    void (*on_idle)(void *user); /* the last open stream has closed; may be NULL */
    /* A budget is short: a stream goes that has stood still for @stalled_ms and held @bytes; may be
     * NULL. */
    void (*on_evicted)(void *user, uint64_t stalled_ms, uint64_t bytes);
    /* Over; every stream had its on_reset before. The owner drops its pointer: the session frees
     * itself. */
    void (*on_closed)(void *user, int err, const char *reason);
};

/* Takes @sock (open, handshake done). SETTINGS and windows are queued at once. */
struct h2_session *h2_session_new(struct loop *l, struct sock *sock, enum h2_role role,
                                  const struct h2_options *o, const struct h2_session_ops *ops,
                                  void *user) MUSTCHECK;

/* OPENER. The leg of a new stream; tied to @events by the caller before it returns to the loop.
 * NULL: the session cannot open any (h2_session_can_open says so before). @m: method … protocol,
 * fields with lower-case names. */
struct leg *h2_stream_open(struct h2_session *s, const struct message *m, bool end,
                           const struct leg_events *events, void *exchange) MUSTCHECK;
/* Up, not draining on either side, and ids left. */
bool h2_session_can_open(const struct h2_session *s);
bool h2_session_ids_low(const struct h2_session *s); /* 2^30 is used: time for a fresh link */
bool h2_session_takes_websockets(
    const struct h2_session *s); /* the peer announced ENABLE_CONNECT_PROTOCOL */
uint32_t h2_session_peer_limit(const struct h2_session *s); /* its MAX_CONCURRENT_STREAMS */
uint32_t
h2_session_open_streams(const struct h2_session *s); /* unfinished, waiting resets included */
uint32_t h2_session_lost_streams(const struct h2_session *s); /* those that its end cut */
uint64_t h2_session_rtt_us(const struct h2_session *s);       /* 0: not measured yet */
uint64_t h2_session_last_rx_us(const struct h2_session *s);

/* PING now; dead if not one byte arrives within @ms. A probe that runs is only ever shortened. */
void h2_session_probe(struct h2_session *s, uint64_t ms);

/* GOAWAY(NO_ERROR) with @debug, a static text; a SERVER sends the shutdown notice before it. Open
 * streams go on; the heads of those that an OPENER has opened leave before it. */
void h2_session_goaway(struct h2_session *s, struct slice debug);
/* GOAWAY with what is queued, then gone: streams get on_reset, the owner no on_closed. */
void h2_session_close(struct h2_session *s, uint32_t h2_code);
struct sock *h2_session_sock(struct h2_session *s);

#endif
