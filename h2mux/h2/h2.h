/* SPDX-License-Identifier: MIT */
/* h2.h - runs HTTP/2 sessions and their streams over connected socks. This header is the public
 * interface of h2mux/h2. RFC 9113, RFC 8441.
 *
 * Either end of a connection may have either role, whichever end has dialled. Each stream is a leg
 * (leg.h). Calls only queue frames; a session writes its frames once in a turn of its loop. A
 * session knows neither the name that its link serves nor the program at the other end. */
#ifndef H2MUX_H2_H2_H
#define H2MUX_H2_H2_H

#include "h2mux/h2/line.h"
#include "h2mux/http/leg.h"
#include "h2mux/io/sock.h"

struct evictor;
struct h2_session;

/* These are the error codes of RFC 9113 7 that the programs send or look at. */
enum {
    H2_NO_ERROR = 0x0,
    H2_PROTOCOL_ERROR = 0x1,
    H2_INTERNAL_ERROR = 0x2,
    H2_REFUSED_STREAM = 0x7,
    H2_CANCEL = 0x8,
    H2_ENHANCE_YOUR_CALM = 0xb,
    H2_HTTP_1_1_REQUIRED = 0xd
};

enum h2_role {
    H2_OPENER, /* sends the preface and opens streams: the HTTP/2 client */
    H2_SERVER  /* answers streams */
};

struct h2_options {
    /* SERVER: the limit of open streams that is announced (MAX_CONCURRENT_STREAMS) and enforced.
     * The owner itself limits work that goes on after its stream has closed. */
    uint32_t max_streams;
    /* SERVER: the peer is one of many that nobody knows, as a browser is. It is not told of
     * extended CONNECT (RFC 8441), its resets and those that it provokes are nuisance, its nuisance
     * is limited as a single person's, and it is not counted among the links that share the budget.
     */
    bool stranger;
    /* SERVER: the field by which a request says with which earlier ones it belongs together: its
     * value is that of h2_leg_party at the other end. Borrowed; empty: none. Not with `stranger`.
     */
    struct slice party_field;
    /* OPENER: the peer is a service that ends sessions for PINGs that it has not asked for, and
     * sends many of its own (facts G36, G37). No PING is sent to measure the round trip, for which
     * the time until its SETTINGS counts, and much more of its nuisance is borne. */
    bool service;
    uint64_t keepalive_ms;        /* silence before a PING is sent; 0: never */
    uint64_t ping_timeout_ms;     /* silence after a PING that ends the session */
    uint64_t settings_timeout_ms; /* time for the peer's first SETTINGS */
    uint64_t buffer_limit;        /* the budget of the link, in bytes */
    struct evictor *evictor;      /* borrowed; has the process's budget; NULL: none */
    /* The bytes a second that the line is expected to carry; 0: nothing is expected, so every body
     * begins with a window of 64 KiB. */
    uint64_t line_rate;
    /* What earlier links of this place have learned of the line, in the direction of the bodies
     * that come here. It counts instead of line_rate as long as it is known. */
    struct line_rate learned;
    /* An estimate of the round trip (microseconds) until a PING is answered, too large rather than
     * too small; 0: none. An OPENER measures the time until the peer's SETTINGS by itself. */
    uint64_t rtt_us;
    const char
        *congestion;      /* borrowed: congestion_choose has returned it; NULL: the system's own */
    uint64_t stall_ms;    /* a reader that takes nothing for this time may be given up */
    uint64_t tail_ms;     /* a tail that rests for this time is given up: h2_leg_count_tail */
    uint64_t reset_burst; /* OPENER: RST_STREAM frames that are sent at once */
    uint64_t reset_rate;  /* OPENER: further RST_STREAM frames a second; 0: not limited */
};

/* A session calls these functions of its owner. The calls come from the loop, never inside a call
 * of this header. @user is the owner. */
struct h2_session_ops {
    /* Tells that the peer's first SETTINGS frame has arrived, so that the peer's limits are
     * known. */
    void (*on_up)(void *user);
    /* Tells that the peer has acknowledged our SETTINGS. May be NULL. */
    void (*on_acked)(void *user);
    /* SERVER: hands a new request to the owner, who at once ties @leg to an exchange or resets
     * @leg. @m is the request's head, as in leg_events.on_head; @end: the request has no body. */
    void (*on_stream)(void *user, struct leg *leg, struct message *m, bool end);
    /* SERVER: tells that the request @m was reset because its head is malformed (rule D1). @reason
     * is a static text. NULL: the session logs it. */
    void (*on_malformed)(void *user, const struct message *m, const char *reason);
    /* Tells that the peer has sent GOAWAY with @debug: the peer opens and takes no new streams. */
    void (*on_goaway)(void *user, struct slice debug);
    /* Tells that one more stream may be opened: a stream has closed, or the peer has changed its
     * limits. May be NULL. */
    void (*on_room)(void *user);
    /* Tells that the last open stream has closed. May be NULL. */
    void (*on_idle)(void *user);
    /* Tells that a stream is given up because a budget is short. The stream holds @bytes, and its
     * reader has taken nothing for @stalled_ms. May be NULL. */
    void (*on_evicted)(void *user, uint64_t stalled_ms, uint64_t bytes);
    /* Tells that the line has taught something, for h2_options.learned of the next link. Comes from
     * inside nghttp2: the owner takes a copy and calls nothing of this header. May be NULL. */
    void (*on_learned)(void *user, const struct line_rate *learned);
    /* Tells that the session is over, with @reason in words. Every open stream has had its
     * on_reset. The owner drops its pointer, because the session frees itself. */
    void (*on_closed)(void *user, int err, const char *reason);
};

