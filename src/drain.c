/* SPDX-License-Identifier: MIT */
/* drain.c - takes each worker through the states of its stop; see drain.h. */
#include "src/drain.h"

#include <signal.h>
#include <stdlib.h>

#include "h2mux/base/check.h"
#include "h2mux/base/log.h"
#include "src/crew.h"
#include "src/names/names_file.h"
#include "src/worker/mailbox.h"

enum {
    LOOK_MS = 20,
    CLOSE_HANDSHAKE_MS = 2100, /* sock_finish gives a WebSocket 2 s */
    SUCCESSOR_MS = 3000        /* for a successor of a server that old clients use */
};

enum drain_state { DRAIN_RUNNING, DRAIN_DRAINING, DRAIN_CLOSING };

/* Describes the stop of one worker. Only that worker's thread touches it. */
struct worker_drain {
    struct worker *worker; /* borrowed: outlives this */
    struct drain *drain;   /* has this */
    enum drain_state state;
    uint64_t since_us; /* monotonic: when the state was entered; 0 in RUNNING */
    bool websockets;   /* CLOSING: WebSockets were open when it began */
    struct timer timer;
};

struct drain {
    struct server *server;      /* borrowed */
    _Atomic unsigned listening; /* workers that have not begun to drain */
    bool watching;              /* `term` and `interrupt` are added */
    struct event term, interrupt;
    struct worker_drain workers[]; /* server->n_workers of them */
};

/* ---- one worker */

/* Checks the invariants that drain.h states for each state. */
static void drain_check(const struct worker_drain *d)
{
    const struct worker *w = d->worker;
    worker_check(w);
    CHECK_THAT((d->state == DRAIN_RUNNING) == (d->since_us == 0));
    CHECK_THAT(d->state != DRAIN_DRAINING || w->server->draining);
    CHECK_THAT(d->state == DRAIN_RUNNING || (list_empty(&w->listeners) && list_empty(&w->gates)));
    CHECK_THAT(d->state != DRAIN_CLOSING || w->stopped);
}

static void enter_closing(struct worker_drain *d)
{
    struct worker_stats *stats = &d->worker->stats;
    LOG(INFO, "closing", LOG_U("worker", d->worker->index),
        LOG_U("exchanges", stat_get(&stats->exchanges_open)),
        LOG_U("websockets", stat_get(&stats->websockets_open)));
    d->state = DRAIN_CLOSING;
    d->websockets = stat_get(&stats->websockets_open) > 0;
    d->since_us = loop_now_us(d->worker->loop);
    crew_stop(d->worker);
    timer_arm(&d->timer, LOOK_MS);
    if (CHECKING)
        drain_check(d);
}

/* Enters CLOSING when no exchange but open WebSockets is left, or when --drain-timeout is over.
 * With sockets of old clients (raw.h) a successor has SUCCESSOR_MS to listen before they are reset,
 * unless a supervisor keeps the port meanwhile, where who comes waits for the successor.
 * Otherwise looks again after LOOK_MS. This costs less than a callback at the end of every
 * exchange. */
static void look_at_exchanges(struct worker_drain *d, uint64_t waited_ms)
{
    const struct worker *w = d->worker;
    bool awaits = !list_empty(&w->raws) && !w->server->ports_kept && waited_ms < SUCCESSOR_MS;
    bool over = !crew_is_answering(w) && !awaits;
    if (over || waited_ms >= w->server->config->timeouts.drain_ms)
        enter_closing(d);
    else
        timer_arm(&d->timer, LOOK_MS);
}

/* Stops the loop when all queued bytes have been sent and viewers have closed their WebSockets, or
 * after CLOSE_HANDSHAKE_MS. Otherwise looks again after LOOK_MS. Worker 0 also waits for the other
 * workers. */
static void look_at_last_words(struct worker_drain *d, uint64_t waited_ms)
{
    struct loop *loop = d->worker->loop;
    bool others = d->worker->index == 0 && d->worker->server->running > 1;
    bool speaking = d->websockets ? loop_has_adopted(loop) : loop_is_speaking(loop);
    if (!others && (!speaking || waited_ms >= CLOSE_HANDSHAKE_MS))
        loop_stop(loop);
    else
        timer_arm(&d->timer, LOOK_MS);
}

