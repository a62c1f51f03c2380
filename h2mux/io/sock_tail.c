/* SPDX-License-Identifier: MIT */
/* sock_tail.c - what waits in a sock for a peer that takes it slowly or not at all, while nothing
 * else remembers it any more: counted with what the process holds (memory.h), given up when memory
 * is short and the peer stands still.
 *
 * Most answers have left by the end of their turn: nothing is allocated for those. Invariant: a
 * tail is in its share's list, and its bytes are in the share's sum. */
#include "h2mux/io/sock_int.h"

#include <stdlib.h>

struct tail {
    struct list_node node; /* in share->tails */
    struct sock *sock;     /* borrowed: drops it before it dies */
    uint64_t bytes;        /* as the share knows them */
    uint64_t taken;        /* by the peer, when last looked at */
    uint64_t moved_us;     /* when that had changed */
};

void sock_tail_drop(struct sock *s)
{
    struct tail *t = s->tail;
    if (t) {
        memory_add(s->tail_of, -(int64_t)t->bytes);
        memory_tell(s->tail_of);
        list_remove(&t->node);
        free(t);
    }
    s->tail = NULL;
    s->tail_of = NULL;
}

static void begin(struct sock *s, size_t bytes)
{
    struct tail *t = xcalloc(1, sizeof *t);
    t->sock = s;
    t->bytes = bytes;
    t->taken = sock_taken(s);
    t->moved_us = loop_now_us(s->loop);
    s->tail = t;
    list_push(&s->tail_of->tails, &t->node);
    memory_add(s->tail_of, (int64_t)bytes);
}

void sock_count_tail(struct sock *s, struct memory_share *share)
{
    size_t queued = s ? sock_queued(s) : 0;
    if (queued == 0 || s->state == SOCK_CLOSED)
        return;
    s->tail_of = share;
    if (s->tail && queued > s->tail->bytes) { /* another answer behind one that waits */
        memory_add(share, (int64_t)(queued - s->tail->bytes));
        s->tail->bytes = queued;
    }
    loop_flush(s->loop, &s->flush);
}

/* What is written behind it meanwhile is somebody else's to count: it only gets shorter. */
void sock_tail_look(struct sock *s)
{
    size_t queued = sock_queued(s);
    if (queued == 0) {
        sock_tail_drop(s);
        return;
    }
    if (!s->tail) {
        begin(s, queued);
    } else if (queued < s->tail->bytes) {
        memory_add(s->tail_of, -(int64_t)(s->tail->bytes - queued));
        s->tail->bytes = queued;
    }
    memory_tell(s->tail_of);
}

static bool stands_still(struct tail *t, uint64_t now, uint64_t stall_us)
{
    if (now - t->moved_us < stall_us)
        return false;
    uint64_t taken = sock_taken(t->sock);
    if (taken != t->taken)
        t->moved_us = now;
    t->taken = taken;
    return now - t->moved_us >= stall_us;
}

/* With RST: what has left must not look like all of it. */
static void cut(struct tail *t, uint64_t now, const struct memory_share *share)
{
    struct sock *s = t->sock;
    if (share->on_tail)
        share->on_tail(share->user, (now - t->moved_us) / 1000, t->bytes);
    if (s->finish)
        sock_abort(s);
    else
        sock_fail(s, ERR_STALLED, "takes nothing, and memory is short");
}

void sock_tails_evict(struct memory_share *share, uint64_t now)
{
    LIST_FOREACH (it, &share->tails) {
        struct tail *t = CONTAINER_OF(it, struct tail, node);
        struct budget b = memory_budget(share);
        if (!budget_tight(&b))
            return;
        if (stands_still(t, now, share->stall_ms * 1000))
            cut(t, now, share);
    }
}

void sock_tails_forget(struct memory_share *share)
{
    LIST_FOREACH (it, &share->tails)
        sock_tail_drop(CONTAINER_OF(it, struct tail, node)->sock);
}
