/* SPDX-License-Identifier: MIT */
/* reserve.h - keeps the names of owners who are away and can prove later that a name is theirs: who
 * it is for, and until when. A name is reserved for 100 times as long as it was live, in all, and
 * at most for a limit. Only names whose client has said that it keeps its ticket are put here
 * (Oneport-Keep). protocol.md#reserved-names
 *
 * There are RESERVE_MAX places. They are shared as shares.h says, the longest unused one of the
 * greediest network goes first. A name has its place from the moment when it is live, so that a
 * server that dies leaves it in the file; the places of live names are not given up. An address has
 * RESERVE_PER_ADDRESS names that are not live: of more, the one that ends first goes.
 *
 * Any thread may call these functions; one lock is held for a look-up, a change, or a copy of the
 * table. Times are wall-clock seconds, and a length of life is measured by the monotonic clock. */
#ifndef SRC_NAMES_RESERVE_H
#define SRC_NAMES_RESERVE_H

#include "h2mux/base/buf.h"
#include "src/http/route.h"
#include "src/limits/address.h"
#include "src/names/owner.h"

enum {
    RESERVE_MAX = 100000,
    RESERVE_PER_ADDRESS = 50,
    RESERVE_FACTOR = 100,
    RESERVE_DEFAULT_S = 30 * 24 * 3600
};

struct reserve;

/* Makes an empty table, in which a name stays for RESERVE_DEFAULT_S at most. */
struct reserve *reserve_new(void) MUSTCHECK;
void reserve_free(struct reserve *r);

/* Sets the longest time for which a name is reserved. 0: no name is. Must be called before any
 * other function. */
void reserve_set_limit(struct reserve *r, uint64_t limit_s);

/* Says that @name of @owner is live since @since_us (monotonic). @from is the address that the
 * place counts for; NULL: none is known. Does nothing when there is no place for it. */
void reserve_begin(struct reserve *r, struct slice name, const uint8_t owner[static OWNER_LEN],
                   const struct address *from, uint64_t since_us);

/* Says that @name is not live any more. It is reserved from now on, for 100 times of what its lives
 * have lasted. Does nothing for a name that was not begun. */
void reserve_end(struct reserve *r, struct slice name);

/* Returns the second until which @name is reserved, and sets @owner. Returns 0 when it is not. */
int64_t reserve_until(struct reserve *r, struct slice name, uint8_t owner[static OWNER_LEN]);

/* Returns whether @name is reserved for somebody else than @owner, and until when in @until. */
bool reserve_is_for_another(struct reserve *r, struct slice name,
                            const uint8_t owner[static OWNER_LEN], int64_t *until);

/* Returns whether @name is reserved for @owner. */
bool reserve_is_for(struct reserve *r, struct slice name, const uint8_t owner[static OWNER_LEN]);

/* Takes @name out of the table. Returns false when it was not there. */
bool reserve_release(struct reserve *r, struct slice name);

/* Returns the number of names that are reserved and not live. */
size_t reserve_count(struct reserve *r);

/* Returns the monotonic time when the file should be written again, if it was written at
 * @written_us; or UINT64_MAX. After a change that is soon. While a name is live its reservation
 * grows: the file is written when the life of the youngest has doubled, or after a minute. */
uint64_t reserve_due_us(struct reserve *r, uint64_t written_us);

/* Appends a line for each name to @to, the longest unused first, and takes names out whose time is
 * over. Returns 0, or ERR_LIMIT. */
int reserve_print(struct reserve *r, struct buf *to) MUSTCHECK;

/* One line of the file: `name owner-hex until lived address`. */
struct reservation {
    char name[NAME_MAX_LEN + 1];
    uint8_t owner[OWNER_LEN];
    int64_t until, lived_s;
    bool counts; /* for the address `from` */
    struct address from;
};

/* Reads a line, without its line feed. Returns 0, or ERR_SYNTAX. */
int reservation_parse(struct slice line, struct reservation *out) MUSTCHECK;

/* Puts a name that was read into the table, unless its time is over. */
void reserve_restore(struct reserve *r, const struct reservation *v);

#endif
