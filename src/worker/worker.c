/* SPDX-License-Identifier: MIT */
/* worker.c - one loop's worth of the server: made empty, run, emptied. */
#include "src/worker/worker.h"

#include <stdlib.h>
#include <sys/random.h>

#include "h2mux/base/clock.h"
#include "h2mux/base/pool.h"
#include "src/drain.h"
#include "src/edge/edge.h"
#include "src/edge/gate.h"
#include "src/edge/listener.h"
#include "src/limits/abuse.h"
#include "src/limits/address_buckets.h"
#include "src/tunnels/link.h"
#include "src/tunnels/registry.h"
#include "src/worker/mailbox.h"

enum { VIEWER_BURST_S = 10 }; /* of --viewer-rate, at once */

/* Early in a system's life there may be none: then it is known to nobody all the same. */
static uint64_t random_seed(void)
{
    uint64_t seed = clock_now_us();
    (void)!getrandom(&seed, sizeof seed, GRND_NONBLOCK);
    return seed;
}

void worker_note_evicted(struct worker *w, const char *name, uint64_t stalled_ms, uint64_t bytes)
{
    uint64_t suppressed;
    stat_add(&w->stats.streams_evicted, 1);
    if (log_limit_pass(&w->evicted_log, loop_now_us(w->loop), &suppressed))
        LOG(WARN, "stream_evicted",
            "name=%s stalled_ms=%llu octets=%llu held=%llu budget=%llu suppressed=%llu", name,
            (unsigned long long)stalled_ms, (unsigned long long)bytes,
            (unsigned long long)memory_used(&w->server->memory),
            (unsigned long long)w->server->memory.limit, (unsigned long long)suppressed);
}

/* Of an answer that was complete: its tunnel is not known any more. */
static void on_tail(void *user, uint64_t stalled_ms, uint64_t bytes)
{
    worker_note_evicted(user, "-", stalled_ms, bytes);
}

struct worker *worker_new(struct server *s, unsigned index)
{
    struct worker *w = xcalloc(1, sizeof *w);
    w->server = s;
    w->index = index;
    list_init(&w->listeners);
    list_init(&w->gates);
    list_init(&w->edges);
    list_init(&w->links);
    list_init(&w->exchanges);
    w->loop = loop_new();
    if (!w->loop)
        goto fail;
    w->mailbox = mailbox_new(w->loop, w);
    if (!w->mailbox)
        goto fail_loop;
    w->registry = registry_new(w->loop, s->config, s->directory, (int)index);
    w->drain = drain_new(w);
    memory_share_init(&w->memory, &s->memory, w->loop);
    w->memory.stall_ms = s->config->stall_ms;
    w->memory.on_tail = on_tail;
    w->memory.user = w;
    w->abuse = abuse_new(random_seed());
    uint64_t rate = s->config->viewer_rate;
    if (rate > 0)
        w->requests = buckets_new(random_seed(), VIEWER_BURST_S * rate, rate);
    return w;
fail_loop:
    loop_free(w->loop);
fail:
    free(w);
    return NULL;
}

void worker_run(struct worker *w)
{
    loop_run(w->loop);
    worker_stop(w);
    atomic_fetch_sub(&w->server->running, 1);
}

static void *thread_main(void *arg)
{
    worker_run(arg);
    pool_drain();
    return NULL;
}

int worker_start(struct worker *w)
{
    return pthread_create(&w->thread, NULL, thread_main, w) == 0 ? ERR_OK : ERR_LIMIT;
}

void worker_join(struct worker *w)
{
    pthread_join(w->thread, NULL);
}

static void each(struct list_node *head, void (*act)(struct list_node *node))
{
    LIST_FOREACH (it, head)
        act(it);
}

/* Until none is left: one that goes may take others of its kind with it. */
static void empty(struct list_node *head, void (*act)(struct list_node *node))
{
    while (!list_empty(head))
        act(head->next);
}

void worker_stop_listening(struct worker *w)
{
    empty(&w->listeners, listener_stop);
}

static void drain_link(struct list_node *node)
{
    link_drain(CONTAINER_OF(node, struct link, in_worker));
}

bool worker_is_answering(const struct worker *w)
{
    LIST_FOREACH (it, &w->edges)
        if (edge_is_busy(it))
            return true;
    return stat_get(&w->stats.exchanges_open) > 0 || loop_is_speaking(w->loop);
}

static void close_link(struct list_node *node)
{
    link_close(CONTAINER_OF(node, struct link, in_worker), 0);
}

void worker_drain(struct worker *w)
{
    worker_stop_listening(w);
    empty(&w->gates, gate_stop);
    each(&w->edges, edge_drain);
    each(&w->links, drain_link);
}

void worker_stop(struct worker *w)
{
    w->stopped = true;
    worker_stop_listening(w);
    empty(&w->gates, gate_stop);
    empty(&w->edges, edge_stop);
    empty(&w->links, close_link);
}

void worker_free(struct worker *w)
{
    if (!w)
        return;
    w->stopped = true;
    mailbox_free(w->mailbox);
    worker_stop(w);
    registry_free(w->registry);
    drain_free(w->drain);
    abuse_free(w->abuse);
    buckets_free(w->requests);
    memory_share_deinit(&w->memory);
    loop_free(w->loop);
    free(w);
}
