/* SPDX-License-Identifier: MIT */
/* dial_queue.c - see dial_queue.h. */
#include "client/origin/dial_queue.h"

#include <limits.h>
#include <sys/resource.h>
#include <unistd.h>

#include "h2mux/base/check.h"
#include "h2mux/base/kernel.h"

enum { RETRY_MS = 50 };

static struct dial_waiter *waiter_of(struct list_node *n)
{
    return CONTAINER_OF(n, struct dial_waiter, node);
}

static void run_task(void *user)
{
    struct dial_queue *q = user;
    if (CHECKING)
        dial_queue_check(q);
    if (!list_empty(&q->list))
        q->ops->serve(q->user);
}

static void on_timer(void *user)
{
    struct dial_queue *q = user;
    uint64_t now = loop_now_us(q->loop);
    for (struct dial_waiter *w; (w = dial_queue_first(q));) {
        if (now - w->since_us < (uint64_t)DIAL_QUEUE_MAX_MS * 1000)
            break;
        dial_queue_leave(w);
        q->ops->late(q->user, w);
    }
    if (list_empty(&q->list))
        return;
    timer_arm(&q->timer, RETRY_MS);
    dial_queue_wake(q);
}

/* Returns the number of the first descriptor that is not for dials. Where few are allowed, dials
 * have three quarters of them. */
static int first_kept(unsigned spare)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) < 0 || limit.rlim_cur > INT_MAX)
        return 0;
    rlim_t keep = spare < limit.rlim_cur / 4 ? spare : limit.rlim_cur / 4;
    return (int)(limit.rlim_cur - keep);
}

void dial_queue_init(struct dial_queue *q, struct loop *l, unsigned spare,
                     const struct dial_queue_ops *ops, void *user)
{
    *q = (struct dial_queue){.loop = l, .ops = ops, .user = user, .below = first_kept(spare)};
    list_init(&q->list);
    task_init(&q->task, run_task, q);
    timer_init(&q->timer, l, on_timer, q);
}

void dial_queue_deinit(struct dial_queue *q)
{
    CHECK_THAT(list_empty(&q->list));
    task_cancel(&q->task);
    timer_stop(&q->timer);
}

void dial_queue_enter(struct dial_queue *q, struct dial_waiter *w)
{
    struct list_node *before = q->list.prev;
    if (w->since_us == 0)
        w->since_us = loop_now_us(q->loop);
    while (before != &q->list && waiter_of(before)->since_us > w->since_us)
        before = before->prev;
    list_push(before->next, &w->node);
    if (!timer_armed(&q->timer))
        timer_arm(&q->timer, RETRY_MS);
    if (CHECKING)
        dial_queue_check(q);
}

void dial_queue_leave(struct dial_waiter *w)
{
    list_remove(&w->node);
}

struct dial_waiter *dial_queue_first(const struct dial_queue *q)
{
    return list_empty(&q->list) ? NULL : waiter_of(q->list.next);
}

void dial_queue_wake(struct dial_queue *q)
{
    if (!list_empty(&q->list))
        loop_defer(q->loop, &q->task);
}

bool dial_queue_has_room(const struct dial_queue *q, int n)
{
    int fd = kernel_next_descriptor();
    return fd >= 0 && (q->below == 0 || fd <= q->below - n);
}

void dial_queue_check(const struct dial_queue *q)
{
    uint64_t since_us = 0;
    LIST_FOREACH (n, &q->list) {
        CHECK_THAT(waiter_of(n)->since_us >= since_us && waiter_of(n)->since_us > 0);
        since_us = waiter_of(n)->since_us;
    }
    CHECK_THAT(list_empty(&q->list) || timer_armed(&q->timer));
}
