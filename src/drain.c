/* SPDX-License-Identifier: MIT */
/* drain.c - a worker's way out; see drain.h for the states. */
#include "src/drain.h"

#include <signal.h>
#include <stdlib.h>

#include "h2mux/base/log.h"
#include "src/worker/mailbox.h"

enum { LOOK_MS = 20, CLOSE_HANDSHAKE_MS = 2100 /* sock_finish gives a WebSocket 2 s */ };

enum drain_state { DRAIN_RUNNING, DRAIN_DRAINING, DRAIN_CLOSING };

struct drain {
    struct worker *worker; /* borrowed: outlives this */
    enum drain_state state;
    uint64_t since_us;
    bool watching;
    bool websockets; /* CLOSING: their close handshakes are waited for */
    struct event term, interrupt;
    struct timer timer;
};

static void enter_closing(struct drain *d)
{
    LOG(INFO, "closing", "worker=%u exchanges=%llu websockets=%llu", d->worker->index,
        (unsigned long long)stat_get(&d->worker->stats.exchanges_open),
        (unsigned long long)stat_get(&d->worker->stats.websockets_open));
    d->state = DRAIN_CLOSING;
    d->websockets = stat_get(&d->worker->stats.websockets_open) > 0;
    d->since_us = loop_now_us(d->worker->loop);
    worker_stop(d->worker);
    timer_arm(&d->timer, LOOK_MS);
}

/* A few looks a second are cheaper than a hook in every exchange's end. */
static void look_at_exchanges(struct drain *d, uint64_t waited_ms)
{
    if (!worker_is_answering(d->worker) || waited_ms >= d->worker->server->config->drain_timeout_ms)
        enter_closing(d);
    else
        timer_arm(&d->timer, LOOK_MS);
}

static void look_at_last_words(struct drain *d, uint64_t waited_ms)
{
    bool others = d->worker->index == 0 && d->worker->server->running > 1;
    bool speaking =
        d->websockets ? loop_has_adopted(d->worker->loop) : loop_is_speaking(d->worker->loop);
    if (!others && (!speaking || waited_ms >= CLOSE_HANDSHAKE_MS))
        loop_stop(d->worker->loop);
    else
        timer_arm(&d->timer, LOOK_MS);
}

static void on_timer(void *user)
{
    struct drain *d = user;
    uint64_t waited_ms = (loop_now_us(d->worker->loop) - d->since_us) / 1000;
    if (d->state == DRAIN_DRAINING)
        look_at_exchanges(d, waited_ms);
    else
        look_at_last_words(d, waited_ms);
}

static void start(struct drain *d)
{
    d->state = DRAIN_DRAINING;
    d->since_us = loop_now_us(d->worker->loop);
    worker_drain(d->worker);
    timer_arm(&d->timer, LOOK_MS);
}

static void stop_now(struct drain *d)
{
    worker_stop(d->worker);
    loop_stop(d->worker->loop);
}

/* ---- orders from worker 0 */

struct order {
    struct mail mail;
    bool at_once;
};

static void obey(struct mail *m, void *reader)
{
    struct order *o = CONTAINER_OF(m, struct order, mail);
    struct worker *w = reader;
    if (o->at_once)
        stop_now(w->drain);
    else if (w->drain->state == DRAIN_RUNNING)
        start(w->drain);
    free(o);
}

void drain_order(struct server *s, bool at_once)
{
    for (unsigned i = 0; i < s->n_workers; i++) {
        struct order *o = xcalloc(1, sizeof *o);
        o->mail.deliver = obey;
        o->at_once = at_once;
        mailbox_post(s->workers[i]->mailbox, &o->mail);
    }
}

static void on_signal(evutil_socket_t number, short what, void *arg)
{
    struct drain *d = arg;
    struct server *s = d->worker->server;
    bool again = s->draining;
    s->draining = true;
    LOG(INFO, again ? "stopping at once" : "draining", "signal=%d", (int)number);
    drain_order(s, again);
}

void drain_watch_signals(struct drain *d)
{
    evsignal_assign(&d->term, loop_base(d->worker->loop), SIGTERM, on_signal, d);
    evsignal_assign(&d->interrupt, loop_base(d->worker->loop), SIGINT, on_signal, d);
    evsignal_add(&d->term, NULL);
    evsignal_add(&d->interrupt, NULL);
    d->watching = true;
}

struct drain *drain_new(struct worker *w)
{
    struct drain *d = xcalloc(1, sizeof *d);
    d->worker = w;
    timer_init(&d->timer, w->loop, on_timer, d);
    return d;
}

void drain_free(struct drain *d)
{
    timer_stop(&d->timer);
    if (d->watching) {
        evsignal_del(&d->term);
        evsignal_del(&d->interrupt);
    }
    free(d);
}
