/* SPDX-License-Identifier: MIT */
/* slot.h - one of this client's places at its tunnel (Oneport-Link): the link that has it, the ones
 * that drain behind that, and when to try again. protocol.md#who-may-attach
 *
 * A link that the server lets go is set aside: it finishes beside its successor, which is attached
 * first (make before break). Does not know: other slots, names, what a refusal is worth. */

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

/* All from the loop. Before on_refused, on_lost and on_goaway the slot has come to rest: the owner
 * says how it goes on. While it is LEAVING only on_quiet is told. */
struct slot_ops {
    void (*on_want)(void *user, struct slot *s); /* for slot_attach, now or later; or slot_rest */
    void (*on_up)(void *user, struct slot *s);
    void (*on_refused)(void *user, struct slot *s, const struct refusal *r);
    void (*on_lost)(void *user, struct slot *s, const char *step, int err, const char *reason);
    /* @brief: it was up so briefly, or not at all, that to want again at once could be a busy loop
     */
    void (*on_goaway)(void *user, struct slot *s, enum link_farewell why, bool brief);
    void (*on_quiet)(void *user); /* LEAVING: a link is idle now, or gone */
};

enum slot_state { SLOT_RESTING, SLOT_WANTING, SLOT_ATTACHING, SLOT_UP, SLOT_PAUSING, SLOT_LEAVING };

enum { SLOT_OLD_MAX = 8 };

struct slot { /* embedded in the tunnel */
    struct link_options o;
    const struct slot_ops *ops; /* static */
    void *user;                 /* borrowed: closes the slot before it dies */
    enum slot_state state;
    struct link *link;              /* owned until it tells its end; NULL: RESTING to PAUSING */
    struct link *old[SLOT_OLD_MAX]; /* owned likewise: draining; NULL: a free place */
    struct retry retry;             /* armed iff PAUSING */
    unsigned ticket_no;             /* for the owner: which ticket it attached with */
};

void slot_init(struct slot *s, const struct link_options *o, const struct slot_ops *ops,
               void *user);
/* Its links are closed at once; no callback follows. */
void slot_close(struct slot *s);

void slot_want(struct slot *s); /* RESTING: it shall have a link. Nothing in other states */
void slot_rest(struct slot *s); /* WANTING: not now */
/* WANTING: dials. @attach and @ticket are borrowed for the call. */
void slot_attach(struct slot *s, const struct url *attach, const char *ticket);
/* RESTING: it wants again after its backoff, whose length is returned, or later. */
uint64_t slot_pause(struct slot *s, uint64_t at_least_ms);
/* GOAWAY on every link: nothing new, what runs goes on. Idempotent. */
void slot_leave(struct slot *s);

bool slot_is_up(const struct slot *s);   /* new requests come on it */
bool slot_is_idle(const struct slot *s); /* no stream is open, on links that drain either */

#endif
