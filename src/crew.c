/* SPDX-License-Identifier: MIT */
/* crew.c - makes the workers, and drains and ends the objects in their lists; see crew.h. */
#include "src/crew.h"

#include <stdlib.h>
#include <unistd.h>

#include "h2mux/base/check.h"
#include "h2mux/base/clock.h"
#include "h2mux/base/kernel.h"
#include "h2mux/base/log.h"
#include "src/board/board.h"
#include "src/edge/edge_h1.h"
#include "src/edge/edge_h2.h"
#include "src/edge/footprint.h"
#include "src/edge/gate.h"
#include "src/edge/leap.h"
#include "src/edge/listener.h"
#include "src/limits/abuse.h"
#include "src/limits/address_buckets.h"
#include "src/memory_alarm.h"
#include "src/tunnels/link.h"
#include "src/tunnels/raw.h"
#include "src/tunnels/registry.h"
#include "src/tunnels/revoke.h"
#include "src/worker/mailbox.h"

enum { VIEWER_BURST_S = 10 /* seconds of --viewer-rate that an address may spend at once */ };

/* Checks that each gauge is the length of its list, and that a stopped worker has empty lists. */
static void crew_check(const struct worker *w)
{
    const struct worker_stats *s = &w->stats;
    worker_check(w);
    CHECK_THAT(list_count(&w->edges) + list_count(&w->h2_edges) == stat_get(&s->edges_open));
    CHECK_THAT(list_count(&w->links) == stat_get(&s->links_open));
    CHECK_THAT(list_count(&w->exchanges) ==
               stat_get(&s->exchanges_open) + stat_get(&s->websockets_open));
    CHECK_THAT(!w->stopped || (list_empty(&w->listeners) && list_empty(&w->gates)));
    CHECK_THAT(!w->stopped || (list_empty(&w->edges) && list_empty(&w->links)));
    CHECK_THAT(!w->stopped || list_empty(&w->h2_edges));
    CHECK_THAT(!w->stopped || (list_empty(&w->exchanges) && list_empty(&w->leaps)));
    CHECK_THAT(!w->stopped || list_empty(&w->raws));
}

/* ---- making and freeing */

/* Returns a seed for a hash table. Shortly after boot the system may have no random bytes; then the
 * seed is the time, which viewers cannot know exactly. */
static uint64_t random_seed(void)
{
    uint64_t seed = clock_now_us();
    kernel_random_early(&seed, sizeof seed);
    return seed;
}

/* After a sleep of the machine most links are gone, which their timers would notice much later. */
static void on_wake(void *user, uint64_t slept_ms)
{
    struct worker *w = user;
    LOG(INFO, "machine_has_slept", LOG_U("ms", slept_ms), LOG_U("links", list_count(&w->links)));
    LIST_FOREACH (it, &w->links)
        link_wake(CONTAINER_OF(it, struct link, in_worker));
}

struct worker *crew_worker_new(struct server *s, unsigned index)
{
    struct worker *w = worker_new(s, index);
    if (!w)
        return NULL;
    sleep_watch_start(&w->sleep, w->loop, on_wake, w);
    if (index == 0)
        w->alarm = memory_alarm_new(s, w->loop);
    footprint_open(w, crew_size(s->config));
    w->registry = registry_new(w);
    w->revoke = revoke_new(w);
    w->abuse = abuse_new(random_seed());
    uint64_t rate = s->config->limits.viewer_rate;
    if (rate > 0)
        w->requests = address_buckets_new(random_seed(), VIEWER_BURST_S * rate, rate);
    return w;
}

void crew_worker_free(struct worker *w)
{
    if (!w)
        return;
    crew_stop(w);
    sleep_watch_stop(&w->sleep);
    memory_alarm_free(w->alarm);
    revoke_free(w->revoke);
    registry_free(w->registry);
    abuse_free(w->abuse);
    address_buckets_free(w->requests);
    footprint_close(w);
    worker_free(w);
}

unsigned crew_size(const struct config *c)
{
    long cores = sysconf(_SC_NPROCESSORS_ONLN);
    if (c->workers > 0)
        return (unsigned)c->workers;
    return cores > 0 ? (unsigned)cores : 1;
}

int crew_open(struct server *s)
{
    unsigned count = crew_size(s->config);
    s->workers = xcalloc(count, sizeof(struct worker *));
    for (unsigned i = 0; i < count; i++) {
        s->workers[i] = crew_worker_new(s, i);
        if (!s->workers[i])
            return ERR_LIMIT;
        s->n_workers++;
    }
    return 0;
}

void crew_settle(struct server *s)
{
    bool any = true;
    for (unsigned i = 0; i < s->n_workers; i++)
        crew_stop(s->workers[i]);
    while (any) { /* a letter may cause another one, to any worker */
        any = false;
        for (unsigned i = 0; i < s->n_workers; i++)
            any |= mailbox_deliver(s->workers[i]->mailbox);
    }
}

void crew_close(struct server *s)
{
    crew_settle(s);
    for (unsigned i = 0; i < s->n_workers; i++)
        crew_worker_free(s->workers[i]);
    free(s->workers);
}

void crew_run(struct worker *w)
{
    loop_run(w->loop);
    crew_stop(w);
    atomic_fetch_sub(&w->server->running, 1);
}

/* ---- what lives on a worker */

static void each(struct list_node *head, void (*act)(struct list_node *node))
{
    LIST_FOREACH (it, head)
        act(it);
}

/* Calls @act with the first node of a list until the list is empty. @act takes that node off the
 * list, and may take other nodes off as well. */
static void empty(struct list_node *head, void (*act)(struct list_node *node))
{
    while (!list_empty(head))
        act(head->next);
}

static void drain_link(struct list_node *node)
{
    link_drain(CONTAINER_OF(node, struct link, in_worker));
}

static void close_link(struct list_node *node)
{
    link_close(CONTAINER_OF(node, struct link, in_worker), 0);
}

static void stop_listening(struct worker *w)
{
    empty(&w->listeners, listener_stop);
}

void crew_drain(struct worker *w)
{
    stop_listening(w);
    empty(&w->gates, gate_stop);
    empty(&w->leaps, leap_stop);
    each(&w->edges, edge_h1_drain);
    each(&w->h2_edges, edge_h2_drain);
    each(&w->links, drain_link);
    each(&w->raws, raw_drain);
    if (w->board)
        board_drain(w->board);
    if (CHECKING)
        crew_check(w);
}

bool crew_is_answering(const struct worker *w)
{
    if (CHECKING)
        crew_check(w);
    LIST_FOREACH (it, &w->edges)
        if (edge_h1_is_busy(it))
            return true;
    LIST_FOREACH (it, &w->h2_edges)
        if (edge_h2_is_busy(it))
            return true;
    return stat_get(&w->stats.exchanges_open) > 0 || loop_is_speaking(w->loop);
}

void crew_stop(struct worker *w)
{
    w->stopped = true;
    stop_listening(w);
    empty(&w->gates, gate_stop);
    empty(&w->edges, edge_h1_stop);
    empty(&w->h2_edges, edge_h2_stop);
    empty(&w->leaps, leap_stop);
    empty(&w->links, close_link);
    empty(&w->raws, raw_stop);
    if (w->board)
        board_stop(w->board);
    if (CHECKING)
        crew_check(w);
}
