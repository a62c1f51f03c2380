/* SPDX-License-Identifier: MIT */
/* schedule.c - keeps entries in queues, two for each urgency, and gives them turns. See schedule.h.
 * Only schedule_check walks a queue. */
#include "h2mux/h2/schedule.h"

#include <assert.h>
#include <stdint.h>

#include "h2mux/base/check.h"

enum { BULK = 0xaaaa }; /* the bits of the queues for bulk: every second one */

void schedule_init(struct schedule *q)
{
    *q = (struct schedule){.room = SIZE_MAX};
    for (size_t i = 0; i < SCHEDULE_LEVELS; i++)
        list_init(&q->queues[i]);
}

void schedule_entry_init(struct schedule_entry *e)
{
    e->urgency = PRIORITY_USUAL;
}

/* Returns whether @e is short, that is, goes before bulk. An entry with at most 16 KiB queued
 * (SCHEDULE_SHORT) is short if it is interactive (a WebSocket, an event stream, a short answer), or
 * if less than 16 KiB of it were framed so far: most short bodies show only by their end that they
 * are short. */
static bool is_short(const struct schedule_entry *e, size_t queued)
{
    if (queued > SCHEDULE_SHORT)
        return false;
    return e->interactive || e->framed < SCHEDULE_SHORT;
}

static uint8_t level_of(const struct schedule_entry *e, size_t queued)
{
    return (uint8_t)(2 * e->urgency + !is_short(e, queued));
}

static void take_out(struct schedule *q, struct schedule_entry *e)
{
    if (!list_linked(&e->node))
        return;
    list_remove(&e->node);
    if (list_empty(&q->queues[e->level]))
        q->waiting &= ~(1u << e->level);
}

static void wait_in_queue(struct schedule *q, struct schedule_entry *e, size_t queued)
{
    if (list_linked(&e->node))
        return;
    e->level = level_of(e, queued);
    list_push(&q->queues[e->level], &e->node);
    q->waiting |= 1u << e->level;
}

void schedule_ready(struct schedule *q, struct schedule_entry *e, size_t queued)
{
    if (q->turn != e)
        wait_in_queue(q, e, queued);
}

void schedule_admit(struct schedule *q, size_t bytes)
{
    q->room = bytes;
}

bool schedule_has_bulk(const struct schedule *q)
{
    return (q->waiting & BULK) != 0 || (q->turn && (BULK >> q->turn->level & 1));
}

/* Returns the bits of the queues that wait and whose entries may have a turn. */
static uint32_t ready(const struct schedule *q)
{
    return q->room > 0 ? q->waiting : q->waiting & ~(uint32_t)BULK;
}

/* Returns the queue whose first entry is next: the best one, or a worse one that has waited for
 * SCHEDULE_AHEAD bytes of better ones. Returns SCHEDULE_LEVELS if no entry waits. */
static unsigned next_queue(const struct schedule *q)
{
    uint32_t waiting = ready(q);
    if (waiting == 0)
        return SCHEDULE_LEVELS;
    for (uint32_t rest = waiting; rest != 0; rest &= rest - 1) {
        unsigned level = (unsigned)__builtin_ctz(rest);
        if (q->ahead[level] >= SCHEDULE_AHEAD)
            return level;
    }
    return (unsigned)__builtin_ctz(waiting);
}

/* Returns whether @e may begin a turn at once: no entry has the turn, and no waiting entry goes
 * before @e. */
static bool is_next(const struct schedule *q, const struct schedule_entry *e, size_t queued)
{
    if (q->turn)
        return false;
    unsigned level = level_of(e, queued), next = next_queue(q);
    if (q->room == 0 && (BULK >> level & 1))
        return false;
    return next > level && (next == SCHEDULE_LEVELS || q->ahead[next] < SCHEDULE_AHEAD);
}

static void begin_turn(struct schedule *q, struct schedule_entry *e, uint8_t level)
{
    take_out(q, e);
    e->level = level;
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
        begin_turn(q, e, level_of(e, queued));
    bool held = q->room == 0 && (BULK >> e->level & 1);
    if (q->turn == e && q->run > 0 && !held)
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
    if (q->turn == e && (BULK >> e->level & 1) && q->room < SIZE_MAX)
        q->room -= least(bytes, q->room);
    for (unsigned i = e->level + 1u; i < SCHEDULE_LEVELS && q->waiting >> i; i++)
        if (q->waiting >> i & 1)
            q->ahead[i] += bytes;
    e->framed = least(e->framed + bytes, SCHEDULE_SHORT);
}

struct schedule_entry *schedule_next(struct schedule *q)
{
    unsigned level = next_queue(q);
    q->turn = NULL;
    if (level == SCHEDULE_LEVELS)
        return NULL;
    q->ahead[level] = 0;
    begin_turn(q, CONTAINER_OF(q->queues[level].next, struct schedule_entry, node), (uint8_t)level);
    return q->turn;
}

void schedule_end_turn(struct schedule *q)
{
    q->turn = NULL;
}

bool schedule_waits(const struct schedule *q)
{
    return ready(q) != 0;
}

void schedule_preempt(struct schedule *q)
{
    if (q->turn && q->waiting & ((1u << q->turn->level) - 1))
        q->run = 0;
}

void schedule_leave(struct schedule *q, struct schedule_entry *e)
{
    take_out(q, e);
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
    for (unsigned i = 0; i < SCHEDULE_LEVELS; i++) {
        CHECK_THAT(list_empty(&q->queues[i]) == ((q->waiting >> i & 1) == 0));
        check_queue(&q->queues[i], q->turn);
    }
}