static void on_timer(void *user)
{
    struct worker_drain *d = user;
    uint64_t waited_ms = (loop_now_us(d->worker->loop) - d->since_us) / 1000;
    CHECK_THAT(d->state != DRAIN_RUNNING);
    if (CHECKING)
        drain_check(d);
    if (d->state == DRAIN_DRAINING)
        look_at_exchanges(d, waited_ms);
    else
        look_at_last_words(d, waited_ms);
}

/* Hands the names over to a successor: after the last worker has closed its listeners, a name
 * changes only there. */
static void hand_over(struct drain *d)
{
    if (atomic_fetch_sub(&d->listening, 1) == 1)
        names_file_finish(d->server->names_file);
}

static void start(struct worker_drain *d)
{
    d->state = DRAIN_DRAINING;
    d->since_us = loop_now_us(d->worker->loop);
    crew_drain(d->worker);
    hand_over(d->drain);
    timer_arm(&d->timer, LOOK_MS);
    if (CHECKING)
        drain_check(d);
}

static void stop_now(struct worker_drain *d)
{
    crew_stop(d->worker);
    loop_stop(d->worker->loop);
}

/* ---- all workers */

/* Holds a message that tells one worker to drain, or to stop at once. */
struct order {
    struct mail mail;
    struct worker_drain *drain; /* borrowed: freed after crew_settle */
    bool at_once;
};

static void obey(struct mail *m, void *reader)
{
    struct order *o = CONTAINER_OF(m, struct order, mail);
    if (CHECKING)
        drain_check(o->drain);
    if (o->at_once)
        stop_now(o->drain);
    else if (o->drain->state == DRAIN_RUNNING)
        start(o->drain);
    free(o);
}

/* Posts a drain (or an immediate stop) to every worker. */
static void post_orders(struct drain *d, bool at_once)
{
    for (unsigned i = 0; i < d->server->n_workers; i++) {
        struct order *o = xcalloc(1, sizeof *o);
        o->mail.deliver = obey;
        o->drain = &d->workers[i];
        o->at_once = at_once;
        mailbox_post(d->workers[i].worker->mailbox, &o->mail);
    }
}

void drain_stop_now(struct drain *d)
{
    post_orders(d, true);
}

static void on_signal(evutil_socket_t number, short what, void *arg)
{
    struct drain *d = arg;
    bool again = d->server->draining;
    d->server->draining = true;
    LOG(INFO, again ? "stopping_at_once" : "draining", LOG_I("signal", number));
    if (!again) {
        store_will_end(d->server->store);
        notify_tell(&d->server->notify, "STOPPING=1");
    }
    post_orders(d, again);
}

/* Blocks SIGTERM and SIGINT while nobody watches them: one that comes then must not end the process
 * with the wrong exit code, and before the names file is written. */
static void set_signals(int how)
{
    sigset_t both;
    sigemptyset(&both);
    sigaddset(&both, SIGTERM);
    sigaddset(&both, SIGINT);
    pthread_sigmask(how, &both, NULL);
}

void drain_watch_signals(struct drain *d)
{
    struct event_base *base = loop_base(d->server->workers[0]->loop);
    evsignal_assign(&d->term, base, SIGTERM, on_signal, d);
    evsignal_assign(&d->interrupt, base, SIGINT, on_signal, d);
    evsignal_add(&d->term, NULL);
    evsignal_add(&d->interrupt, NULL);
    d->watching = true;
    set_signals(SIG_UNBLOCK);
}

struct drain *drain_new(struct server *s)
{
    struct drain *d = xcalloc(1, sizeof *d + s->n_workers * sizeof *d->workers);
    set_signals(SIG_BLOCK);
    d->server = s;
    d->listening = s->n_workers;
    for (unsigned i = 0; i < s->n_workers; i++) {
        d->workers[i].worker = s->workers[i];
        d->workers[i].drain = d;
        timer_init(&d->workers[i].timer, s->workers[i]->loop, on_timer, &d->workers[i]);
    }
    return d;
}

void drain_free(struct drain *d)
{
    if (!d)
        return;
    for (unsigned i = 0; i < d->server->n_workers; i++)
        timer_stop(&d->workers[i].timer);
    if (d->watching) {
        set_signals(SIG_BLOCK);
        evsignal_del(&d->term);
        evsignal_del(&d->interrupt);
    }
    free(d);
}
