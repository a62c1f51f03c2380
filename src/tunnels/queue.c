/* SPDX-License-Identifier: MIT */
/* queue.c - gives places to the requests that wait for a name, and takes them back; see queue.h. */
#include "src/tunnels/queue.h"

#include <assert.h>
#include <stdlib.h>

#include "src/worker/worker.h"

/* The axes of the pool of the process. */
enum { BY_VIEWER, BY_NAME, AXES };

/* The places of a waiter. They are allocated, since few requests ever wait. */
struct held {
    struct waiter *waiter; /* borrowed: frees this when it leaves the queue */
    struct queue *queue;   /* borrowed: outlives its waiters */
    struct share share;    /* in queue->shares */
    struct seat seat;      /* in server->holds */
};

static void evict(struct held *h)
{
    struct waiter *w = h->waiter;
    queue_remove(w);
    w->ops->on_evicted(w);
}

static void evict_seat(struct seat *seat)
{
    evict(CONTAINER_OF(seat, struct held, seat));
}

struct commons *queue_holds_new(void)
{
    return commons_new(HOLDS_MAX, AXES, evict_seat);
}

void queue_init(struct queue *q, struct worker *w)
{
    *q = (struct queue){.worker = w};
    list_init(&q->waiters);
}

void queue_check(const struct queue *q)
{
    CHECK_THAT(q->n == list_count(&q->waiters));
    CHECK_THAT(!q->shares == (q->n == 0));
    CHECK_THAT(!q->shares || shares_count(q->shares) == q->n);
    LIST_FOREACH (node, &q->waiters) {
        const struct waiter *w = CONTAINER_OF(node, struct waiter, node);
        CHECK_THAT(w->held && w->held->waiter == w && w->held->queue == q);
    }
}

/* Gives back what @h has, and frees it and the shares of its queue if nobody waits there now. */
static void give_back(struct held *h)
{
    struct queue *q = h->queue;
    commons_give(q->worker->server->holds, &h->seat);
    shares_give(q->shares, &h->share);
    h->waiter->held = NULL;
    free(h);
    if (q->n > 0)
        return;
    shares_free(q->shares);
    q->shares = NULL;
}

/* Takes both places of @h for the viewer @who. Returns false when one of them is refused. */
static bool take_places(struct held *h, const struct who *who)
{
    struct queue *q = h->queue;
    struct who axes[AXES] = {[BY_VIEWER] = *who, [BY_NAME] = who_of_object(q)};
    struct share *victim;
    if (!shares_take(q->shares, who, &h->share, &victim))
        return false;
    shares_set_idle(q->shares, &h->share, true);
    if (victim) /* which gives its place of the process back, too */
        evict(CONTAINER_OF(victim, struct held, share));
    return commons_take(q->worker->server->holds, q->worker, axes, &h->seat, true);
}

bool queue_push(struct queue *q, struct waiter *w)
{
    struct who who = {.depth = 0};
    assert(!w->held);
    if (w->viewer)
        who = who_of_viewer(w->viewer);
    if (!q->shares)
        q->shares = shares_new(QUEUE_MAX);
    w->held = xcalloc(1, sizeof *w->held);
    *w->held = (struct held){.waiter = w, .queue = q};
    q->n++; /* keeps the shares while others leave */
    if (!take_places(w->held, &who)) {
        q->n--;
        give_back(w->held);
        return false;
    }
    list_push(&q->waiters, &w->node);
    if (CHECKING)
        queue_check(q);
    return true;
}

struct waiter *queue_pop(struct queue *q)
{
    if (list_empty(&q->waiters))
        return NULL;
    struct waiter *w = CONTAINER_OF(q->waiters.next, struct waiter, node);
    queue_remove(w);
    return w;
}

void queue_remove(struct waiter *w)
{
    if (!list_linked(&w->node))
        return;
    list_remove(&w->node);
    w->held->queue->n--;
    give_back(w->held);
}
