/* SPDX-License-Identifier: MIT */
/* holding.c - see holding.h.
 *
 * Invariant: the timer is armed, or a renewal runs, only between holding_renew_in_time and
 * holding_stop_renewing; never both. */
#include "client/server/holding.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "client/server/tickets.h"
#include "h2mux/base/clock.h"
#include "h2mux/base/log.h"

enum {
    RENEW_SOONEST_S = 1,
    SAME_ORIGIN_MAX = 64, /* processes that share one origin, whose names are kept */
    RENEW_KEEP_S = 60,    /* between tries to say that the ticket lies in the file */
    RENEW_EXPIRED_S = 60  /* between tries when the ticket has expired */
};

static void set_ticket(struct holding *h, const char *ticket)
{
    free(h->ticket);
    h->ticket = ticket ? xstrdup(ticket) : NULL;
    h->ticket_no++;
    if (!h->key)
        return;
    int err = tickets_put(h->o.ticket_file, h->server, h->key, h->ticket);
    h->saved = err == 0 && ticket;
    if (err < 0)
        LOG(WARN, "ticket_not_kept", LOG_STR("path", h->o.ticket_file),
            LOG_STR("reason", err == ERR_IO ? strerror(errno) : err_text(err)));
}

struct register_ask holding_ask(struct holding *h)
{
    h->asked_keep = h->saved && h->ticket;
    return (struct register_ask){
        .name = h->o.name                ? h->o.name
                : h->grant.id[0] != '\0' ? h->grant.id
                                         : NULL,
        .ticket = h->ticket,
        .exact = h->o.name,
        .keep = h->asked_keep,
    };
}

bool holding_can_attach(const struct holding *h)
{
    return h->granted && h->ticket;
}

/* ---- renewal */

/* Returns the time at half of what is left of the ticket's life. */
static int64_t half_life_from_now(const struct holding *h)
{
    int64_t now = clock_wall_s();
    int64_t left = h->grant.expires_s - now;
    return now + (left > 0 ? left / 2 : RENEW_EXPIRED_S);
}

void holding_renew_in_time(struct holding *h)
{
    int64_t wait_s = h->renew_at_s - clock_wall_s();
    int64_t keep_s = h->keep_tries == 0 ? 0 : RENEW_KEEP_S;
    if (h->grant.expires_s == 0 || h->renewal)
        return;
    if (h->saved && !h->keeps && wait_s > keep_s)
        wait_s = keep_s;
    timer_arm(&h->renew, (uint64_t)(wait_s > RENEW_SOONEST_S ? wait_s : RENEW_SOONEST_S) * 1000);
}

void holding_stop_renewing(struct holding *h)
{
    timer_stop(&h->renew);
    register_cancel(h->renewal);
    h->renewal = NULL;
}

static void on_renewed(void *user, const struct grant *g)
{
    struct holding *h = user;
    h->renewal = NULL;
    holding_take(h, g);
    holding_renew_in_time(h);
    LOG(INFO, "ticket_renewed", LOG_STR("name", g->id));
}

static void try_again_later(struct holding *h)
{
    h->renewal = NULL;
    h->renew_at_s = half_life_from_now(h);
    h->keep_tries++;
    holding_renew_in_time(h);
}

static void on_refused(void *user, const struct refusal *r)
{
    LOG(WARN, "ticket_not_renewed", LOG_STR("step", "register"), LOG_I("status", r->status),
        LOG_STR("error", r->error));
    try_again_later(user);
}

static void on_failed(void *user, const char *step, int err, const char *reason)
{
    LOG(WARN, "ticket_not_renewed", LOG_STR("step", step), LOG_STR("reason", reason));
    try_again_later(user);
}

static const struct register_ops renewal_ops = {
    .on_granted = on_renewed,
    .on_refused = on_refused,
    .on_failed = on_failed,
};

/* Asks for exactly this name: another one than viewers know would be no renewal. */
static void run_renew(void *user)
{
    struct holding *h = user;
    struct register_ask ask = holding_ask(h);
    ask.exact = true;
    h->renewal = register_start(h->o.env, h->o.server, &ask, &renewal_ops, h);
}

/* ---- what the server says */

void holding_take(struct holding *h, const struct grant *g)
{
    h->grant = *g;
    h->granted = true;
    h->keeps = h->asked_keep;
    h->keep_tries = 0;
    h->renew_at_s = half_life_from_now(h);
    set_ticket(h, g->ticket);
}

void holding_forget_grant(struct holding *h)
{
    h->granted = false;
}

void holding_drop_ticket(struct holding *h)
{
    LOG(WARN, "ticket_dropped", LOG_STR("server", h->server), LOG_STR("reason", "bad_ticket"));
    set_ticket(h, NULL);
}

/* Finds the key of the ticket in the file: the name that was asked for; otherwise the origin, if no
 * other process uses that now, or the origin with the first number that is free. */
static void find_key(struct holding *h)
{
    if (h->o.name) {
        h->key = xstrdup(h->o.name);
        return;
    }
    h->held = ERR_TAKEN;
    for (unsigned i = 1; i <= SAME_ORIGIN_MAX && h->held == ERR_TAKEN; i++) {
        free(h->key);
        h->key = i == 1 ? xstrdup(h->o.origin) : xasprintf("%s #%u", h->o.origin, i);
        h->held = tickets_hold(h->o.ticket_file, h->server, h->key);
    }
    if (h->held >= 0)
        return;
    free(h->key);
    h->key = NULL;
}

void holding_init(struct holding *h, const struct holding_options *o)
{
    *h = (struct holding){.o = *o};
    h->server = xasprintf("%s://%s", o->server->https ? "https" : "http", o->server->authority);
    timer_init(&h->renew, o->env->loop, run_renew, h);
    h->held = -1;
    if (o->ticket_file)
        find_key(h);
    if (h->key)
        h->ticket = tickets_get(o->ticket_file, h->server, h->key);
    h->saved = h->ticket;
}

void holding_deinit(struct holding *h)
{
    holding_stop_renewing(h);
    if (h->held >= 0)
        close(h->held);
    free(h->ticket);
    free(h->key);
    free(h->server);
}