/* Makes a session that owns @sock, which is open and whose TLS handshake is complete. Queues our
 * SETTINGS and the WINDOW_UPDATE of the connection at once. */
struct h2_session *h2_session_new(struct loop *l, struct sock *sock, enum h2_role role,
                                  const struct h2_options *o, const struct h2_session_ops *ops,
                                  void *user) MUSTCHECK;

/* OPENER: opens a stream for the request @m, whose field names are in lower case; @end: the request
 * has no body. Returns the stream's leg, tied to @events and @exchange, or NULL if the session
 * cannot open a stream (h2_session_can_open). */
struct leg *h2_stream_open(struct h2_session *s, const struct message *m, bool end,
                           const struct leg_events *events, void *exchange) MUSTCHECK;

/* Returns whether a stream can be opened: the session is up, neither side has sent GOAWAY, and
 * stream ids are left. */
bool h2_session_can_open(const struct h2_session *s);
/* Returns whether half of the stream ids (2^30) are used, so that a fresh link is needed. */
bool h2_session_ids_low(const struct h2_session *s);
/* Returns whether the peer has announced ENABLE_CONNECT_PROTOCOL, so that WebSockets can be
 * opened. */
bool h2_session_takes_websockets(const struct h2_session *s);
/* Returns the peer's MAX_CONCURRENT_STREAMS. */
uint32_t h2_session_peer_limit(const struct h2_session *s);
/* Returns how many streams are open. A stream whose RST_STREAM waits to be sent counts, too. */
uint32_t h2_session_open_streams(const struct h2_session *s);
/* Returns the shortest round trip (microseconds) that was measured, by PINGs or at the start; 0 if
 * none was. */
uint64_t h2_session_round_trip_us(const struct h2_session *s);
/* Returns how many streams were open when the session ended. */
uint32_t h2_session_lost_streams(const struct h2_session *s);
/* Returns the time (microseconds) at which bytes arrived last. */
uint64_t h2_session_last_rx_us(const struct h2_session *s);

/* Sends a PING, and ends the session with ERR_TIMEOUT if no byte arrives within @ms milliseconds.
 * Does nothing if an earlier PING has a deadline that comes before. */
void h2_session_probe(struct h2_session *s, uint64_t ms);

/* Sends GOAWAY(NO_ERROR) with @debug, a static text; a SERVER sends the shutdown notice first, and
 * the GOAWAY a round trip later, so that what was on its way is served (RFC 9113 6.8). Open streams
 * go on. Requests that an OPENER has opened are sent before the GOAWAY. */
void h2_session_goaway(struct h2_session *s, struct slice debug);

/* Sends the queued frames and GOAWAY(@h2_code), and ends the session. Open streams get on_reset;
 * the owner gets no on_closed. */
void h2_session_close(struct h2_session *s, uint32_t h2_code);

/* SERVER: tells the peer that the connection is for the name that it has asked for by SNI, and for
 * no other name of the certificate: an empty frame of RFC 8336 (2.3). */
void h2_session_confine(struct h2_session *s);

struct sock *h2_session_sock(struct h2_session *s);

/* Returns whether the head of a stranger's request was larger than the limits (64 KiB, 128 fields),
 * so that fields are missing: it must be refused. */
bool h2_leg_is_cut(struct leg *leg);

/* Returns whether the peer's direction of the stream of @leg has ended, so that its whole message
 * was handed up. */
bool h2_leg_is_whole(struct leg *leg);

/* OPENER: says that the streams of @leg and of @beside, which is open on the same session, are
 * those of one viewer, as are all that were said to be. They share the session with other viewers'
 * streams as if they were one: in the order of sending, and in the size of windows. Does nothing if
 * @beside is NULL. */
void h2_leg_join(struct leg *leg, struct leg *beside);
/* OPENER: returns a number for the viewer of @leg that no other viewer of the session has. */
uint32_t h2_leg_party(struct leg *leg);

/* Counts what the stream of @leg has queued in the budget of the process until it has left, because
 * the exchange that has counted it is over (sock_count_tail does the same for a sock). The stream
 * is reset when its peer takes nothing for stall_ms while memory is short, or for tail_ms in any
 * case. */
void h2_leg_count_tail(struct leg *leg);

#endif
