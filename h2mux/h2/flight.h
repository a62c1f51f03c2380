/* SPDX-License-Identifier: MIT */
/* flight.h - bounds the bytes that are under way to a peer on a long line. The functions only
 * calculate; the caller passes the time and what the kernel knows. docs/flow-control.md#flight
 *
 * TCP fills the line, and then the queue before it until packets are dropped. Bytes in that queue
 * do nothing for the download that has sent them, and everything on the link waits behind them. So
 * as soon as the round trip shows a queue, a bound keeps what is under way to what the line carries
 * in its shortest round trip and a little more. By Little's law that is a part of what is under
 * way: the shortest round trip divided by the present one.
 *
 * A queue of others is no reason to hold back. If the round trip stays long although the bound
 * holds, the bound is lifted for FLIGHT_REST_US. */
#ifndef H2MUX_H2_FLIGHT_H
#define H2MUX_H2_FLIGHT_H

#include <stdbool.h>
#include <stdint.h>

enum {
    FLIGHT_NEAR_US = 2000,    /* up to this shortest round trip there is no bound */
    FLIGHT_QUEUE_PARTS = 8,   /* the queue may last for this part of the shortest round trip, */
    FLIGHT_QUEUE_US = 10000,  /* at least for as long as a program waits for a processor, */
    FLIGHT_FRAME = 16384,     /* and for one frame */
    FLIGHT_BURST = 65536,     /* bytes that may go at once, or those of FLIGHT_QUEUE_US */
    FLIGHT_LEAST = 32768,     /* bytes; no bound is less */
    FLIGHT_RATE_PARTS = 4,    /* the rate is that of such a part of a round trip */
    FLIGHT_LOOK_PARTS = 16,   /* without a bound, a look comes after this part of a round trip */
    FLIGHT_VAIN_MAX = 4,      /* round trips after which a bound that is in vain is lifted */
    FLIGHT_REST_US = 10000000 /* for this time; and a bound that was not needed so long is over */
};

/* What the kernel knows: see sock_flight in sock.h. */
struct flight_facts {
    uint64_t bytes, acked, rtt_us, least_us;
};

struct flight {
    uint64_t most;     /* the bound (bytes); 0: none */
    uint64_t next_us;  /* when to look again */
    uint64_t rest_us;  /* until then there is no bound */
    uint64_t used_us;  /* when something waited for the bound last */
    uint64_t drain_us; /* the time in which FLIGHT_FRAME bytes are acknowledged, about */
    struct {
        uint64_t since_us, acked; /* the beginning of the present sample */
        uint64_t most;            /* the largest of the last samples (bytes a second) */
    } rate;
    struct {
        uint64_t us, total; /* when room was asked for last, and all bytes until then */
        uint64_t left;      /* bytes that may go at once */
    } burst;
    unsigned vain; /* round trips in a row that were long although the bound held */
    bool full;     /* the bound is what leaves no room, not a burst */
    bool waited;   /* something has waited for it since the last look */
};

/* Returns whether it is time to look at the facts, or a bound makes them necessary. */
bool flight_asks(const struct flight *f, uint64_t now_us);

/* Takes the facts @k at @now_us. Returns how many bytes more may be under way, in whole frames;
 * UINT64_MAX: no bound. */
uint64_t flight_room(struct flight *f, const struct flight_facts *k, uint64_t now_us);

/* Takes over that bulk waits for the bound at @now_us. Returns the time (microseconds) after which
 * there may be room. */
uint64_t flight_wait(struct flight *f, uint64_t now_us);

#endif
