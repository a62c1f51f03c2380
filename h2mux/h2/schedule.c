/* SPDX-License-Identifier: MIT */
/* schedule.c - keeps entries in queues, two for each urgency, and gives them turns. See schedule.h.
 * Only schedule_check walks a queue. */
#include "h2mux/h2/schedule.h"

#include <assert.h>
#include <stdint.h>
#include <stdlib.h>

#include "h2mux/base/alloc.h"
#include "h2mux/base/check.h"

enum { BULK = 0xaaaa }; /* the bits of the queues for bulk: every second one */

void schedule_init(struct schedule *q, bool urgencies)
{
    *q = (struct schedule){.levels = urgencies ? SCHEDULE_LEVELS : 2, .room = SIZE_MAX};
    q->queues = xcalloc(q->levels, sizeof *q->queues);
    for (size_t i = 0; i < q->levels; i++)
        list_init(&q->queues[i].entries);
}

void schedule_deinit(struct schedule *q)
{
    free(q->queues);
    q->queues = NULL;
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

static uint8_t level_of(const struct schedule *q, const struct schedule_entry *e, size_t queued)
{
    unsigned urgency = q->levels == SCHEDULE_LEVELS ? e->urgency : 0;
    return (uint8_t)(2 * urgency + !is_short(e, queued));
}

/* ---- groups */

void schedule_group_init(struct schedule_group *g)
{
    for (size_t i = 0; i < sizeof g->lanes / sizeof *g->lanes; i++) {
        g->lanes[i].front = NULL;
        list_init(&g->lanes[i].behind);
    }
}

static struct schedule_lane *lane_of(const struct schedule_entry *e)
{
    return &e->group->lanes[e->level & 1];
}

/* Puts @e behind the entry of its group that stands in the queue. Returns false if none does: then
 * @e stands there for the group. */
static bool wait_behind(struct schedule_entry *e)
{
    struct schedule_lane *lane = lane_of(e);
    if (!lane->front) {
        lane->front = e;
        return false;
    }
    list_push(&lane->behind, &e->node);
    return true;
}

/* Puts the next entry of the group of @e, which stood in the queue and is taken out, before @at. */
static void hand_over(struct schedule_entry *e, struct list_node *at)
{
    struct schedule_lane *lane = lane_of(e);
    struct list_node *next = list_pop(&lane->behind);
    lane->front = next ? CONTAINER_OF(next, struct schedule_entry, node) : NULL;
    if (next)
        list_insert_before(at, next);
}

void schedule_group_end(struct schedule *q, const struct schedule_group *g)
{
    if (q->going == g)
        q->going = NULL;
}

void schedule_join(struct schedule_entry *e, struct schedule_group *g)
{
    assert(!e->group && e->urgency == PRIORITY_USUAL);
    e->group = g;
    if (!list_linked(&e->node))
        return;
    if (lane_of(e)->front)
        list_remove(&e->node); /* the queue keeps the one in front */
    wait_behind(e);
}

/* ---- queues */

/* Takes @e out of its queue, or from behind the entry that stands there for its group. The next one
 * of its group gets its place, or that at the end of the queue if @turn, because the group has its
 * turn. */
static void take_out(struct schedule *q, struct schedule_entry *e, bool turn)
{
    struct list_node *queue = &q->queues[e->level].entries, *next = e->node.next;
    if (!list_linked(&e->node))
        return;
    list_remove(&e->node);
    if (e->group && lane_of(e)->front != e)
        return;
    if (e->group)
        hand_over(e, turn ? queue : next);
    if (list_empty(queue))
        q->waiting &= ~(1u << e->level);
}

static void wait_in_queue(struct schedule *q, struct schedule_entry *e, size_t queued)
{
    if (list_linked(&e->node))
        return;
    e->level = level_of(q, e, queued);
    if (e->group && wait_behind(e))
        return;
    list_push(&q->queues[e->level].entries, &e->node);
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

void schedule_pause(struct schedule *q, bool pause)
{
    q->paused = pause;
}

static bool bulk_waits(const struct schedule *q)
{
    return q->room == 0 || q->paused;
}

bool schedule_has_bulk(const struct schedule *q)
{
    return (q->waiting & BULK) != 0 || (q->turn && (BULK >> q->turn->level & 1));
}

/* Returns the bits of the queues that wait and whose entries may have a turn. */
static uint32_t ready(const struct schedule *q)
{
    return bulk_waits(q) ? q->waiting & ~(uint32_t)BULK : q->waiting;
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
        if (q->queues[level].ahead >= SCHEDULE_AHEAD)
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
    unsigned level = level_of(q, e, queued), next = next_queue(q);
    if (bulk_waits(q) && (BULK >> level & 1))
        return false;
    return next > level && (next == SCHEDULE_LEVELS || q->queues[next].ahead < SCHEDULE_AHEAD);
}

static void begin_turn(struct schedule *q, struct schedule_entry *e, uint8_t level)
{
    bool goes_on = e->group && e->group == q->going;
    take_out(q, e, true);
    e->level = level;
    q->turn = e;
    if (!goes_on || q->run == 0)
        q->run = SCHEDULE_RUN;
    q->going = BULK >> level & 1 ? e->group : NULL;
}

static size_t least(size_t a, size_t b)
{
    return a < b ? a : b;
}

size_t schedule_share(struct schedule *q, struct schedule_entry *e, size_t queued, size_t most)
{
    assert(e); /* NULL would have the turn when nobody has it */
    if (is_next(q, e, queued))
        begin_turn(q, e, level_of(q, e, queued));
    bool held = bulk_waits(q) && (BULK >> e->level & 1);
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
    for (unsigned i = e->level + 1u; i < q->levels && q->waiting >> i; i++)
        if (q->waiting >> i & 1)
            q->queues[i].ahead = (uint32_t)least(q->queues[i].ahead + bytes, SCHEDULE_AHEAD);
    e->framed = least(e->framed + bytes, SCHEDULE_SHORT);
}

/* Returns the entry of the queue @level that is next: one of the group that has something left of
 * its turn, or the first one. */
static struct schedule_entry *next_entry(struct schedule *q, unsigned level)
{
    struct schedule_entry *rest = NULL;
    if (q->going && q->run > 0 && BULK >> level & 1)
        rest = q->going->lanes[1].front;
    if (!rest)
        q->going = NULL;
    return rest ? rest : CONTAINER_OF(q->queues[level].entries.next, struct schedule_entry, node);
}

struct schedule_entry *schedule_next(struct schedule *q)
{
    unsigned level = next_queue(q);
    q->turn = NULL;
    if (level == SCHEDULE_LEVELS)
        return NULL;
    q->queues[level].ahead = 0;
    begin_turn(q, next_entry(q, level), (uint8_t)level);
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
    take_out(q, e, false);
    if (q->turn == e)
        q->turn = NULL;
}

static void check_entry(const struct schedule_entry *e, const struct schedule_entry *turn)
{
    CHECK_THAT(e != turn);
    CHECK_THAT(e->framed <= SCHEDULE_SHORT);
    CHECK_THAT(e->node.next->prev == &e->node && e->node.prev->next == &e->node);
}

/* Checks those that stand behind @front, which is in a queue. */
static void check_group(const struct schedule_entry *front, const struct schedule_entry *turn)
{
    CHECK_THAT(lane_of(front)->front == front);
    LIST_FOREACH (it, &lane_of(front)->behind) {
        const struct schedule_entry *e = CONTAINER_OF(it, struct schedule_entry, node);
        CHECK_THAT(e->group == front->group && e->level == front->level);
        check_entry(e, turn);
    }
}

static void check_queue(const struct list_node *queue, const struct schedule_entry *turn)
{
    LIST_FOREACH (it, queue) {
        const struct schedule_entry *e = CONTAINER_OF(it, struct schedule_entry, node);
        check_entry(e, turn);
        if (e->group)
            check_group(e, turn);
    }
}

void schedule_check(const struct schedule *q)
{
    CHECK_THAT(!q->turn || !list_linked(&q->turn->node));
    CHECK_THAT(q->run <= SCHEDULE_RUN);
    for (unsigned i = 0; i < q->levels; i++) {
        CHECK_THAT(list_empty(&q->queues[i].entries) == ((q->waiting >> i & 1) == 0));
        check_queue(&q->queues[i].entries, q->turn);
    }
}
