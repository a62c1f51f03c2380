/* SPDX-License-Identifier: MIT */
/* sock_tail.c - begins, shortens and cuts tails. See sock_tail.h. */
#include "h2mux/io/sock_tail.h"

#include <stdlib.h>

#include "h2mux/base/check.h"
#include "h2mux/io/sock_int.h"

struct tail {
    struct list_node node; /* in sock_tails.list */
    struct sock *sock;     /* borrowed; drops the tail before its own end */
    uint64_t bytes;        /* bytes that the share counts */
    uint64_t taken;        /* sock_taken() at the last look */
    uint64_t moved_us;     /* when `taken` was seen to have changed */
};

void sock_tails_init(struct sock_tails *t, struct budget_share *share)
{
    *t = (struct sock_tails){.share = share};
    list_init(&t->list);
}

void sock_tail_drop(struct sock *s)
{
    struct tail *t = s->tail.waits;
    if (t) {
        budget_add(s->tail.of->share, -(int64_t)t->bytes);
        budget_tell(s->tail.of->share);
        list_remove(&t->node);
        free(t);
    }
    s->tail.waits = NULL;
    s->tail.of = NULL;
}

static void begin(struct sock *s, size_t bytes)
{
    struct tail *t = xcalloc(1, sizeof *t);
    t->sock = s;
    t->bytes = bytes;
    t->taken = sock_taken(s);
    t->moved_us = loop_now_us(s->loop);
    s->tail.waits = t;
    list_push(&s->tail.of->list, &t->node);
    budget_add(s->tail.of->share, (int64_t)bytes);
}

void sock_count_tail(struct sock *s, struct sock_tails *tails)
{
    size_t queued = s ? sock_queued(s) : 0;
    if (queued == 0 || s->state == SOCK_CLOSED)
        return;
    s->tail.of = tails;
    if (s->tail.waits &&
        queued > s->tail.waits->bytes) { /* a further answer was queued after a waiting one */
        budget_add(tails->share, (int64_t)(queued - s->tail.waits->bytes));
        s->tail.waits->bytes = queued;
    }
    loop_flush(s->loop, &s->tasks.flush);
}

/* Begins the tail of @s, shortens the tail to the bytes that still wait, or drops the tail when
 * nothing waits. A tail never grows here: bytes that are written after the tail belong to another
 * exchange, which counts them. */
void sock_tail_look(struct sock *s)
{
    size_t queued = sock_queued(s);
    if (queued == 0) {
        sock_tail_drop(s);
        return;
    }
    if (!s->tail.waits) {
        begin(s, queued);
    } else if (queued < s->tail.waits->bytes) {
        budget_add(s->tail.of->share, -(int64_t)(s->tail.waits->bytes - queued));
        s->tail.waits->bytes = queued;
    }
    CHECK_THAT(list_linked(&s->tail.waits->node));
    budget_tell(s->tail.of->share);
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

/* Reports a cut by on_cut and ends the sock. A sock that is finishing is closed with RST, so that
 * the part that has left does not look complete; any other sock gets on_error(ERR_STALLED). */
static void cut(struct tail *t, uint64_t now, const struct sock_tails *of)
{
    struct sock *s = t->sock;
    if (of->on_cut)
        of->on_cut(of->user, (now - t->moved_us) / 1000, t->bytes);
    if (s->finish)
        sock_abort(s);
    else
        sock_fail(s, ERR_STALLED, "takes nothing, and memory is short");
}

void sock_tails_evict(struct sock_tails *tails, uint64_t now)
{
    LIST_FOREACH (it, &tails->list) {
        struct tail *t = CONTAINER_OF(it, struct tail, node);
        struct fill process = budget_fill(tails->share);
        if (!fill_is_tight(&process))
            return;
        if (stands_still(t, now, tails->stall_ms * 1000))
            cut(t, now, tails);
    }
}

void sock_tails_forget(struct sock_tails *tails)
{
    if (CHECKING)
        sock_tails_check(tails);
    LIST_FOREACH (it, &tails->list)
        sock_tail_drop(CONTAINER_OF(it, struct tail, node)->sock);
}

uint64_t sock_tails_check(const struct sock_tails *tails)
{
    uint64_t bytes = 0;
    LIST_FOREACH (it, &tails->list) {
        const struct tail *t = CONTAINER_OF(it, struct tail, node);
        CHECK_THAT(t->sock->tail.waits == t);
        CHECK_THAT(t->sock->tail.of == tails);
        CHECK_THAT(t->sock->state != SOCK_CLOSED);
        bytes += t->bytes;
    }
    CHECK_THAT(tails->share->held >= bytes);
    return bytes;
}
