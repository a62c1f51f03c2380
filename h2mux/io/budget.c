/* SPDX-License-Identifier: MIT */
/* budget.c - the budget of a process: telling, looking, giving up what stands still. See memory.h.
 *
 * Whom to give up is found in one pass over a thread's streams, some at a time: with thousands that
 * stand still a pass for each would stop the loop. */
#include "h2mux/io/budget.h"

#include "h2mux/h2/session_int.h"

enum {
    LOOK_MS = 1000,
    LOOK_SHORT_MS = 100, /* while credit is kept back, or there was more to give up than one look
                            takes */
    VICTIMS_MAX = 16
};

static void look(void *user);

void memory_init(struct memory *m, uint64_t limit)
{
    m->limit = limit;
    atomic_init(&m->used, 0);
    atomic_init(&m->sessions, 0);
}

void memory_share_init(struct memory_share *s, struct memory *m, struct loop *l)
{
    *s = (struct memory_share){.memory = m, .loop = l};
    list_init(&s->sessions);
    list_init(&s->tails);
    timer_init(&s->look, l, look, s);
}

void memory_share_deinit(struct memory_share *s)
{
    sock_tails_forget(s);
    memory_tell(s);
    timer_stop(&s->look);
}

void memory_join(struct memory_share *s, struct list_node *in_share)
{
    list_push(&s->sessions, in_share);
    atomic_fetch_add_explicit(&s->memory->sessions, 1, memory_order_relaxed);
}

void memory_leave(struct memory_share *s, struct list_node *in_share)
{
    if (!in_share->next)
        return;
    list_remove(in_share);
    atomic_fetch_sub_explicit(&s->memory->sessions, 1, memory_order_relaxed);
}

uint64_t memory_fair(const struct memory_share *s)
{
    uint32_t sessions = atomic_load_explicit(&s->memory->sessions, memory_order_relaxed);
    uint64_t part = s->memory->limit / 2 / (sessions > 0 ? sessions : 1);
    return part > WINDOW_INITIAL ? part : WINDOW_INITIAL;
}

void memory_tell_now(struct memory_share *s)
{
    atomic_fetch_add_explicit(&s->memory->used, s->held - s->told, memory_order_relaxed);
    s->told = s->held;
    if (s->held > 0 && !timer_armed(&s->look))
        timer_arm(&s->look, s->withheld > 0 ? LOOK_SHORT_MS : LOOK_MS);
}

void memory_withhold(struct memory_share *s, uint64_t bytes)
{
    if (s->withheld == 0)
        timer_arm(&s->look, LOOK_SHORT_MS);
    s->withheld += bytes;
}

/* ---- what stands still */

/* The longest first. */
struct victims {
    struct h2_stream *of[VICTIMS_MAX];
    size_t count;
};

/* What has left here may wait in the kernel for a peer that reads it slowly: then it moves, though
 * no credit comes. Asked when the stream is first seen and whenever its time is over, so that most
 * cost two system calls. */
static bool peer_moves(struct h2_stream *st, uint64_t now)
{
    const struct leg_events *e = st->leg.events;
    if (!e || !e->on_taken)
        return false;
    uint64_t taken = e->on_taken(st->leg.exchange, &st->leg);
    bool moves = st->taken_us != 0 && taken != st->taken;
    if (st->taken_us == 0 || moves)
        st->taken_us = now;
    st->taken = taken;
    return moves;
}

static bool stands_still(struct h2_stream *st, uint64_t now)
{
    uint64_t stall_us = st->session->options.stall_ms * 1000;
    if (st->held == 0)
        return false;
    bool known = st->taken_us != 0, due = now - st->moved_us >= stall_us;
    if (known && (!due || now - st->taken_us < stall_us))
        return false;
    if (peer_moves(st, now))
        st->moved_us = now;
    return now - st->moved_us >= stall_us && now - st->taken_us >= stall_us;
}

static void note(struct victims *v, struct h2_stream *st)
{
    size_t at = v->count < VICTIMS_MAX ? v->count++ : VICTIMS_MAX;
    for (; at > 0 && v->of[at - 1]->moved_us > st->moved_us; at--)
        if (at < VICTIMS_MAX)
            v->of[at] = v->of[at - 1];
    if (at < VICTIMS_MAX)
        v->of[at] = st;
}

static void look_at(struct victims *v, const struct h2_session *s, uint64_t now)
{
    LIST_FOREACH (it, &s->streams) {
        struct h2_stream *st = CONTAINER_OF(it, struct h2_stream, node);
        if (stands_still(st, now))
            note(v, st);
    }
}

static void give_up(struct h2_stream *st, uint64_t now)
{
    struct h2_session *s = st->session;
    struct leg_fault why = h2_fault(ERR_STALLED, NGHTTP2_CANCEL, false);
    const struct leg_events *events = st->leg.events;
    void *exchange = st->leg.exchange;
    if (s->ops->on_evicted)
        s->ops->on_evicted(s->user, (now - st->moved_us) / 1000, st->held);
    st->leg.ops->reset(&st->leg, &why);
    h2_stream_give_back(st, st->held); /* also of one that had said all */
    if (events)
        events->on_reset(exchange, &st->leg, &why);
}

/* Until @b is no longer tight; true: all of them are gone and it still is. */
static bool give_up_some(const struct victims *v, struct memory_share *share,
                         const struct budget *link, uint64_t now)
{
    for (size_t i = 0; i < v->count; i++) {
        memory_tell(share);
        struct budget process = memory_budget(share);
        if (!budget_tight(link ? link : &process))
            return false;
        if (v->of[i]->held > 0 && !v->of[i]->session->dead)
            give_up(v->of[i], now);
    }
    return v->count == VICTIMS_MAX;
}

void h2_session_evict(struct h2_session *s, uint64_t now)
{
    struct victims v = {.count = 0};
    if (!budget_tight(&s->budget))
        return;
    look_at(&v, s, now);
    give_up_some(&v, s->share, &s->budget, now);
}

static bool evict(struct memory_share *share, uint64_t now)
{
    struct victims v = {.count = 0};
    LIST_FOREACH (it, &share->sessions)
        look_at(&v, CONTAINER_OF(it, struct h2_session, in_share), now);
    return give_up_some(&v, share, NULL, now);
}

static void look(void *user)
{
    struct memory_share *share = user;
    struct budget b = memory_budget(share);
    bool more = false;
    if (budget_tight(&b)) {
        sock_tails_evict(share, loop_now_us(share->loop));
        more = evict(share, loop_now_us(share->loop));
    }
    memory_tell(share);
    b = memory_budget(share);
    if (share->withheld > 0)
        LIST_FOREACH (it, &share->sessions)
            h2_session_release_withheld(CONTAINER_OF(it, struct h2_session, in_share));
    if (share->held > 0 || share->withheld > 0)
        timer_arm(&share->look, more || share->withheld > 0 ? LOOK_SHORT_MS : LOOK_MS);
}
