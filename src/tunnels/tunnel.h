/* SPDX-License-Identifier: MIT */
/* tunnel.h - holds one name for its owner, with the backends that serve the name and the requests
 * that wait for a backend. A tunnel is PENDING before its first backend, LIVE while a backend takes
 * new streams, and GRACED after its last backend has left. protocol.md#held-names,
 * protocol.md#who-may-attach
 *
 * Invariants:
 * - A tunnel is LIVE iff a joined backend takes new streams.
 * - A request waits only while no backend can open a stream of its kind for its viewer.
 * - The hold timer runs iff the tunnel is not LIVE.
 * - Only the owner frees a tunnel, from the loop (on_expired). So a caller may use a tunnel for the
 *   length of a callback, and has to find it by name again after that.
 *
 * When a backend changes, the first two invariants hold again after its call of tunnel_wake or
 * tunnel_leave. A tunnel knows no other names and no types of backends, and of its owner only
 * `struct tunnel_owner`. */
#ifndef SRC_TUNNELS_TUNNEL_H
#define SRC_TUNNELS_TUNNEL_H

#include "h2mux/io/loop.h"
#include "src/http/route.h"
#include "src/names/held_name.h"
#include "src/names/owner.h"
#include "src/names/token.h"
#include "src/policies/guard.h"
#include "src/tunnels/backend.h"
#include "src/tunnels/keep.h"
#include "src/tunnels/lines.h"
#include "src/tunnels/queue.h"

enum {
    TUNNEL_OUTDATED_MAX = 16, /* backends that get no new streams; the oldest of more is closed */
    TUNNEL_TAKEOVERS = 6      /* takeovers whose time is remembered */
};

enum tunnel_state { TUNNEL_PENDING, TUNNEL_LIVE, TUNNEL_GRACED };

/* Returns "pending", "live" or "graced". */
const char *tunnel_state_name(enum tunnel_state s);

/* Holds the settings and callbacks that an owner gives to all its tunnels. */
struct tunnel_owner {
    struct worker *worker;  /* borrowed: outlives the tunnels */
    struct loop *loop;      /* borrowed from the worker */
    uint64_t pending_ms;    /* how long a name is held before its first backend */
    uint64_t name_grace_ms; /* how long a name is held after its last backend */

    /* Tells that the state of @t, or the time until which its name is held, has changed. */
    void (*on_change)(void *user, struct tunnel *t);

    /* Tells that the name is held no longer. The owner frees @t. */
    void (*on_expired)(void *user, struct tunnel *t);

    void *user;
};

struct tunnel {
    char name[NAME_MAX_LEN + 1];
    uint8_t owner_id[OWNER_LEN];
    const struct tunnel_owner *owner; /* borrowed: outlives its tunnels */
    enum tunnel_state state;
    bool asked; /* the name was asked for; false: it is random */

    /* The client of the last backend has said goodbye, and no backend has come since. */
    bool left_for_good;

    struct keep keep; /* whether the owner keeps the ticket */

    int64_t rev;                  /* of the newest ticket (ticket.h), as far as is known */
    char token[TOKEN_ID_MAX + 1]; /* the ID of the token that has claimed it; empty: none */
    char *domain;                 /* owned: of its own; NULL: none */
    struct old_claim old;         /* whether an old client may serve the name */
    struct guard *guard;          /* held: says who may look; NULL: everybody */
    struct timer policy_look;     /* of policing; zeroed: none */
    size_t policy_bytes;          /* likewise: what the budget counts for `guard` */

    bool policies_changed; /* what viewers have open is not judged by them yet (policing.h) */

    struct lines lines; /* what the lines of its links carry */

    bool cookie_warned; /* rule R15a was logged */
    uint64_t exchanges; /* requests since the tunnel was made */

    /* Bytes of bodies from and to viewers, of requests that are over. */
    uint64_t rx_octets, tx_octets;

    struct list_node backends; /* of backend.in_tunnel */
    size_t n_links;            /* backends that count towards --max-links */

    /* The name was LIVE since this server or the one before it has held it. A name that never was
     * has no viewers who could miss it, and its requests do not wait. */
    bool was_live;

    /* Monotonic: a client that attaches is up by then, or its link has ended. Until then requests
     * wait (rule O83). 0: no client has come. */
    uint64_t expected_until_us;

