/* registry.h - the one shared table: name → tunnel, and who holds it. contract.md 1 "Held names".
 *
 *   (absent) ──register──▶ PENDING ──link up──▶ LIVE ──last link left──▶ GRACED ──link up──▶ LIVE
 *       ▲                     │ 60 s                                        │ --name-grace
 *       └─────────────────────┴─────────────────────────────────────────────┘   (random names: at once)
 *
 * STATE-DIR/names remembers the held names (name, owner, until): written at most once a second, atomically; loaded at start as graced.
 * One worker today; with several this table gets the lock and nothing else changes. */
#ifndef SRC_REGISTRY_H
#define SRC_REGISTRY_H

#include "h2mux/loop.h"
#include "src/config.h"
#include "src/ticket.h"

struct registry;
struct tunnel;

/* @l: where grace timers and the write of the names file run. NULL: @reason (the names file cannot be read or its folder not written). */
struct registry *registry_new(struct loop *l, const struct config *c, char *reason, size_t reason_cap) MUSTCHECK;
void registry_free(struct registry *r); /* writes the names file; no link may be left */

struct tunnel *registry_find(const struct registry *r, struct slice name); /* any held name; NULL */

/* A process holds no more names than that. */
enum { REGISTRY_MAX = 20000 };

/* Holds @name for @owner: the tunnel there is (if it is this owner's) or a new PENDING one. @asked: the name was asked for, not random.
 * ERR_TAKEN: another owner holds it; @retry_after_s says for how long at most (0: it is live). ERR_LIMIT: REGISTRY_MAX names are held.
 * A tunnel that waits for its client is held for --name-pending at least from now on; whether it was asked for stays as it is. */
int registry_claim(struct registry *r, struct slice name, const uint8_t owner[static OWNER_LEN], bool asked, struct tunnel **out,
                   unsigned *retry_after_s) MUSTCHECK;
/* Frees the name at once. */
void registry_drop(struct registry *r, struct tunnel *t);
void registry_changed(struct registry *r); /* the names file is due */

/* For tunnel.c. */
const struct config *registry_config(const struct registry *r);
bool registry_wait_begin(struct registry *r); /* one more request waits; false: WAITERS_MAX of all names do already */
void registry_wait_end(struct registry *r);

struct registry_counts {
    size_t tunnels; /* held names */
    size_t live;
    size_t links;
};
struct registry_counts registry_counts(const struct registry *r);
void registry_each(const struct registry *r, void (*visit)(struct tunnel *t, void *user), void *user);

#endif
