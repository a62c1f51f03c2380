/* SPDX-License-Identifier: MIT */
/* revoke.c - judges links again by their token; see revoke.h. */
#include "src/tunnels/revoke.h"

#include <stdlib.h>

#include "h2mux/base/clock.h"
#include "h2mux/base/log.h"
#include "src/names/tokens.h"
#include "src/policies/policies.h"
#include "src/tunnels/link.h"
#include "src/tunnels/policing.h"
#include "src/tunnels/raw.h"
#include "src/tunnels/registry.h"

enum { LOOK_MS = 500 };

struct revoke {
    struct worker *worker; /* borrowed: outlives this */
    struct timer timer;    /* always armed */
    uint64_t epoch;        /* for which all links were judged */
};

static const char *reason_of(enum token_verdict v)
{
    switch (v) {
    case TOKEN_OVER:
        return "token_expired";
    case TOKEN_NAME:
    case TOKEN_RESERVED:
        return "name_not_permitted";
    case TOKEN_DOMAIN:
        return "domain_not_permitted";
    case TOKEN_POLICY:
        return "policy_unknown";
    case TOKEN_GOOD:
    case TOKEN_NONE:
    case TOKEN_UNKNOWN:
        break;
    }
    return "bad_token";
}

static void end(struct link *l, enum token_verdict v)
{
    uint64_t suppressed;
    if (worker_may_log(l->worker, WORKER_LINK_REVOKED, &suppressed))
        LOG(WARN, "link_revoked", LOG_STR("name", l->name), LOG_STR("token", l->token),
            LOG_U("slot", l->backend.slot), LOG_STR("reason", reason_of(v)),
            LOG_U("suppressed", suppressed));
    link_revoke(l);
}

static void judge(struct link *l, struct tokens *tokens, int64_t now_s)
{
    struct token_grant g;
    struct slice id = slice_str(l->token);
    enum token_verdict v = tokens_look(tokens, id, now_s, &g);
    if (v == TOKEN_GOOD)
        v = tokens_permit(tokens, id, slice_str(l->name), now_s);
    struct tunnel *t = registry_find(l->worker->registry, slice_str(l->name));
    if (t && !owner_eq(t->owner_id, l->owner_id))
        t = NULL;
    if (v == TOKEN_GOOD && t && t->domain)
        v = tokens_permit_domain(tokens, id, slice_str(t->domain), now_s);
    if (v == TOKEN_GOOD && t && !policing_force_later(l->worker, t))
        v = TOKEN_POLICY;
    if (v != TOKEN_GOOD) {
        end(l, v);
        return;
    }
    l->streams_max = g.streams;
    if (g.links > 0 && l->backend.slot >= g.links && l->state == LINK_UP)
        link_drain(l); /* the client hears of the limit when it comes back */
}

/* Returns a number that is another one when a token or a policy has changed. */
static uint64_t epoch_now(const struct worker *w)
{
    return tokens_epoch(w->server->tokens, clock_wall_s()) ^
           policies_generation(w->server->policies) << 48;
}

void revoke_look(struct revoke *r)
{
    struct worker *w = r->worker;
    int64_t now_s = clock_wall_s();
    r->epoch = epoch_now(w);
    LIST_FOREACH (it, &w->links)
        judge(CONTAINER_OF(it, struct link, in_worker), w->server->tokens, now_s);
    policing_judge_all(w);
    raw_revoke(w);
}

static void on_time(void *user)
{
    struct revoke *r = user;
    if (epoch_now(r->worker) != r->epoch)
        revoke_look(r);
    timer_arm(&r->timer, LOOK_MS);
}

struct revoke *revoke_new(struct worker *w)
{
    if (!w->server->tokens)
        return NULL;
    struct revoke *r = xcalloc(1, sizeof *r);
    r->worker = w;
    r->epoch = epoch_now(w);
    timer_init(&r->timer, w->loop, on_time, r);
    timer_arm(&r->timer, LOOK_MS);
    return r;
}

void revoke_free(struct revoke *r)
{
    if (!r)
        return;
    timer_stop(&r->timer);
    free(r);
}
