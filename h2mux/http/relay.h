/* SPDX-License-Identifier: MIT */
/* relay.h - ties two legs: what comes from one goes to the other.
 *
 * The near leg is the one that a request comes by, the far leg the one that answers it. The relay
 * passes bodies, trailers, places for bytes, credit and the count of what a peer has taken, each
 * way, whatever wires the legs are. It counts body bytes, knows which side has said its last, and
 * when something last moved. It decides nothing: its owner judges every head, and may refuse, keep
 * back or end what comes, by relay_ops. It is embedded in its owner, which finds itself by
 * CONTAINER_OF.
 *
 * A side that stands still stops the other after one window, since credit goes to a leg only for
 * what has left by the other one.
 *
 * A leg that has said its last, and from which all that it was given has left, tells nothing more
 * and may be gone soon: the relay lets go of it by itself. */

/* draw: a relay
 *
 *               ┌───────────────────── relay ──────────────────────┐
 *   near leg ───┤ body, trailers, place ─────────────────────────▶ ├──▶ far leg
 *            ◀──┤ ◀─────────────────── head, body, trailers, place ├───
 *               └──────────┬────────────────────────────┬──────────┘
 *                          ▼                            ▼
 *               relay_ops: the owner judges    relay_observer: sees what passes */
#ifndef H2MUX_HTTP_RELAY_H
#define H2MUX_HTTP_RELAY_H

#include "h2mux/http/leg.h"

struct loop;
struct relay;

/* Which side something comes from, or is about. */
enum relay_side { RELAY_NEAR, RELAY_FAR };

/* What the owner is told. An op may end the relay by relay_close; nothing follows then. */
struct relay_ops {
    /* A head came from the far leg. The owner passes it on by relay_head, or does not. */
    void (*on_head)(struct relay *r, struct message *m, bool end);

    /* Body bytes came. Returns true when they are to be passed on. false: the owner has kept them
     * for relay_body, has dropped them, or has ended the relay. NULL: all are passed on. */
    bool (*on_body)(struct relay *r, enum relay_side from, struct slice data, bool end);

    /* Trailers came. Returns as on_body does; they are kept for relay_trailers. */
    bool (*on_trailers)(struct relay *r, enum relay_side from, struct fields *t);

    /* The last of what @from has to say was passed on. Not called for the end that comes with a
     * head, which the owner passes on by itself. */
    void (*on_end)(struct relay *r, enum relay_side from);

    /* Body bytes that came from @from have left by the other leg. May be NULL. */
    void (*on_left)(struct relay *r, enum relay_side from);

    /* The leg of @side ended before its time; the relay has let go of it. */
    void (*on_reset)(struct relay *r, enum relay_side side, const struct leg_fault *why);
};

/* Sees what a relay passes on, in the order in which it is passed on: of each side its heads
 * (interim ones of a response too), body bytes, trailers, and its end. Everything is borrowed for
 * the call. An observer changes nothing and must not call the relay or its legs; what it needs
 * later it copies. An inspector shows requests by it, a recorder writes them down.
 *
 * A request that is sent a second time shows its head a second time. What the owner refuses or
 * keeps is shown when it is passed on, if ever. Each function may be NULL. */
struct relay_observer {
    void (*on_head)(void *user, enum relay_side from, const struct message *m);
    void (*on_body)(void *user, enum relay_side from, struct slice data);
    void (*on_trailers)(void *user, enum relay_side from, const struct fields *t);
    void (*on_end)(void *user, enum relay_side from);

    /* The leg of @side was reset, by its peer or by us. */
    void (*on_reset)(void *user, enum relay_side side, const struct leg_fault *why);

    /* The last call: the relay is closed. Its counts are final. */
    void (*on_close)(void *user, const struct relay *r);
};

/* One leg, and what comes from it. */
struct relay_end {
    struct leg *leg; /* weak: NULL before the relay has it and once it is let go of or reset */
    uint64_t came;   /* body bytes that the leg handed up */
    uint64_t left;   /* of them: how many have left by the other leg */
    uint64_t again;  /* bytes that are still to leave, and that credit was given for already */
    bool ended;      /* the leg has said its last */
    bool held;       /* nothing of its body is passed on yet: the owner keeps it */
};

struct relay {
    struct relay_end near, far;
    const struct relay_ops *ops;           /* static */
    const struct relay_observer *observer; /* static; NULL: none */
    void *observer_user;                   /* borrowed: outlives the relay */
    struct loop *loop;                     /* borrowed: outlives the relay */
    uint64_t moved_us;                     /* monotonic: when a byte last moved, either way */
};

/* Ties @near, whose head has come; @end: nothing follows the head. */
void relay_init(struct relay *r, struct loop *l, struct leg *near, bool end,
                const struct relay_ops *ops);

/* Shows to @observer what is passed on from now on. */
static inline void relay_observe(struct relay *r, const struct relay_observer *observer, void *user)
{
    r->observer = observer;
    r->observer_user = user;
}

/* Ties @far. There is none yet, or it was reset or let go of. */
void relay_join(struct relay *r, struct leg *far);

/* The far leg's events, for a leg that is tied when it is made. Its exchange is the relay;
 * relay_join follows. */
extern const struct leg_events relay_far_events;

/* Holds back what comes of the request's body, or lets it pass. While it is held on_body keeps or
 * refuses each piece, and no place is offered for it. */
void relay_hold(struct relay *r);
void relay_let_pass(struct relay *r);

/* Passes the head @m of @from on to the other leg, if there is one. @end: nothing follows. */
void relay_head(struct relay *r, enum relay_side from, const struct message *m, bool end);
/* Shows a head to the observer that the other leg was made with. */
void relay_show_head(struct relay *r, enum relay_side from, const struct message *m, bool end);

/* Pass on what the owner has kept. */
void relay_body(struct relay *r, enum relay_side from, struct slice data, bool end);
void relay_trailers(struct relay *r, enum relay_side from, const struct fields *t);

/* The owner passes all that has come of the request's body on once more, to another far leg. */
void relay_pass_again(struct relay *r);

/* Something moved that the relay does not see: a head. */
void relay_touch(struct relay *r);

/* Returns how many body bytes of @e wait to leave by the other leg. */
static inline uint64_t relay_waiting(const struct relay_end *e)
{
    return e->came - e->left;
}

/* Lets the far leg hand up more: the owner has kept @bytes of its body, which it may pass on later.
 * They get no credit a second time then. */
void relay_credit_far(struct relay *r, size_t bytes);
/* Forgets what came from the far leg, which was let go of or reset: another one answers. */
void relay_forget_far(struct relay *r);

/* Resets the leg of @side, if there is one, and lets go of it. No on_reset follows. */
void relay_reset(struct relay *r, enum relay_side side, const struct leg_fault *why);

/* Lets go of the leg of @side, which lives on without the relay. */
void relay_let_go(struct relay *r, enum relay_side side);

/* Lets go of both legs. Nothing is told any more. Idempotent. */
void relay_close(struct relay *r);

#endif
