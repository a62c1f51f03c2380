/* SPDX-License-Identifier: MIT */
/* registry.h - holds the names of one worker: finds the tunnel of a name, gives names to owners and
 * takes them back. A name is PENDING before its first link, LIVE while a link serves it, and GRACED
 * after its last link has left. protocol.md#held-names
 *
 * Invariants: each tunnel stands in the table under its own name, and the directory says that the
 * name is this worker's. Only the thread of the worker touches its registry, so no lock is needed.
 * A registry does not know the names of other workers. */

/* draw: a name
 *
 *   (none) ──register──▶ PENDING ──link up──▶ LIVE ──last link left──▶ GRACED ──link up──▶ LIVE
 *     ▲                    │ --name-pending                              │ --name-grace,
 *     │                    │                                             │ random: at once
 *     └────────────────────┴─────────────────────────────────────────────┘ */
#ifndef SRC_TUNNELS_REGISTRY_H
#define SRC_TUNNELS_REGISTRY_H

#include "h2mux/io/loop.h"
#include "src/names/directory.h"
#include "src/names/ticket.h"
#include "src/names/tokens.h"
#include "src/worker/config.h"

struct commons;
struct guard;
struct registry;
struct tunnel;
struct worker;

/* Makes an empty registry of the worker @w, whose server has its directory already. The timers of
 * its tunnels run on the loop of @w, which outlives it. */
struct registry *registry_new(struct worker *w) MUSTCHECK;

/* Frees the registry and its tunnels. The names stay in the directory, from which the names file is
 * written. NULL is fine. */
void registry_free(struct registry *r);

/* Holds the name @h of the names file, GRACED for the rest of its time. Does nothing when that time
 * is over or when the name is held already. Must be called before any loop runs. */
void registry_adopt(struct registry *r, const struct held_name *h);

/* Returns the tunnel of @name, or NULL when this worker does not hold the name. */
struct tunnel *registry_find(const struct registry *r, struct slice name);

/* Makes the pool of the names of the process, for server->names. A PENDING name is idle in it: it
 * may be dropped for the name of somebody else. */
struct commons *registry_names_new(size_t capacity) MUSTCHECK;

/* Says how a name is claimed. */
struct claim {
    bool asked;     /* the client asked for the name; otherwise it is random */
    bool returning; /* the owner has a ticket for the name, so there is room for it */

    bool attaches; /* by a ticket, whose time is `rev` */

    /* Borrowed: a new name counts against this address. NULL: against nobody. */
    const struct address *from;

    /* Borrowed: what the token permits by which the name is claimed. NULL: the name stays as it
     * is. */
    const struct token_grant *token;

    int64_t rev; /* the time of the ticket to attach with */
};

/* Holds @name for @owner. A tunnel that is not LIVE is held for --name-pending at least, from now
 * on.
 *
 * Returns 0 and sets @out to the tunnel that the owner has already or to a new PENDING tunnel.
 * Returns ERR_TAKEN when another owner or another worker holds the name, or when it is reserved for
 * another owner; ERR_LIMIT when the process has no place for a name more (http-rules.md#pools); or
 * ERR_ABUSE when the address holds the most names that an address may; ERR_DENIED when the token
 * does; or ERR_EXPIRED when the ticket to attach with is older than the newest one of the name. For
 * ERR_TAKEN, @retry_after_s gets the longest time in seconds for which the name is held or
 * reserved, or 0 when that time is not known, because the name is LIVE or on another worker. */
int registry_claim(struct registry *r, struct slice name, const uint8_t owner[static OWNER_LEN],
                   const struct claim *how, struct tunnel **out, unsigned *retry_after_s) MUSTCHECK;

/* Gives @t the domain @host, which is in lower case and which its token permits; empty: none.
 * Returns 0, or ERR_TAKEN when another name that is live has it. */
int registry_set_domain(struct registry *r, struct tunnel *t, struct slice host) MUSTCHECK;

/* Lets @g guard @t in place of the guard that it has; NULL: everybody may look. The registry takes
 * over the caller's hold. */
void registry_guard(struct registry *r, struct tunnel *t, struct guard *g);

/* Notes for the names file that a key of the guard of @t was used. */
void registry_note_used(struct registry *r, const struct tunnel *t);

/* Returns the time of a new ticket for @t: now, but never before that of an older ticket. Older
 * tickets do not attach from then on. */
int64_t registry_issue(struct registry *r, struct tunnel *t) MUSTCHECK;

/* Notes that the owner of @t keeps its ticket in a file, so that the name is reserved for it when
 * it is away. */
void registry_keep(struct registry *r, struct tunnel *t);

/* Notes which old client may serve @t from now on. */
void registry_note_old(struct registry *r, struct tunnel *t, const struct old_claim *old);

/* Ends the hold of @name, if it has no link; a name that is live is not reserved any more. The
 * reservation was taken out of the table before. */
void registry_release(struct registry *r, struct slice name);

/* Calls @visit with each tunnel, in the order of their names. @visit neither adds nor drops one. */
void registry_each(const struct registry *r, void (*visit)(struct tunnel *t, void *user),
                   void *user);

/* Frees @t and its name at once. */
void registry_drop(struct registry *r, struct tunnel *t);

#endif
