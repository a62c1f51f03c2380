/* SPDX-License-Identifier: MIT */
/* exchange_list.c - all exchanges of this process: how one begins, how many run. See exchange.h. */
#include <stdlib.h>

#include "client/origin/exchange_int.h"
#include "client/origin/translate.h"
#include "client/origin/upgrade.h"
#include "h2mux/base/pool.h"
#include "h2mux/h2/window.h"

static void run_quiet(void *user)
{
    struct exchanges *all = user;
    if (all->ordinary == 0 && all->o.on_quiet)
        all->o.on_quiet(all->o.user);
}

/* The one end of an exchange's membership. */
void exchanges_remove(struct exchange *x)
{
    struct exchanges *all = x->all;
    list_remove(&x->node);
    if (x->websocket)
        all->websockets--;
    else if (--all->ordinary == 0)
        loop_defer(all->o.loop, &all->quiet);
}

/* Where the stream's head ends, its request does not: head and arena are ours from here on. */
static void keep_request(struct exchange *x, struct message *m)
{
    const struct message *r = &x->request;
    x->request = *m;
    message_init(m);
    x->method = message_is_websocket(r) ? SLICE("GET") : r->method; /* as the viewer said it */
    x->scheme = r->scheme;
    x->authority = r->authority;
    x->path = r->path;
}

static struct exchange *exchange_new(struct exchanges *all, struct leg *near, struct message *m,
                                     bool end)
{
    struct exchange *x = pool_take_zeroed(sizeof *x);
    x->all = all;
    keep_request(x, m);
    x->websocket = message_is_websocket(&x->request);
    x->bodyless = end;
    buf_init(&x->early, WINDOW_MAX);
    fields_init(&x->trailers);
    timer_init(&x->timer, all->o.loop, exchange_run_timer, x);
    task_init(&x->connect, exchange_run_connect, x);
    relay_init(&x->relay, all->o.loop, near, end, &exchange_relay_ops);
    relay_hold(&x->relay);
    x->started_us = x->relay.moved_us;
    list_push(&all->list, &x->node);
    if (x->websocket)
        all->websockets++;
    else
        all->ordinary++;
    return x;
}

/* A stream may be over while the origin's connection is not: its slot is free when both are. The
 * session's own count of streams cannot see that. */
static bool is_full(const struct exchanges *all)
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

void exchange_start(struct exchanges *all, struct leg *near, struct message *m, bool end)
{
    if (is_full(all)) {
        refuse_unprocessed(near);
        return;
    }
    struct exchange *x = exchange_new(all, near, m, end);
    const char *reason = NULL;

    if (translate_to_origin(&x->request, &x->wants_trailers, &reason) < 0) {
        exchange_refuse(x, "request head", reason);
        return;
    }
    if (slice_eq(x->request.method, SLICE("CONNECT")) && !x->websocket) {
        exchange_fail(x, &failure_unsupported, "request head", "CONNECT is for WebSockets");
        return;
    }
    x->wants_continue =
        fields_has_token(&x->request.fields, SLICE("expect"), SLICE("100-continue"));
    rewrite_request(all->o.rewrite, &x->request);
    if (x->websocket && upgrade_request(&x->request) < 0) {
        exchange_fail(x, &failure_internal, "upgrade", "no random octets");
        return;
    }
    exchange_connect(x, false);
}

struct exchanges *exchanges_new(const struct exchanges_options *o)
{
    struct exchanges *all = xcalloc(1, sizeof *all);
    all->o = *o;
    list_init(&all->list);
    task_init(&all->quiet, run_quiet, all);
    return all;
}

void exchanges_free(struct exchanges *all)
{
    if (!all)
        return;
    while (!list_empty(&all->list)) {
        struct exchange *x = CONTAINER_OF(all->list.next, struct exchange, node);
        exchange_close(x, ORIGIN_CLOSE);
    }
    task_cancel(&all->quiet);
    free(all);
}

size_t exchanges_ordinary(const struct exchanges *all)
{
    return all->ordinary;
}

size_t exchanges_websockets(const struct exchanges *all)
{
    return all->websockets;
}
