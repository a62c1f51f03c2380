/* SPDX-License-Identifier: MIT */
/* h2.h - runs HTTP/2 sessions and their streams over socks that are given: the mux's public face.
 * RFC 9113, RFC 8441.
 *
 * Either role runs on either side of a dialled connection. Streams are legs (leg.h). Callbacks
 * submit and mark; each session frames and writes once in a turn of its loop. A session knows
 * neither names nor who is behind its sock. */
#ifndef H2MUX_H2_H2_H
#define H2MUX_H2_H2_H

#include "h2mux/http/leg.h"
#include "h2mux/io/sock.h"

struct evictor;
struct h2_session;

/* The codes of RFC 9113 7 that the programs look at or give. */
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
    /* SERVER: how many open streams are announced and enforced. Work that outlives its stream is
     * for the owner to count and to refuse. */
    uint32_t max_streams;
    uint64_t keepalive_ms;        /* after so long without a byte a PING is sent; 0: never */
    uint64_t ping_timeout_ms;     /* then after so long without a byte the peer is dead */
    uint64_t settings_timeout_ms; /* after so long without SETTINGS the peer is dead */
    uint64_t buffer_limit;        /* bytes: the budget of the link */
    struct evictor *evictor;      /* borrowed, outlives the session: the process's budget; NULL */
    uint64_t stall_ms;            /* a reader that takes nothing for so long may be given up */
    uint64_t reset_burst;         /* OPENER: so many RST_STREAM frames are sent at once, */
    uint64_t reset_rate;          /* and then so many a second; 0: not limited */
};

/* What a session tells its owner. The calls come from the loop, never inside a call of this header.
 * @user is the owner. */
struct h2_session_ops {
    /* The peer's first SETTINGS has arrived, so its limits are known. */
    void (*on_up)(void *user);
    /* The peer has acknowledged our SETTINGS. May be NULL. */
    void (*on_acked)(void *user);
    /* SERVER: a request has come. The owner ties the leg at once or resets it. @m is as in
     * leg_events.on_head; @end: the request has no body. */
    void (*on_stream)(void *user, struct leg *leg, struct message *m, bool end);
    /* The peer will open or take nothing new. */
    void (*on_goaway)(void *user, struct slice debug);
    /* One more stream may be opened: a stream has closed, or the peer has changed its limits. May
     * be NULL. */
    void (*on_room)(void *user);
    /* The last open stream has closed. May be NULL. */
    void (*on_idle)(void *user);
    /* A budget is short: a stream is given up that has stood still for @stalled_ms and holds
     * @bytes. May be NULL. */
    void (*on_evicted)(void *user, uint64_t stalled_ms, uint64_t bytes);
    /* The session is over, and every stream has had its on_reset. The owner drops its pointer: the
     * session frees itself. */
    void (*on_closed)(void *user, int err, const char *reason);
};

/* Makes a session on @sock, which is open and through its handshake, and owns it. Queues SETTINGS
 * and windows at once. */
struct h2_session *h2_session_new(struct loop *l, struct sock *sock, enum h2_role role,
                                  const struct h2_options *o, const struct h2_session_ops *ops,
                                  void *user) MUSTCHECK;

/* OPENER: opens a stream for the request @m, which has method to protocol and fields with
 * lower-case names. Returns the stream's leg, tied to @events, or NULL if the session cannot open
 * any (h2_session_can_open says so before). */
struct leg *h2_stream_open(struct h2_session *s, const struct message *m, bool end,
                           const struct leg_events *events, void *exchange) MUSTCHECK;

/* Returns whether the session is up, not draining on either side, and has ids left. */
bool h2_session_can_open(const struct h2_session *s);
/* Returns whether half of the ids (2^30) are used: time for a fresh link. */
bool h2_session_ids_low(const struct h2_session *s);
/* Returns whether the peer has announced ENABLE_CONNECT_PROTOCOL. */
bool h2_session_takes_websockets(const struct h2_session *s);
/* Returns the peer's MAX_CONCURRENT_STREAMS. */
uint32_t h2_session_peer_limit(const struct h2_session *s);
/* Returns how many streams are not closed, those included whose reset waits. */
uint32_t h2_session_open_streams(const struct h2_session *s);
/* Returns how many streams the end of the session has cut. */
uint32_t h2_session_lost_streams(const struct h2_session *s);
/* Returns when bytes came last. */
uint64_t h2_session_last_rx_us(const struct h2_session *s);

/* Sends a PING now, and ends the session if no byte arrives within @ms. A probe that runs can only
 * be shortened. */
void h2_session_probe(struct h2_session *s, uint64_t ms);

/* Sends GOAWAY(NO_ERROR) with @debug, a static text; a SERVER sends the shutdown notice before it.
 * Open streams go on. Requests that an OPENER has opened before leave before the GOAWAY. */
void h2_session_goaway(struct h2_session *s, struct slice debug);

/* Sends GOAWAY with what is queued and ends the session: streams get on_reset, the owner gets no
 * on_closed. */
void h2_session_close(struct h2_session *s, uint32_t h2_code);

struct sock *h2_session_sock(struct h2_session *s);

#endif
