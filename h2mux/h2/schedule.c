/* SPDX-License-Identifier: MIT */
/* schedule.c - see schedule.h.
 *
 * Invariants: a stream is in at most one queue; the one whose turn it is, is in none. Nothing here
 * walks a queue. */
#include "h2mux/h2/session_int.h"

#include <assert.h>

void schedule_init(struct schedule *q)
{
    *q = (struct schedule){.turn = NULL};
    list_init(&q->urgent);
    list_init(&q->bulk);
}

/* A WebSocket, events and answers known to be small go first as long as they are; so does the
 * beginning of everything, since most of what is small says so only by ending. */
static bool is_urgent(const struct h2_stream *st)
{
    if (buf_len(&st->tx) > SCHEDULE_SHORT)
        return false;
    return st->hint == LEG_INTERACTIVE || st->framed < SCHEDULE_SHORT;
}

static void wait_in_queue(struct schedule *q, struct h2_stream *st)
{
    if (!list_linked(&st->waiting))
        list_push(is_urgent(st) ? &q->urgent : &q->bulk, &st->waiting);
}

void schedule_ready(struct h2_session *s, struct h2_stream *st)
{
    if (s->schedule.turn != st)
        wait_in_queue(&s->schedule, st);
}

/* Nobody would come before it. */
static bool is_next(const struct schedule *q, const struct h2_stream *st)
{
    return !q->turn && list_empty(&q->urgent) && (list_empty(&q->bulk) || is_urgent(st)) &&
           (q->ahead < SCHEDULE_AHEAD || list_empty(&q->bulk));
}

static void begin_turn(struct schedule *q, struct h2_stream *st)
{
    list_remove(&st->waiting);
    q->turn = st;
    q->run = SCHEDULE_RUN;
}

size_t schedule_share(struct h2_session *s, struct h2_stream *st, size_t have)
{
    struct schedule *q = &s->schedule;
    assert(st); /* no turn at all is not its turn */
    if (is_next(q, st))
        begin_turn(q, st);
    if (q->turn == st && q->run > 0)
        return have < q->run ? have : q->run;
    if (q->turn == st)
        q->turn = NULL;
    wait_in_queue(q, st);
    return 0;
}

void schedule_framed(struct h2_session *s, struct h2_stream *st, size_t bytes)
{
    struct schedule *q = &s->schedule;
    if (q->turn == st)
        q->run -= bytes < q->run ? bytes : q->run;
    if (!list_empty(&q->bulk))
        q->ahead += bytes;
    st->framed = st->framed + bytes > SCHEDULE_SHORT ? SCHEDULE_SHORT : st->framed + bytes;
}

static struct h2_stream *take_next(struct schedule *q)
{
    bool bulk = list_empty(&q->urgent) || (q->ahead >= SCHEDULE_AHEAD && !list_empty(&q->bulk));
    struct list_node *n = list_pop(bulk ? &q->bulk : &q->urgent);
    if (bulk)
        q->ahead = 0;
    return n ? CONTAINER_OF(n, struct h2_stream, waiting) : NULL;
}

/* Who has no DATA in nghttp2 yet (its head has not left), or lacks window, sends nothing now;
 * nghttp2 asks for its bytes when that has changed, and then it waits again. */
bool schedule_next(struct h2_session *s)
{
    struct schedule *q = &s->schedule;
    q->turn = NULL;
    struct h2_stream *st = nghttp2_session_get_remote_window_size(s->ng) > 0 ? take_next(q) : NULL;
    if (!st)
        return false;
    begin_turn(q, st);
    nghttp2_session_resume_data(s->ng, st->id);
    return true;
}

bool schedule_waits(const struct schedule *q)
{
    return !list_empty(&q->urgent) || !list_empty(&q->bulk);
}

void schedule_preempt(struct h2_session *s)
{
    struct schedule *q = &s->schedule;
    if (q->turn && !list_empty(&q->urgent))
        q->run = 0;
}

void schedule_leave(struct h2_session *s, struct h2_stream *st)
{
    list_remove(&st->waiting);
    if (s->schedule.turn == st)
        s->schedule.turn = NULL;
}
