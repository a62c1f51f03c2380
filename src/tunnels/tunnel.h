/* SPDX-License-Identifier: MIT */
/* tunnel.h - one name: its owner, its backends, and the requests that wait for one.
 * protocol.md#held-names, protocol.md#who-may-attach.
 *
 * Invariants: a tunnel is LIVE iff a joined backend takes new streams. Requests wait only while no
 * backend can open a stream of their kind. A tunnel is freed from the loop only (its owner's
 * on_expired, or registry_drop): no function below frees it, so a caller may hold it for the
 * length of a callback. A tunnel knows no other names, and of its owner only `struct tunnel_owner`.
 */
#ifndef SRC_TUNNELS_TUNNEL_H
#define SRC_TUNNELS_TUNNEL_H

#include "h2mux/io/loop.h"
#include "src/http/route.h"
#include "src/names/owner.h"
#include "src/tunnels/backend.h"

enum {
    TUNNEL_OUTDATED_MAX = 16, /* backends of a name that are leaving or replaced, not done yet */
    TUNNEL_WAITERS_MAX = 256, /* requests that wait for one name */
    TUNNEL_TAKEOVERS = 6      /* takeovers whose time is remembered */
};

enum tunnel_state { TUNNEL_PENDING, TUNNEL_LIVE, TUNNEL_GRACED };

/* Returns "pending", "live" or "graced". */
const char *tunnel_state_name(enum tunnel_state s);

/* A request that waits for a backend. Embedded in the exchange. It gets exactly one of the two
 * calls, unless tunnel_unwait comes first; it is unlinked before the call. */
struct waiter {
    struct list_node node; /* linked iff waiting */
    enum stream_kind kind; /* what a stream is wanted for */
    /* @b suits best; where it has no room for this kind the request waits again. */
    void (*on_backend)(struct waiter *w, struct backend *b);
    void (*on_gone)(struct waiter *w); /* the name was dropped */
};

/* What a tunnel is handed by whoever owns it, the same for all tunnels of a worker. */
struct tunnel_owner {
    struct loop *loop;      /* borrowed: outlives the tunnels */
    uint64_t pending_ms;    /* how long a name is held before its first backend */
    uint64_t name_grace_ms; /* how long a name is held after its last one */
    void (*on_change)(void *user, const struct tunnel *t); /* state or end of holding changed */
    void (*on_expired)(void *user, struct tunnel *t); /* the time is over: the owner frees @t */
    bool (*wait_begin)(void *user); /* counts a waiting request; false: too many wait already */
    void (*wait_end)(void *user);   /* one of them waits no longer */
    void *user;
};

struct tunnel {
    char name[NAME_MAX_LEN + 1];
    uint8_t owner_id[OWNER_LEN];
    const struct tunnel_owner *owner; /* borrowed: outlives its tunnels */
    enum tunnel_state state;
    bool asked;         /* the name was asked for; a random one is free when its client says so */
    bool left_for_good; /* the client of the last backend said goodbye, and none came since */
    bool cookie_warned; /* rule R15a was logged */
    uint64_t exchanges; /* since it was made */

    struct list_node backends; /* of backend.in_tunnel */
    size_t n_links;            /* of these, the ones that count towards --max-links */

    struct list_node waiters; /* of waiter.node */
    size_t n_waiters;

    struct {                    /* how long the name is held */
        struct timer timer;     /* PENDING, GRACED: runs out at `until_us` */
        uint64_t until_us;      /* monotonic; 0 while LIVE */
        uint64_t away_since_us; /* monotonic; 0 while LIVE. A name loaded at start counts from it */
    } hold;

    struct {                              /* takeovers by other instances */
        uint64_t at_us[TUNNEL_TAKEOVERS]; /* ring: when the last ones were */
        size_t count;                     /* since it was made */
        uint64_t flapping_until_us;       /* no takeover before; 0: none was refused */
        char ousted[INSTANCE_LEN + 1];    /* the instance that was thrown out last; empty: none */
        uint64_t ousted_us;               /* when that was */
    } takeover;
};

/* Makes a PENDING tunnel. @name has at most NAME_MAX_LEN bytes. @owner is borrowed. */
struct tunnel *tunnel_new(const struct tunnel_owner *owner, struct slice name,
                          const uint8_t owner_id[static OWNER_LEN], bool asked) MUSTCHECK;

/* Frees @t: waiters get on_gone, and backends that are still joined forget it. NULL is fine. */
void tunnel_free(struct tunnel *t);

/* Holds the name of a tunnel that is not LIVE for @for_ms from now on, in state PENDING or GRACED.
 */
void tunnel_hold(struct tunnel *t, enum tunnel_state s, uint64_t for_ms);

/* ---- who may attach */

enum join_verdict { JOIN_OK, JOIN_TOO_MANY, JOIN_FLAPPING };

/* Judges whether a newcomer may take the place @p. @retry_after_s: for JOIN_FLAPPING, when to try
 * again. */
enum join_verdict tunnel_may_join(struct tunnel *t, const struct place *p, size_t max_links,
                                  uint64_t now_us, unsigned *retry_after_s) MUSTCHECK;

/* Returns whether @b was still on its way when another instance took the name from its own, and
 * that other instance is there: then @b must not join. */
bool tunnel_has_ousted(const struct tunnel *t, const struct backend *b);

/* Joins @b, which is up. It replaces the old backend of its slot, or takes over from another
 * instance; then waiting requests go on. */
void tunnel_join(struct tunnel *t, struct backend *b, uint64_t now_us);

/* Takes @b out of @t; nothing happens when it is not in @t. @goodbye: its client said that it
 * leaves for good (GOAWAY), so a random name is free at once. */
void tunnel_leave(struct tunnel *t, struct backend *b, bool goodbye);

/* ---- requests */

/* Returns the backend that suits a stream of @kind best: one with room before a full one, the least
 * busy of equals, the oldest of equally busy. Returns NULL when none takes new streams. */
struct backend *tunnel_pick(const struct tunnel *t, enum stream_kind kind);

/* Looks at the backends again, since one of them can take a stream or ceased to: works out the
 * state and hands backends to waiting requests. */
void tunnel_wake(struct tunnel *t);

/* Lets @w wait. Returns false when it must be answered at once: too many wait already, or the name
 * has been away for more than 30 s. */
bool tunnel_wait(struct tunnel *t, struct waiter *w, uint64_t now_us) MUSTCHECK;

/* Takes @w out of the queue; nothing happens when it does not wait. */
void tunnel_unwait(struct tunnel *t, struct waiter *w);

#endif
