/* SPDX-License-Identifier: MIT */
/* directory.h - the one table that all workers share. It says of each name which worker has it and
 * what the names file will say of it. It counts the names of each address, and the requests that
 * wait for a client.
 *
 * All else about a name lives on its worker, and only that worker touches it: another worker that
 * gets a request about the name moves the connection there. The directory may be used by any
 * thread. Its lock is held for one look-up or one change only.
 *
 * Invariants: a name is on one worker; the count of an address is the number of names that count
 * for it; the number of live names is right. */
#ifndef SRC_NAMES_DIRECTORY_H
#define SRC_NAMES_DIRECTORY_H

#include "src/limits/address.h"
#include "src/names/held_name.h"

enum {
    DIRECTORY_MAX = 20000, /* names, at most */
    DIRECTORY_NOBODY = -1  /* no worker */
};

struct directory;

/* @per_address: how many names one address may hold; 0: no limit. @on_change, which may be NULL, is
 * called by the first directory_note or directory_release since the start or since directory_print,
 * on the same thread and without the lock: the names file is out of date. */
struct directory *directory_new(uint64_t per_address, void (*on_change)(void *user),
                                void *user) MUSTCHECK;
void directory_free(struct directory *d);

/* Returns the index of the worker that has @name, or DIRECTORY_NOBODY. */
int directory_find(struct directory *d, struct slice name);

/* Gives @name to @worker, if nobody has it. Returns 0 also when @worker has it already. Returns
 * ERR_TAKEN when another worker has it, ERR_LIMIT when there are DIRECTORY_MAX names, and ERR_ABUSE
 * when @from holds as many names as it may.
 *
 * The name counts for the address @from until it is released, also when its owner moves to another
 * address meanwhile: otherwise an address could get rid of its names and ask for more. @from is
 * NULL when the address is not known or does not count. Such a name, as one from the names file,
 * counts for the first address that claims it again, which is not refused for that. */
int directory_claim(struct directory *d, struct slice name, int worker,
                    const struct address *from) MUSTCHECK;

/* Removes @name, if it is there. */
void directory_release(struct directory *d, struct slice name);

/* Sets what the names file will say of a claimed name. @remember: false leaves the name out of the
 * file, since its client will not come back. */
void directory_note(struct directory *d, const struct held_name *h, bool remember);

/* Appends the content of the names file to @to. Returns 0, or ERR_LIMIT when it does not fit. */
int directory_print(struct directory *d, struct buf *to) MUSTCHECK;

/* Counts a request that begins to wait for a link, of any name on any worker. Returns false, and
 * counts nothing, when @most requests wait already. Needs no lock. */
bool directory_wait_begin(struct directory *d, size_t most) MUSTCHECK;
/* Ends the wait that directory_wait_begin has counted. */
void directory_wait_end(struct directory *d);

struct directory_counts {
    size_t names, live;
};
struct directory_counts directory_counts(struct directory *d);

#endif
