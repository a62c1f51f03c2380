/* SPDX-License-Identifier: MIT */
/* policing.c - see policing.h. */
#include "src/tunnels/policing.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

#include "h2mux/base/clock.h"
#include "h2mux/base/err.h"
#include "src/names/tokens.h"
#include "src/policies/guard.h"
#include "src/policies/policies.h"
#include "src/tunnels/exchange.h"
#include "src/tunnels/registry.h"
#include "src/tunnels/tunnel.h"

enum { DIFFERS_RETRY_S = 10, LOOK_S = 60 };
static_assert((int)POLICY_HASH_LEN == (int)TICKET_POL_LEN, "a ticket has the hash of a policy");

static bool refuse(struct answer *a, int status, const char *error, const char *message,
                   unsigned retry_after_s)
{
    answer_refusal(a, status, error, message, retry_after_s);
    return false;
}

bool policing_read(const struct call *c, struct policy_wish *out, struct answer *refusal)
{
    static const struct slice name = {"oneport-policy", sizeof "oneport-policy" - 1};
    size_t n = fields_count(&c->m->fields, name);
    const char *why = "stands there twice";
    char message[160];
    *out = (struct policy_wish){.said = n > 0};
    if (n == 0 || (n == 1 && policy_parse(slice_trim(fields_value(&c->m->fields, name)),
                                          &out->policy, &why) == 0))
        return true;
    snprintf(message, sizeof message, "The policy %s.", why);
    return refuse(refusal, 400, "bad_policy", message, 0);
}

/* ---- what a name has */

/* Returns the tunnel of the ticket's name if its owner holds it. */
static const struct tunnel *held_by(const struct worker *w, const struct ticket *t)
{
    const struct tunnel *held = registry_find(w->registry, slice_str(t->name));
    return held && owner_eq(held->owner_id, t->owner) ? held : NULL;
}

bool policing_is(const struct tunnel *t, const uint8_t hash[static POLICY_HASH_LEN])
{
    return policy_is(guard_own(t->guard), hash);
}

bool policing_lets_register(const struct worker *w, const struct ticket *t,
                            const struct policy_wish *wish, struct answer *refusal)
{
    const struct tunnel *held = held_by(w, t);
    bool has = !policy_is(NULL, t->pol) || (held && guard_own(held->guard));
    if (has && !wish->said)
        return refuse(refusal, 403, "policy_required",
                      "This name has a policy, which says who may look. A client that knows no "
                      "policies does not get it.",
                      0);
    if (held && held->state == TUNNEL_LIVE && !policing_is(held, policy_hash(wish->policy)))
        return refuse(refusal, 409, "policy_differs",
                      "Another client shares this name, with another policy: end that one first.",
                      DIFFERS_RETRY_S);
    return true;
}

bool policing_lets_attach(const struct worker *w, const struct ticket *t,
                          const struct policy_wish *wish, struct answer *refusal)
{
    const struct tunnel *held = held_by(w, t);
    if (!wish->said && !policy_is(NULL, t->pol))
        return refuse(refusal, 401, "policy_required",
                      "The ticket is of a name with a policy, which has to come along.", 0);
    if (!policy_is(wish->policy, t->pol))
        return refuse(refusal, 401, "policy_differs",
                      "The ticket is for another policy: register again with it.", 0);
    if (held && !policing_is(held, t->pol))
        return refuse(refusal, 401, "stale",
                      "The name has another policy by now: register again with this ticket.", 0);
    return true;
}

/* ---- putting in force */

/* Returns whether @x may go on. Whoever has signed in by another policy of the sharer has to do it
 * again. */
static bool may_go_on(const struct tunnel *t, const struct exchange *x, enum failure *why)
{
    bool same_own = policing_is(t, policy_hash(guard_own(x->request.guard)));
    *why = FAIL_LOGIN;
    return guard_permits(t->guard, x->request.viewer, clock_wall_s(), why) &&
           (same_own || (!guard_login(t->guard) && !x->watcher));
}

/* Lets the request @x, which waits, come in by the guard that @t has now, as if it came only now.
 * Returns false, and sets @why, if it is not let in, or if its head was edited by a policy that is
 * gone: nobody knows what the head was before. */
static bool comes_in_again(const struct tunnel *t, struct exchange *x, enum failure *why)
{
    struct exchange_request *r = &x->request;
    uint64_t now_us = loop_now_us(x->worker->loop);
    bool seats = !x->watcher; /* who signs in takes a seat after that */
    *why = FAIL_AWAY;
    if (guard_has_edited(r->guard, t->guard) ||
        (t->guard && !guard_judge(t->guard, r->viewer, now_us, clock_wall_s(), why)) ||
        (t->guard && seats && !guard_seat(t->guard, r->viewer, now_us, why)))
        return false;
    exchange_change_guard(x, t->guard, t->guard && seats);
    if (t->guard)
        guard_edit(t->guard, POLICY_REQUEST, &r->head->fields);
    return true;
}

/* Judges @x, which may have come before the policies of @t were these. */
static bool stays(const struct tunnel *t, struct exchange *x, enum failure *why)
{
    bool waits = x->state == EXCHANGE_HELD && x->request.guard != t->guard;
    return may_go_on(t, x, why) && (!waits || comes_in_again(t, x, why));
}

/* Returns the tunnel of @x if @x has to be judged: that of @only; or, if that is NULL, one whose
 * policies have changed. */
