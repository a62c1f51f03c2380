/* SPDX-License-Identifier: MIT */
/* tunnel.h - one name: its owner, its links, and the requests that wait for one.
 * protocol.md#who-may-attach; http-rules.md#failures
 *
 * Invariants: LIVE iff a link that takes new streams is joined; waiters only while none can open
 * one. It is freed by the registry from the loop only (expiry, registry_drop): no function below
 * frees it. */
#ifndef SRC_TUNNELS_TUNNEL_H
#define SRC_TUNNELS_TUNNEL_H

#include "src/tunnels/registry.h"

struct link;
enum { INSTANCE_LEN = 32 };

enum tunnel_state { TUNNEL_PENDING, TUNNEL_LIVE, TUNNEL_GRACED };
const char *tunnel_state_name(enum tunnel_state s);

/* A request that waits until a link is there or until it is told that none comes. Embedded in the
 * exchange. */
struct waiter {
    struct list_node node; /* linked iff waiting */
    bool websocket;        /* what it needs a stream for */
    /* @l is the best there is for it, which may be none for its kind: then it waits again.
     * Unlinked before the call. */
    void (*on_link)(struct waiter *w, struct link *l);
    void (*on_gone)(struct waiter *w); /* the name was dropped; unlinked before the call */
};

struct tunnel {
    char name[NAME_MAX_LEN + 1];
    uint8_t owner[OWNER_LEN];
    enum tunnel_state state;
    bool asked; /* the name was asked for: it has a grace. A random one is free when its client
                 *says* goodbye; when the link is only lost it has a grace too */
    struct registry *registry; /* borrowed: outlives its tunnels */
    struct list_node links;    /* of struct link, joined */
    size_t n_links;            /* that count towards the limit: not draining, not replaced */
    struct list_node waiters;
    size_t n_waiters;
    uint64_t away_since_us;   /* monotonic: since when no link is up; 0 while LIVE. A name loaded at
                                 start counts from the start */
    struct timer expiry;      /* PENDING, GRACED: the end of holding */
    uint64_t held_until_us;   /* when that is, monotonic; 0 while LIVE */
    bool left_for_good;       /* the last link's client said goodbye, and none came since */
    uint64_t takeovers_us[6]; /* ring: when the last takeovers were */
    size_t n_takeovers;
    uint64_t flapping_until_us;
    char ousted[INSTANCE_LEN + 1]; /* the instance that was thrown out last; empty: none */
    uint64_t ousted_us;            /* when */
    bool cookie_warned;            /* rule R15a was logged */
    uint64_t exchanges;            /* since it was made */
};

/* For registry.c. */
struct tunnel *tunnel_new(struct registry *r, struct loop *l, struct slice name,
                          const uint8_t owner[static OWNER_LEN], bool asked) MUSTCHECK;
void tunnel_free(struct tunnel *t); /* waiters get on_gone; links that are still joined forget it */
/* Not LIVE: holds the name for @for_ms from now on, in state PENDING or GRACED. */
void tunnel_hold(struct tunnel *t, enum tunnel_state s, uint64_t for_ms);

/* Where a link wants to be in its tunnel. */
struct place {
    struct slice instance; /* 32 hex digits, or empty: each such link is an instance of its own */
    unsigned slot;         /* Oneport-Link */
    bool pool; /* Oneport-Pool: ?1: shares the name with other instances that say so too */
};

/* Who may attach: protocol.md#who-may-attach */
enum join_verdict { JOIN_OK, JOIN_TOO_MANY, JOIN_FLAPPING };
enum join_verdict tunnel_may_join(struct tunnel *t, const struct place *p, size_t max_links,
                                  uint64_t now_us, unsigned *retry_after_s) MUSTCHECK;
/* @l was on its way when another instance threw its own out, and that other is here: its client
 * has been told to leave, so @l must not throw out anybody. */
bool tunnel_has_ousted(const struct tunnel *t, const struct link *l);
/* The link is up: it joins, replaces its slot's old link, or takes over from another instance
 * (link_replace, link_take_over of link.h); then waiters go on. */
void tunnel_join(struct tunnel *t, struct link *l, uint64_t now_us);
/* A link left (idempotent). @goodbye: its client said that it leaves for good (GOAWAY), so a random
 * name is free at once. */
void tunnel_leave(struct tunnel *t, struct link *l, bool goodbye);

/* The link for a request of that kind: the least busy of those that have room for one, else the
 * least busy of those that are up; NULL: none is. Looks at the links of this name, a handful. */
struct link *tunnel_pick(const struct tunnel *t, bool websocket);
/* A link can take a stream again or ceased to: waiters are looked at. */
void tunnel_wake(struct tunnel *t);
enum { TUNNEL_OUTDATED_MAX = 16 }; /* links that are draining or replaced, and not done yet */
enum { TUNNEL_WAITERS_MAX = 256, WAITERS_MAX = 4096 };
/* false: too many wait already (256 per name, 4,096 in all), or the name has been away longer than
 * 30 s: answer at once. */
bool tunnel_wait(struct tunnel *t, struct waiter *w, uint64_t now_us) MUSTCHECK;
void tunnel_unwait(struct tunnel *t, struct waiter *w); /* idempotent */

#endif
