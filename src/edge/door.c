/* SPDX-License-Identifier: MIT */
/* door.c - see door.h. A tunnel without a policy costs one look at a pointer. */
#include "src/edge/door.h"

#include <stdlib.h>

#include "h2mux/base/clock.h"
#include "src/limits/abuse.h"
#include "src/limits/address_buckets.h"
#include "src/limits/bans.h"

static bool is_too_large(const struct worker *w, const struct message *m)
{
    uint64_t max = w->server->config->limits.body;
    return max != 0 && m->length != MESSAGE_LENGTH_UNKNOWN && (uint64_t)m->length > max;
}

/* Judges by what holds for all tunnels. */
static bool server_admits(struct worker *w, const struct tunnel *t,
                          const struct exchange_request *x, uint64_t now_us, enum failure *why)
{
    if (is_too_large(w, x->head))
        *why = FAIL_BODY_TOO_LARGE;
    else if (bans_bar(w->server->bans, slice_str(t->name), x->viewer, now_us))
        *why = FAIL_BARRED;
    else if (abuse_blocks(w->abuse, x->viewer, now_us))
        *why = FAIL_TOO_MANY_ABORTS;
    else if (!address_buckets_admit(w->requests, x->viewer, now_us)) /* --viewer-rate */
        *why = FAIL_TOO_MANY_REQUESTS;
    else
        return true;
    return false;
}

/* Keeps the pass that the viewer gets with its answer. */
static void keep_pass(struct exchange_request *x, const struct pass_place *at,
                      const struct login_look *look, int64_t now_s)
{
    char pass[PASS_MAX];
    if (look->fresh && pass_make(at, look->tag, now_s, pass) == 0)
        x->pass = xstrdup(pass);
}

/* Judges a request for a name whose viewers have to sign in. */
static enum door_verdict gate_judges(struct worker *w, struct tunnel *t, struct exchange_request *x,
                                     uint64_t now_us, struct login_look *look, enum failure *why)
{
    int64_t now_s = clock_wall_s();
    struct pass_place at = {.keyring = w->server->keyring,
                            .name = t->name,
                            .owner = t->owner_id,
                            .policy = guard_own(t->guard),
                            .https = x->viewer->https};
    enum login_verdict verdict =
        login_judge(guard_login(t->guard), &at, x->head, x->translated.websocket, x->viewer, now_us,
                    now_s, look);
    switch (verdict) {
    case LOGIN_OPEN:
    case LOGIN_CHECK:
        keep_pass(x, &at, look, now_s);
        return verdict == LOGIN_OPEN ? DOOR_OPEN : DOOR_CHECKS;
    case LOGIN_WANTED:
        *why = FAIL_LOGIN;
        break;
    case LOGIN_FOREIGN:
        *why = FAIL_FOREIGN;
        break;
    case LOGIN_TOO_OFTEN:
        *why = FAIL_TOO_MANY_REQUESTS;
        break;
    }
    return DOOR_REFUSES;
}

/* Judges a request for a name with a policy. Who has to sign in takes no seat before. */
static enum door_verdict guard_judges(struct worker *w, struct tunnel *t,
                                      struct exchange_request *x, uint64_t now_us,
                                      struct login_look *look, enum failure *why)
{
    enum door_verdict verdict = DOOR_OPEN;
    if (!guard_judge(t->guard, x->viewer, now_us, clock_wall_s(), why))
        return DOOR_REFUSES;
    if (guard_login(t->guard))
        verdict = gate_judges(w, t, x, now_us, look, why);
    if (verdict == DOOR_OPEN)
        x->seated = guard_seat(t->guard, x->viewer, now_us, why);
    if (verdict == DOOR_REFUSES || (verdict == DOOR_OPEN && !x->seated)) {
        free(x->pass);
        x->pass = NULL;
        return DOOR_REFUSES;
    }
    guard_edit(t->guard, POLICY_REQUEST, &x->head->fields);
    x->guard = guard_hold(t->guard);
    return verdict;
}

enum door_verdict door_judge(struct worker *w, struct tunnel *t, struct exchange_request *x,
                             uint64_t now_us, struct login_look *look, enum failure *why)
{
    if (!server_admits(w, t, x, now_us, why))
        return DOOR_REFUSES;
    return t->guard ? guard_judges(w, t, x, now_us, look, why) : DOOR_OPEN;
}
