/* SPDX-License-Identifier: MIT */
/* registry.h - the names of one worker: name → tunnel, and who holds it. protocol.md#held-names
 *
 * A name is on one worker, all that happens to it happens there, and nothing here is locked: the
 * directory tells which. */

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
#include "src/worker/config.h"

enum { WAITERS_MAX = 4096 /* requests that wait for any name of the process */ };

struct registry;
struct tunnel;

/* @l: where grace timers run. @d is borrowed and outlives it. @worker: the index in the directory.
 */
struct registry *registry_new(struct loop *l, const struct config *c, struct directory *d,
                              int worker) MUSTCHECK;
void registry_free(struct registry *r); /* no link may be left; the names stay in the directory, for
                                           the names file */
/* A line of the names file, before any loop runs: graced for what is left of its time. */
void registry_adopt(struct registry *r, const struct held_name *h);

struct tunnel *registry_find(const struct registry *r, struct slice name); /* any held name; NULL */

/* Holds @name for @owner: the tunnel there is (if it is this owner's) or a new PENDING one. @asked:
 * the name was asked for, not random. ERR_TAKEN: another owner holds it; @retry_after_s says for
 * how long at most (0: it is live). ERR_TAKEN too when the name is another worker's, which the
 * caller should have looked up. ERR_LIMIT: DIRECTORY_MAX names are held. ERR_ABUSE: @from, whom
 * the name is given to (NULL: nobody who counts), holds as many as it may. A tunnel that waits for
 * its client is held for --name-pending at least from now on; whether it was asked for stays as it
 * is. */
int registry_claim(struct registry *r, struct slice name, const uint8_t owner[static OWNER_LEN],
                   bool asked, const struct address *from, struct tunnel **out,
                   unsigned *retry_after_s) MUSTCHECK;
/* Frees the name at once. */
void registry_drop(struct registry *r, struct tunnel *t);

#endif