    struct queue queue; /* of requests that wait */

    struct seat seat;  /* its place in server->names */
    struct who holder; /* for whom that is counted */

    struct {                /* how long the name is held */
        struct timer timer; /* PENDING, GRACED: runs out at `until_us` */
        uint64_t until_us;  /* monotonic; 0 while LIVE */

        /* Monotonic: when the tunnel ceased to be LIVE, or was made. 0 while LIVE. */
        uint64_t away_since_us;
    } hold;

    struct {                              /* takeovers by other instances */
        uint64_t at_us[TUNNEL_TAKEOVERS]; /* ring: when the last ones were */
        size_t count;                     /* since the tunnel was made */
        uint64_t flapping_until_us;       /* takeovers are refused until then */
        char ousted[INSTANCE_LEN + 1];    /* the instance that lost the name last; empty: none */
        uint64_t ousted_us;               /* when that was */
    } takeover;
};

/* Makes a PENDING tunnel, whose hold timer runs. @name has at most NAME_MAX_LEN bytes. @asked says
 * that the client asked for the name. @owner is borrowed. */
struct tunnel *tunnel_new(const struct tunnel_owner *owner, struct slice name,
                          const uint8_t owner_id[static OWNER_LEN], bool asked) MUSTCHECK;

/* Frees @t. Waiting requests get on_gone, and backends that are still joined lose their pointer to
 * @t. NULL is fine. */
void tunnel_free(struct tunnel *t);

/* Enters the state @s, which is PENDING or GRACED, and holds the name for @for_ms milliseconds from
 * now on. The owner gets on_expired when that time is over. */
void tunnel_hold(struct tunnel *t, enum tunnel_state s, uint64_t for_ms);

/* Notes of a name of the names file, which is held already, that it was LIVE until @away_us ago. */
void tunnel_was_live(struct tunnel *t, uint64_t away_us);

/* Notes that a client has got its 101, and has @for_ms milliseconds to come up. */
void tunnel_expect(struct tunnel *t, uint64_t for_ms);

/* ---- who may attach */

enum join_verdict { JOIN_OK, JOIN_TOO_MANY, JOIN_FLAPPING };

/* Judges whether a newcomer may take the place @p. Returns JOIN_OK; JOIN_TOO_MANY when the name has
 * @max_links links already; or JOIN_FLAPPING when clients keep taking the name from each other. For
 * JOIN_FLAPPING, @retry_after_s gets the seconds after which the client may try again. */
enum join_verdict tunnel_may_join(struct tunnel *t, const struct place *p, size_t max_links,
                                  uint64_t now_us, unsigned *retry_after_s) MUSTCHECK;

/* Returns whether @b must not join: another instance took the name from the instance of @b while @b
 * was still attaching, and that other instance serves the name now. */
bool tunnel_has_ousted(const struct tunnel *t, const struct backend *b);

/* Joins @b, which is attached, to @t. @b replaces the old backend of its slot, or takes the name
 * over from another instance. Then the waiting requests get backends. */
void tunnel_join(struct tunnel *t, struct backend *b, uint64_t now_us);

/* Takes @b out of @t. Does nothing when @b is not in @t. @goodbye says that the client leaves for
 * good (it sent GOAWAY): a random name without other backends, whose ticket its owner does not
 * keep, is then freed from the loop. */
void tunnel_leave(struct tunnel *t, struct backend *b, bool goodbye);

/* ---- requests */

/* Returns the backend that suits a stream of @kind best: the fittest; of equally fit backends the
 * least busy; of equally busy backends the oldest. Returns NULL when no backend takes new
 * streams. */
struct backend *tunnel_pick(const struct tunnel *t, enum stream_kind kind);

/* Works out the state from the backends and gives backends to waiting requests. A backend calls
 * this when it has room again or has ceased to take streams. */
void tunnel_wake(struct tunnel *t);

/* Puts @w, for which no backend has room, into the queue. Returns false when there is no place for
 * it (queue.h); or, unless a client is attaching, when the name has been without a backend for more
 * than 30 s, or when it was never LIVE. */
bool tunnel_wait(struct tunnel *t, struct waiter *w, uint64_t now_us) MUSTCHECK;

/* Takes @w out of the queue. Does nothing when @w is not in it. */
void tunnel_unwait(struct tunnel *t, struct waiter *w);

#endif
