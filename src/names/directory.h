/* SPDX-License-Identifier: MIT */
/* directory.h - the one table that workers share: name → the worker that has it, and what the names
 * file says of it.
 *
 * Everything else of a name lives on its worker and is touched by that worker alone; whoever gets a
 * request for it moves the connection there. One lock, held for a look-up or an insertion; never
 * while anything else is called. */
#ifndef SRC_NAMES_DIRECTORY_H
#define SRC_NAMES_DIRECTORY_H

#include "src/limits/address.h"
#include "src/names/held_name.h"

/* Names held by a process at most. */
enum { DIRECTORY_MAX = 20000, DIRECTORY_NOBODY = -1 };

struct directory;

/* @per_address: names that one address may hold; 0: no limit. @on_change: the names file is due;
 * called on the changing worker's thread, once until directory_print. May be NULL. */
struct directory *directory_new(uint64_t per_address, void (*on_change)(void *user),
                                void *user) MUSTCHECK;
void directory_free(struct directory *d);

int directory_find(struct directory *d,
                   struct slice name); /* the worker's index, or DIRECTORY_NOBODY */
/* The name is @worker's from now on. ERR_TAKEN: another worker has it; ERR_LIMIT: DIRECTORY_MAX
 * names are held; ERR_ABUSE: @from holds as many as it may.
 *
 * A name counts for the address that it was given to, from then until it is released, wherever its
 * owner goes meanwhile: an address cannot shed names by handing them on. @from NULL: it is not
 * known, or does not count, and then the name counts for the first one that claims it again,
 * without being refused: so do names that were read from the names file. */
int directory_claim(struct directory *d, struct slice name, int worker,
                    const struct address *from) MUSTCHECK;
void directory_release(struct directory *d, struct slice name);

/* What the names file should say of a claimed name. @remember false: nothing, its client is gone
 * for good. */
void directory_note(struct directory *d, const struct held_name *h, bool remember);
/* All that is to be remembered, in the form of the names file. ERR_LIMIT. */
int directory_print(struct directory *d, struct buf *to) MUSTCHECK;

/* One more request waits for a link, of any name on any worker. false: @most do already. Without
 * the lock. */
bool directory_wait_begin(struct directory *d, size_t most) MUSTCHECK;
void directory_wait_end(struct directory *d);

struct directory_counts {
    size_t names, live;
};
struct directory_counts directory_counts(struct directory *d);

#endif
