/* SPDX-License-Identifier: MIT */
/* worker.c - makes, runs and frees one worker; see worker.h. */
#include "src/worker/worker.h"

#include <stdlib.h>

#include "h2mux/base/check.h"
#include "h2mux/base/pool.h"
#include "src/worker/mailbox.h"

void worker_note_evicted(struct worker *w, const char *name, uint64_t stalled_ms, uint64_t bytes)
{
    uint64_t suppressed;
    if (CHECKING)
        worker_check(w);
    stat_add(&w->stats.streams_evicted, 1);
    if (log_limit_pass(&w->evicted_log, loop_now_us(w->loop), &suppressed))
        LOG(WARN, "stream_evicted", LOG_STR("name", name), LOG_U("stalled_ms", stalled_ms),
            LOG_U("octets", bytes), LOG_U("held", budget_used(&w->server->budget)),
            LOG_U("budget", w->server->budget.limit), LOG_U("suppressed", suppressed));
}

/* Counts and logs that the rest of an answer was dropped after its exchange had ended. The name of
 * its tunnel is not known then. */
static void on_cut(void *user, uint64_t stalled_ms, uint64_t bytes)
{
    worker_note_evicted(user, "-", stalled_ms, bytes);
}

bool worker_may_log(struct worker *w, enum worker_event e, uint64_t *suppressed)
{
    bool wrong = e >= WORKER_ATTACH_REFUSED;
    return log_limit_pass_some(&w->event_log[e], loop_now_us(w->loop), wrong ? 20 : 1000,
                               wrong ? 1 : 20, suppressed);
}

struct slice worker_date(struct worker *w)
{
    int64_t now = clock_wall_s();
    if (now != w->date_s || w->date[0] == '\0') {
        w->date_s = now;
        clock_http(now, w->date);
    }
    return slice_str(w->date);
}

static void init_lists(struct worker *w)
{
    list_init(&w->listeners);
    list_init(&w->gates);
    list_init(&w->edges);
    list_init(&w->h2_edges);
    list_init(&w->leaps);
    list_init(&w->links);
    list_init(&w->raws);
    list_init(&w->exchanges);
}

struct worker *worker_new(struct server *s, unsigned index)
{
    struct worker *w = xcalloc(1, sizeof *w);
    w->server = s;
    w->index = index;
    w->owner_thread = pthread_self();
    init_lists(w);
    w->loop = loop_new();
    if (!w->loop)
        goto fail;
    w->mailbox = mailbox_new(w->loop, w);
    if (!w->mailbox)
        goto fail_loop;
    evictor_init(&w->evictor, &s->budget, w->loop);
    w->evictor.tails.stall_ms = s->config->timeouts.stall_ms;
    w->evictor.tails.on_cut = on_cut;
    w->evictor.tails.user = w;
    return w;
fail_loop:
    loop_free(w->loop);
fail:
    free(w);
    return NULL;
}

void worker_free(struct worker *w)
{
    if (!w)
        return;
    if (CHECKING)
        worker_check(w);
    CHECK_THAT(list_empty(&w->listeners) && list_empty(&w->gates) && list_empty(&w->edges));
    CHECK_THAT(list_empty(&w->h2_edges));
    CHECK_THAT(list_empty(&w->links) && list_empty(&w->exchanges) && list_empty(&w->leaps));
    CHECK_THAT(list_empty(&w->raws));
    mailbox_free(w->mailbox);
    evictor_deinit(&w->evictor);
    loop_free(w->loop);
    free(w);
}

/* Holds the argument of a new thread. The thread frees it. */
struct start {
    struct worker *worker;
    void (*run)(struct worker *w);
};

static void *thread_main(void *arg)
{
    struct start start = *(struct start *)arg;
    free(arg);
    start.worker->owner_thread = pthread_self();
    start.run(start.worker);
    pool_drain();
    return NULL;
}

int worker_start(struct worker *w, void (*run)(struct worker *w))
{
    struct start *start = xcalloc(1, sizeof *start);
    *start = (struct start){w, run};
    if (pthread_create(&w->thread, NULL, thread_main, start) == 0)
        return ERR_OK;
    free(start);
    return ERR_LIMIT;
}

void worker_join(struct worker *w)
{
    pthread_join(w->thread, NULL);
    w->owner_thread = pthread_self();
}
