/* SPDX-License-Identifier: MIT */
/* schedule.c - keeps entries in two queues (urgent and bulk) and gives them turns. See schedule.h.
 * Only schedule_check walks a queue. */
#include "h2mux/h2/schedule.h"

#include <assert.h>

#include "h2mux/base/check.h"

void schedule_init(struct schedule *q)
{
    *q = (struct schedule){.turn = NULL};
    list_init(&q->urgent);
    list_init(&q->bulk);
}

/* Returns whether @e is urgent, that is, goes before bulk. An entry with at most 16 KiB queued
 * (SCHEDULE_SHORT) is urgent if it is interactive (a WebSocket, an event stream, a short answer),
 * or if less than 16 KiB of it were framed so far: most short bodies show only by their end that
 * they are short. */
static bool is_urgent(const struct schedule_entry *e, size_t queued)
{
    if (queued > SCHEDULE_SHORT)
        return false;
    return e->interactive || e->framed < SCHEDULE_SHORT;
}

static void wait_in_queue(struct schedule *q, struct schedule_entry *e, size_t queued)
{
    if (!list_linked(&e->node))
        list_push(is_urgent(e, queued) ? &q->urgent : &q->bulk, &e->node);
}

void schedule_ready(struct schedule *q, struct schedule_entry *e, size_t queued)
{
    if (q->turn != e)
        wait_in_queue(q, e, queued);
}

/* Returns whether @e may begin a turn at once: no entry has the turn, and no waiting entry goes
 * before @e. */
static bool is_next(const struct schedule *q, const struct schedule_entry *e, size_t queued)
{
    return !q->turn && list_empty(&q->urgent) && (list_empty(&q->bulk) || is_urgent(e, queued)) &&
           (q->ahead < SCHEDULE_AHEAD || list_empty(&q->bulk));
}

static void begin_turn(struct schedule *q, struct schedule_entry *e)
{
    list_remove(&e->node);
    q->turn = e;
    q->run = SCHEDULE_RUN;
}

static size_t least(size_t a, size_t b)
{
    return a < b ? a : b;
}

size_t schedule_share(struct schedule *q, struct schedule_entry *e, size_t queued, size_t most)
{
    assert(e); /* NULL would have the turn when nobody has it */
    if (is_next(q, e, queued))
        begin_turn(q, e);
    if (q->turn == e && q->run > 0)
        return least(least(queued, most), q->run);
    if (q->turn == e)
        q->turn = NULL;
    wait_in_queue(q, e, queued);
    return 0;
}

void schedule_framed(struct schedule *q, struct schedule_entry *e, size_t bytes)
{
    if (q->turn == e)
        q->run -= least(bytes, q->run);
    if (!list_empty(&q->bulk))
        q->ahead += bytes;
    e->framed = least(e->framed + bytes, SCHEDULE_SHORT);
}

struct schedule_entry *schedule_next(struct schedule *q)
{
    bool bulk = list_empty(&q->urgent) || (q->ahead >= SCHEDULE_AHEAD && !list_empty(&q->bulk));
    struct list_node *n = list_pop(bulk ? &q->bulk : &q->urgent);
    if (bulk)
        q->ahead = 0;
    q->turn = NULL;
    if (n)
        begin_turn(q, CONTAINER_OF(n, struct schedule_entry, node));
    return q->turn;
}

void schedule_end_turn(struct schedule *q)
{
    q->turn = NULL;
}

bool schedule_waits(const struct schedule *q)
{
    return !list_empty(&q->urgent) || !list_empty(&q->bulk);
}

void schedule_preempt(struct schedule *q)
{
    if (q->turn && !list_empty(&q->urgent))
        q->run = 0;
}

void schedule_leave(struct schedule *q, struct schedule_entry *e)
{
    list_remove(&e->node);
    if (q->turn == e)
        q->turn = NULL;
}

static void check_entry(const struct schedule_entry *e, const struct schedule_entry *turn)
{
    CHECK_THAT(e != turn);
    CHECK_THAT(e->framed <= SCHEDULE_SHORT);
    CHECK_THAT(e->node.next->prev == &e->node && e->node.prev->next == &e->node);
}

static void check_queue(const struct list_node *queue, const struct schedule_entry *turn)
{
    LIST_FOREACH (it, queue)
        check_entry(CONTAINER_OF(it, struct schedule_entry, node), turn);
}

void schedule_check(const struct schedule *q)
{
    CHECK_THAT(!q->turn || !list_linked(&q->turn->node));
    CHECK_THAT(q->run <= SCHEDULE_RUN);
    check_queue(&q->urgent, q->turn);
    check_queue(&q->bulk, q->turn);
}
