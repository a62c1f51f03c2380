/* drain.c - TERM and INT; see drain.h for the states. */
#include "src/drain.h"

#include <signal.h>
#include <stdlib.h>

#include "h2mux/base/log.h"

enum { LOOK_MS = 20, CLOSE_HANDSHAKE_MS = 2100 /* sock_finish gives a WebSocket 2 s */ };

enum drain_state { DRAIN_RUNNING, DRAIN_DRAINING, DRAIN_CLOSING };

struct drain {
    struct worker *worker; /* borrowed: outlives this */
    enum drain_state state;
    uint64_t since_us;
    bool websockets; /* CLOSING: their close handshakes are waited for */
    struct event term, interrupt;
    struct timer timer;
};

static void enter_closing(struct drain *d)
{
    LOG(INFO, "closing", "exchanges=%llu websockets=%llu", (unsigned long long)d->worker->stats.exchanges_open,
        (unsigned long long)d->worker->stats.websockets_open);
    d->state = DRAIN_CLOSING;
    d->websockets = d->worker->stats.websockets_open > 0;
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
    bool speaking = d->websockets ? loop_has_adopted(d->worker->loop) : loop_is_speaking(d->worker->loop);
    if (!speaking || waited_ms >= CLOSE_HANDSHAKE_MS)
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
    d->worker->server->draining = true;
    LOG(INFO, "draining", "exchanges=%llu links=%llu", (unsigned long long)d->worker->stats.exchanges_open,
        (unsigned long long)d->worker->stats.links_open);
    worker_drain(d->worker);
    timer_arm(&d->timer, LOOK_MS);
}

static void on_signal(evutil_socket_t number, short what, void *arg)
{
    struct drain *d = arg;
    if (d->state == DRAIN_RUNNING) {
        start(d);
        return;
    }
    LOG(INFO, "stopped at once", "signal=%d", (int)number);
    worker_stop(d->worker);
    loop_stop(d->worker->loop);
}

struct drain *drain_new(struct worker *w)
{
    struct drain *d = xcalloc(1, sizeof(*d));
    d->worker = w;
    timer_init(&d->timer, w->loop, on_timer, d);
    evsignal_assign(&d->term, loop_base(w->loop), SIGTERM, on_signal, d);
    evsignal_assign(&d->interrupt, loop_base(w->loop), SIGINT, on_signal, d);
    evsignal_add(&d->term, NULL);
    evsignal_add(&d->interrupt, NULL);
    return d;
}

void drain_free(struct drain *d)
{
    timer_stop(&d->timer);
    evsignal_del(&d->term);
    evsignal_del(&d->interrupt);
    free(d);
}
