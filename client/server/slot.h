/* SPDX-License-Identifier: MIT */
/* slot.h - one of the client's places at its tunnel (Oneport-Link): has the link of that place and
 * the links that drain behind it, and says when to try again. protocol.md#who-may-attach
 *
 * A link that the server lets go is set aside: it finishes beside its successor, which attaches
 * first (make before break). Knows nothing of other slots, of names, or of what a refusal means. */

/* draw: a slot
 *
 *   RESTING ──slot_want──▶ WANTING ──slot_attach──▶ ATTACHING ──acked──▶ UP
 *    ▲   │                  │   ▲                        │                │
 *    │   └─slot_pause─▶ PAUSING─┘                        │ refused,       │ lost,
 *    └──────────────────────┴────────────────────────────┴ failed ────────┴ GOAWAY
 *
 *   any ──slot_leave──▶ LEAVING ──slot_close──▶ RESTING */
#ifndef CLIENT_SERVER_SLOT_H
#define CLIENT_SERVER_SLOT_H

#include "client/server/link.h"
#include "client/server/retry.h"

struct slot;

/* All come from the loop. Before on_refused, on_lost and on_goaway the slot has come to rest: its
 * owner says how it goes on. While the slot is LEAVING only on_quiet is told. */
struct slot_ops {
    /* The slot wants a link: the owner calls slot_attach, now or later, or slot_rest. */
    void (*on_want)(void *user, struct slot *s);
    /* The slot ATTACHES still; what is asked of the server from now on meets its link. */
    void (*on_let_in)(void *user, struct slot *s);
    void (*on_up)(void *user, struct slot *s);
    void (*on_refused)(void *user, struct slot *s, const struct refusal *r);
    void (*on_lost)(void *user, struct slot *s, const char *step, int err, const char *reason);
    /* @brief: the link was not up, or so briefly that wanting at once could be a busy loop. */
    void (*on_goaway)(void *user, struct slot *s, enum link_farewell why, bool brief);
    /* LEAVING: a link has become idle, or is gone. */
    void (*on_quiet)(void *user);
};

enum slot_state { SLOT_RESTING, SLOT_WANTING, SLOT_ATTACHING, SLOT_UP, SLOT_PAUSING, SLOT_LEAVING };

enum { SLOT_OLD_MAX = 8 };

/* Embedded in the tunnel. */
struct slot {
    struct link_options o;      /* o.h2.learned is of the slot's last link */
    const struct slot_ops *ops; /* static */
    void *user;                 /* borrowed: closes the slot before it dies */
    enum slot_state state;
    struct link *link; /* owned until it tells its end; NULL while nothing is attached */
    struct link *old[SLOT_OLD_MAX]; /* owned likewise: links that drain; NULL: a free place */
    struct retry retry;             /* armed iff PAUSING */
    unsigned ticket_no;             /* the owner's: which ticket the link attached with */
};

void slot_init(struct slot *s, const struct link_options *o, const struct slot_ops *ops,
               void *user);
/* Closes all links at once; no callback follows. */
void slot_close(struct slot *s);

/* RESTING: makes the slot want a link. Does nothing in other states. */
void slot_want(struct slot *s);
/* WANTING: lets the slot rest. */
void slot_rest(struct slot *s);
/* WANTING: dials, with @public_only a public address alone. @attach and @ticket are borrowed for
 * the call. */
void slot_attach(struct slot *s, const struct url *attach, bool public_only, const char *ticket);
/* RESTING: makes the slot want again after its backoff, or after @at_least_ms if that is longer.
 * Returns the delay in ms. */
uint64_t slot_pause(struct slot *s, uint64_t at_least_ms);
/* Sends a PING on every link at once, since the machine has slept. */
void slot_wake(struct slot *s);
/* Says goodbye on every link: nothing new comes, what runs goes on. Idempotent. */
void slot_leave(struct slot *s);

/* Returns the milliseconds until the slot wants again, if it is PAUSING; otherwise 0. */
uint64_t slot_pause_left_ms(const struct slot *s);
/* Returns the shortest round trip of the slot's link in microseconds, 0 if none is known. */
uint64_t slot_round_trip_us(const struct slot *s);

/* Returns whether new requests come on the slot's link. */
bool slot_is_up(const struct slot *s);
/* Returns whether no stream is open, on links that drain either. */
bool slot_is_idle(const struct slot *s);

#endif
