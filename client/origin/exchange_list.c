/* SPDX-License-Identifier: MIT */
/* exchange_list.c - see exchange_list.h. */
#include "client/origin/exchange_list.h"

#include <stdlib.h>

#include "h2mux/base/check.h"
#include "h2mux/h2/h2.h"

struct exchange_list {
    struct exchange_list_options o;
    struct exchange_env env;
    struct host_choice host;
    struct list_node exchanges; /* of exchange.node */
    size_t ordinary, websockets;
    struct task quiet;
};

static void exchange_list_check(const struct exchange_list *all)
{
    size_t n = 0;
    LIST_FOREACH (it, &all->exchanges)
        n++;
    CHECK_THAT(n == all->ordinary + all->websockets);
}

static size_t *count_of(struct exchange_list *all, const struct exchange *x)
{
    return x->asked.websocket ? &all->websockets : &all->ordinary;
}

static void run_quiet(void *user)
{
    struct exchange_list *all = user;
    if (all->ordinary == 0 && all->o.on_quiet)
        all->o.on_quiet(all->o.user);
}

static void on_end(void *user, struct exchange *x, const struct exchange_report *r)
{
    struct exchange_list *all = user;
    list_remove(&x->node);
    --*count_of(all, x);
    if (all->ordinary == 0 && !x->asked.websocket)
        loop_defer(all->o.loop, &all->quiet);
    if (CHECKING)
        exchange_list_check(all);
    if (all->o.on_finished)
        all->o.on_finished(all->o.user, r);
}

/* Returns whether no more may run. A stream may be over while the origin's connection is not: its
 * place is free when both are, which the session's own count of streams cannot see. */
static bool is_full(const struct exchange_list *all)
{
    return all->ordinary + all->websockets + *all->o.finishing >= all->o.max;
}

static void refuse_unprocessed(struct leg *near)
{
    struct leg_fault why = {.err = ERR_LIMIT,
                            .h2_code = H2_REFUSED_STREAM,
                            .unprocessed = true,
                            .reason = "the origin's connections are not done"};
    near->ops->reset(near, &why);
}

void exchange_list_take(struct exchange_list *all, struct leg *near, struct message *m, bool end)
{
    if (is_full(all)) {
        refuse_unprocessed(near);
        return;
    }
    struct exchange *x = client_exchange_new(&all->env, near, m, end);
    list_push(&all->exchanges, &x->node);
    ++*count_of(all, x);
    client_exchange_start(x);
}

struct exchange_list *exchange_list_new(const struct exchange_list_options *o)
{
    struct exchange_list *all = xcalloc(1, sizeof *all);
    all->o = *o;
    all->env = (struct exchange_env){
        .loop = o->loop,
        .origin = o->origin,
        .channels = o->channels,
        .host = &all->host,
        .times = o->times,
        .knows_viewers = o->knows_viewers,
        .on_end = on_end,
        .user = all,
    };
    host_choice_init(&all->host, o->rewrite);
    list_init(&all->exchanges);
    task_init(&all->quiet, run_quiet, all);
    return all;
}

void exchange_list_free(struct exchange_list *all)
{
    if (!all)
        return;
    while (!list_empty(&all->exchanges))
        client_exchange_close(CONTAINER_OF(all->exchanges.next, struct exchange, node),
                              ORIGIN_CLOSE);
    task_cancel(&all->quiet);
    free(all);
}

bool exchange_list_learned_host(const struct exchange_list *all)
{
    return all->host.learned;
}

bool exchange_list_asks_who(const struct exchange_list *all)
{
    return origin_keeps_logins(all->o.origin);
}

void exchange_list_viewers(const struct exchange_list *all,
                           void (*each)(void *user, uint64_t viewer), void *user)
{
    LIST_FOREACH (it, &all->exchanges)
        each(user, CONST_CONTAINER_OF(it, struct exchange, node)->viewer);
}

size_t exchange_list_ordinary(const struct exchange_list *all)
{
    return all->ordinary;
}

size_t exchange_list_websockets(const struct exchange_list *all)
{
    return all->websockets;
}
