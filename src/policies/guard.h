/* SPDX-License-Identifier: MIT */
/* guard.h - enforces the policies of a tunnel: the one that its owner has chosen, and the one that
 * its token has. What both say holds. A guard has what the policies count: requests and seats. It
 * belongs to the thread of a worker, and its policies do not change: a tunnel with another policy
 * has another guard, which goes on with what was counted by a policy that has stayed. Exchanges
 * hold the guard that has let them in. */
#ifndef SRC_POLICIES_GUARD_H
#define SRC_POLICIES_GUARD_H

#include "src/http/failure.h"
#include "src/policies/login.h"
#include "src/policies/policy.h"

struct guard;

/* Makes a guard. @own and @forced may be NULL; the guard becomes their owner, beside others. For a
 * policy that the guard @before has as well, both count together; @before may be NULL. Returns NULL
 * when both policies are NULL: nobody needs to be judged. */
struct guard *guard_new(const struct guard *before, struct policy *own,
                        struct policy *forced) MUSTCHECK;

/* Return @g with one owner more, and take one away. NULL is fine. */
struct guard *guard_hold(struct guard *g) MUSTCHECK;
void guard_drop(struct guard *g);

/* Return the policies, which are borrowed. NULL is fine. */
struct policy *guard_own(const struct guard *g);
struct policy *guard_forced(const struct guard *g);

/* Judges a request of the viewer @v by address, time and rate. Returns false, and sets @why, if it
 * is not let in. */
bool guard_judge(struct guard *g, const struct viewer *v, uint64_t now_us, int64_t now_s,
                 enum failure *why) MUSTCHECK;

/* Returns the gate where viewers have to sign in; NULL: there is none. NULL is fine. */
struct login *guard_login(const struct guard *g);

/* Uses the key @key, whose name is set to @name and which lets in until @until_s; 0: as long as a
 * password would. Returns false, and uses nothing, if there is no such key, if its time is over, or
 * if it was used as often as it may be. */
bool guard_use_key(struct guard *g, struct slice key, int64_t now_s, const char **name,
                   int64_t *until_s) MUSTCHECK;

enum { GUARD_USED_MAX = 16 * POLICY_KEYS_MAX };

/* Writes how often each key was used, as "1,0,3"; an empty text if none was. guard_set_used reads
 * it; what it does not understand counts as used up. */
void guard_used(const struct guard *g, char out[static GUARD_USED_MAX]);
void guard_set_used(struct guard *g, struct slice text);

/* Gives the request of @v a seat, if it needs one, until guard_leave. Returns false, and sets @why,
 * if there is none. */
bool guard_seat(struct guard *g, const struct viewer *v, uint64_t now_us,
                enum failure *why) MUSTCHECK;

/* Notes that a request that guard_seat has let in is over. */
void guard_leave(struct guard *g, const struct viewer *v, uint64_t now_us);

/* Returns whether what the viewer @v has open may go on. Counts nothing. Otherwise sets @why. NULL
 * is fine. */
bool guard_permits(const struct guard *g, const struct viewer *v, int64_t now_s,
                   enum failure *why) MUSTCHECK;

/* Frees what the guard has counted and need not know any more. NULL is fine. */
void guard_tidy(struct guard *g, uint64_t now_us, int64_t now_s);

/* Returns how much memory the guard has for what it counts, in bytes; guard_counts returns whether
 * it counts at all. NULL is fine. */
size_t guard_bytes(const struct guard *g);
bool guard_counts(const struct guard *g);

/* Returns the next time, in wall-clock seconds after @now_s, at which a policy is over; 0: none. */
int64_t guard_until(const struct guard *g, int64_t now_s);

/* Returns whether @g edits heads of requests by a policy that the guard @other does not have. Both
 * may be NULL. */
bool guard_has_edited(const struct guard *g, const struct guard *other);

/* Returns whether not everybody may look, so that no cache may keep what is shown. */
bool guard_is_for_some(const struct guard *g);

/* Edits a head by the policies. */
void guard_edit(const struct guard *g, enum policy_head head, struct fields *f);

#endif
