/* SPDX-License-Identifier: MIT */
/* policing.h - puts policies in force: takes the one that a client says at register and attach,
 * refuses what would take a policy away from a name unnoticed, and ends what viewers have open that
 * a new policy forbids. protocol.md#policies */
#ifndef SRC_TUNNELS_POLICING_H
#define SRC_TUNNELS_POLICING_H

#include "src/http/answer.h"
#include "src/names/call.h"
#include "src/policies/policy.h"
#include "src/worker/worker.h"

struct tunnel;

/* What a call says in Oneport-Policy. */
struct policy_wish {
    struct policy *policy; /* held; NULL: none */
    bool said;             /* the call has the field */
};

/* Reads the field of @c into @out, whose policy the caller drops. Returns false with a refusal, 400
 * `bad_policy`. */
bool policing_read(const struct call *c, struct policy_wish *out, struct answer *refusal) MUSTCHECK;

/* Judges a register call that shows the good ticket @t, or none, which is all zeros. Returns false
 * with a refusal: 403 `policy_required` when the name has a policy and the client knows of none, or
 * 409 `policy_differs` when another instance serves the name with another policy. */
bool policing_lets_register(const struct worker *w, const struct ticket *t,
                            const struct policy_wish *wish, struct answer *refusal) MUSTCHECK;

/* Judges an attach call with the good ticket @t. Returns false with a refusal, 401:
 * `policy_required` or `policy_differs` when what comes along is not the policy of the ticket, or
 * `stale` when the name has another policy by now. */
bool policing_lets_attach(const struct worker *w, const struct ticket *t,
                          const struct policy_wish *wish, struct answer *refusal) MUSTCHECK;

/* Puts the policy @own in force for @t; NULL: none. Ends what viewers have open that it forbids,
 * and lets requests that wait come in again by it. */
void policing_set(struct worker *w, struct tunnel *t, struct policy *own);

/* Ends what viewers of @t have open when the time of one of its policies is over. To be called for
 * a tunnel that has got its guard from the names file. */
void policing_watch(struct tunnel *t);

/* Counts in the budget what the guard of @t has in memory now. To be called when that may have
 * changed. */
void policing_weigh(struct tunnel *t);

/* Returns whether the server has the policy @name that a token names; an empty one is none. */
bool policing_knows(const struct server *s, const char *name) MUSTCHECK;

/* Puts the policy in force that the token of @t names now, likewise. Returns false, and changes
 * nothing, if the server does not have it. */
bool policing_force(struct worker *w, struct tunnel *t) MUSTCHECK;

/* Puts it in force likewise for who comes from now on. What viewers have open is judged by the next
 * policing_judge_all. */
bool policing_force_later(struct worker *w, struct tunnel *t) MUSTCHECK;

/* Ends what viewers have open, of all names, that policies forbid which policing_force_later has
 * put in force. Looks at each exchange of the worker once. */
void policing_judge_all(struct worker *w);

/* Returns whether @t still has the policy with the hash @hash. */
bool policing_is(const struct tunnel *t, const uint8_t hash[static POLICY_HASH_LEN]);

#endif