static const struct tunnel *to_judge(const struct worker *w, const struct exchange *x,
                                     const struct tunnel *only)
{
    if (only)
        return strcmp(x->name, only->name) == 0 ? only : NULL;
    const struct tunnel *t = registry_find(w->registry, slice_str(x->name));
    return t && t->policies_changed ? t : NULL;
}

/* Ends what viewers have open that policies forbid now, of the tunnels that to_judge says. The end
 * of one may end others, so all are noted before: what has ended is freed at the end of the turn.
 */
static void judge_again(struct worker *w, const struct tunnel *only)
{
    struct {
        struct exchange *x;
        enum failure why;
    } *of = xcalloc(list_count(&w->exchanges) + 1, sizeof *of);
    size_t n = 0;
    LIST_FOREACH (it, &w->exchanges) {
        of[n].x = CONTAINER_OF(it, struct exchange, node);
        const struct tunnel *t = to_judge(w, of[n].x, only);
        if (t && !stays(t, of[n].x, &of[n].why))
            n++;
    }
    for (size_t i = 0; i < n; i++)
        if (of[i].x->state != EXCHANGE_DEAD)
            exchange_refuse(of[i].x, of[i].why);
    free(of);
}

/* ---- the time */

/* Lets the timer of @t run when a policy of it is over, or when something may have to be freed. A
 * clock that is set is seen by then. */
static void arm(struct tunnel *t)
{
    int64_t now_s = clock_wall_s(), until_s = guard_until(t->guard, now_s);
    uint64_t left_s = until_s > 0 ? (uint64_t)(until_s - now_s) : LOOK_S;
    if (until_s == 0 && !guard_counts(t->guard))
        timer_stop(&t->policy_look);
    else
        timer_arm(&t->policy_look, (left_s < LOOK_S ? left_s : LOOK_S) * 1000);
}

static void on_time(void *user)
{
    struct tunnel *t = user;
    guard_tidy(t->guard, loop_now_us(t->owner->loop), clock_wall_s());
    policing_weigh(t);
    if (guard_until(t->guard, 0) > 0)
        judge_again(t->owner->worker, t);
    arm(t);
}

void policing_weigh(struct tunnel *t)
{
    struct evictor *e = &t->owner->worker->evictor;
    size_t bytes = guard_bytes(t->guard);
    if (bytes == t->policy_bytes)
        return;
    budget_add_fixed(&e->share, (int64_t)bytes - (int64_t)t->policy_bytes);
    evictor_changed(e);
    t->policy_bytes = bytes;
}

void policing_watch(struct tunnel *t)
{
    timer_stop(&t->policy_look);
    timer_init(&t->policy_look, t->owner->loop, on_time, t);
    arm(t);
}

static void put(struct worker *w, struct tunnel *t, struct policy *own, struct policy *forced)
{
    registry_guard(w->registry, t, guard_new(t->guard, own, forced));
    policing_watch(t);
    policing_weigh(t);
    t->policies_changed = true;
}

/* Ends at once what the policies of @t forbid, if they have changed. */
static void judge_one(struct worker *w, struct tunnel *t)
{
    if (t->policies_changed)
        judge_again(w, t);
    t->policies_changed = false;
}

static void unmark(struct tunnel *t, void *user)
{
    t->policies_changed = false;
}

void policing_judge_all(struct worker *w)
{
    judge_again(w, NULL);
    registry_each(w->registry, unmark, NULL);
}

void policing_set(struct worker *w, struct tunnel *t, struct policy *own)
{
    if (!policing_is(t, policy_hash(own)))
        put(w, t, own, guard_forced(t->guard)); /* the new guard holds it before the old one goes */
    judge_one(w, t);
}

bool policing_knows(const struct server *s, const char *name)
{
    struct policy *p = NULL;
    bool knows = !name[0] || policies_find(s->policies, slice_str(name), &p);
    policy_drop(p);
    return knows;
}

/* Finds the policy that the token of @t names. A reload exchanges tokens and policies together, but
 * maybe between the two looks; so one that is not there is looked for again. Returns TOKEN_POLICY
 * if the server does not have it, or the verdict on the token. */
static enum token_verdict find_forced(struct server *s, const struct tunnel *t, struct policy **out)
{
    struct token_grant g = {.max = 0};
    *out = NULL;
    for (int tries = 0; tries < 2; tries++) {
        enum token_verdict v = TOKEN_GOOD;
        if (s->tokens)
            v = tokens_look(s->tokens, slice_str(t->token), clock_wall_s(), &g);
        if (v != TOKEN_GOOD || !g.policy[0] || policies_find(s->policies, slice_str(g.policy), out))
            return v;
    }
    return TOKEN_POLICY;
}

bool policing_force_later(struct worker *w, struct tunnel *t)
{
    struct policy *forced;
    enum token_verdict v = find_forced(w->server, t, &forced);
    if (v != TOKEN_GOOD) /* links are ended by revoke, and what was in force stays so until then */
        return v != TOKEN_POLICY;
    if (!policy_is(guard_forced(t->guard), policy_hash(forced))) {
        struct policy *own = policy_hold(guard_own(t->guard));
        put(w, t, own, forced);
        policy_drop(own);
    }
    policy_drop(forced);
    return true;
}

bool policing_force(struct worker *w, struct tunnel *t)
{
    bool has = policing_force_later(w, t);
    judge_one(w, t);
    return has;
}
