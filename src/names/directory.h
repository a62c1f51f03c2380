/* SPDX-License-Identifier: MIT */
/* directory.h - holds the one table that all workers share. For each name the table says which
 * worker has the name and which line the names file gets for it. The table also counts the names of
 * each address and of each token, and finds the name of a custom domain. A name is live while a
 * client serves it.
 *
 * Everything else about a name lives on its worker, and only that worker touches it: another worker
 * that gets a request for the name moves the viewer's connection there. Any thread may use the
 * directory. Its lock is held for one look-up or one change only.
 *
 * Invariants: a name is on one worker; the count of an address or a token is the number of names
 * that count for it; `live` is the number of live names. */
#ifndef SRC_NAMES_DIRECTORY_H
#define SRC_NAMES_DIRECTORY_H

#include "src/limits/address.h"
#include "src/names/held_name.h"
#include "src/names/reserve.h"

enum {
    NAMES_MAX = 20000, /* names that the process holds, in shares (registry.h) */

    /* Names in the directory, at most. Names that must go stay in it for a moment, and owners who
     * come back always find room. */
    DIRECTORY_MAX = 2 * NAMES_MAX,
    DIRECTORY_NOBODY = -1 /* no worker */
};

struct directory;

/* Makes an empty directory. @per_address is the number of names that one address may hold; 0: no
 * limit. @on_change, which may be NULL, tells that the names file is out of date. The first
 * directory_note or directory_release after the start or after a directory_print calls @on_change,
 * on its own thread and without the lock. */
struct directory *directory_new(uint64_t per_address, void (*on_change)(void *user),
                                void *user) MUSTCHECK;
void directory_free(struct directory *d);

/* Sets the function and the argument of directory_new anew; @on_change NULL: nobody is told any
 * more. Must be called while no other thread uses the directory. */
void directory_watch(struct directory *d, void (*on_change)(void *user), void *user);

/* Returns the table of names that are reserved for owners who are away. The directory owns it. A
 * change of it is no change of the directory. */
struct reserve *directory_reserve(const struct directory *d);

/* Returns the index of the worker that has @name, or DIRECTORY_NOBODY when no worker has it. */
int directory_find(struct directory *d, struct slice name);

/* Says for whom a name counts. */
struct claimant {
    const struct address *from; /* borrowed; NULL: the address is not known or has no limit */
    const char *token;          /* the ID of the token, borrowed; NULL: as before */
    uint64_t token_max;         /* names that the token may have; 0: no limit */
};

/* Gives @name to @worker, unless a worker has the name already. Returns 0, also when that worker is
 * @worker; ERR_TAKEN when it is another worker; ERR_LIMIT when the directory holds DIRECTORY_MAX
 * names; ERR_ABUSE when the address of @by holds the most names that an address may; or ERR_DENIED
 * when the token of @by does. @by NULL is a claimant that nothing is known of.
 *
 * The name counts for the address until directory_release, also when its owner moves to another
 * address: otherwise an address could get rid of its names and ask for more. A name that counts for
 * no address yet, as a name from the names file, counts for the first address that claims it again;
 * that claim is not refused with ERR_ABUSE. The name counts for the token that has claimed it
 * last. */
int directory_claim(struct directory *d, struct slice name, int worker,
                    const struct claimant *by) MUSTCHECK;

/* Gives the domain @host, which is in lower case, to the claimed name @name, in place of the domain
 * that the name has. An empty @host takes it away. Returns 0, ERR_TAKEN when another name that is
 * live has the domain, or ERR_NOT_FOUND when @name is not claimed. A name that is not live loses
 * its domain to one that asks for it. */
int directory_set_domain(struct directory *d, struct slice name, struct slice host) MUSTCHECK;

/* Sets the text of the policy that the names file gets for the claimed name @name; empty: none.
 * Does nothing when the name is not claimed. */
void directory_set_policy(struct directory *d, struct slice name, struct slice text);

/* Finds the name whose domain is @host, in any case, and writes it into @name. Returns false, with
 * an empty text, when no name has this domain. */
bool directory_find_domain(struct directory *d, struct slice host,
                           char name[static NAME_MAX_LEN + 1]);

/* Removes @name, if the directory has it. */
void directory_release(struct directory *d, struct slice name);

/* Sets the line @h that the names file gets for a claimed name, but for its domain and its policy.
 * The name counts for the token of @h from now on. If @remember is false, the file leaves the name
 * out, since its client will not come back. */
void directory_note(struct directory *d, const struct held_name *h, bool remember);

/* Appends the content of the names file to @to. Returns 0, or ERR_LIMIT when the content does not
 * fit. */
int directory_print(struct directory *d, struct buf *to) MUSTCHECK;

struct directory_counts {
    size_t names, live;
};
struct directory_counts directory_counts(struct directory *d);

#endif
