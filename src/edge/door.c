/* SPDX-License-Identifier: MIT */
/* door.c - see door.h. A tunnel without a policy costs one look at a pointer. */
#include "src/edge/door.h"

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

bool door_admits(struct worker *w, struct tunnel *t, struct exchange_request *x, uint64_t now_us,
                 enum failure *why)
{
    if (!server_admits(w, t, x, now_us, why))
        return false;
    if (!t->guard)
        return true;
    if (!guard_admit(t->guard, x->viewer, now_us, clock_wall_s(), why))
        return false;
    guard_edit(t->guard, POLICY_REQUEST, &x->head->fields);
    x->guard = guard_hold(t->guard);
    return true;
}
