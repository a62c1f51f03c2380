/* SPDX-License-Identifier: MIT */
/* origin_pool.c - keeps connections to the origin that nobody leases.
 *
 * The pool is ordered by age, oldest first. It is used from its young end: few connections stay
 * warm, the others time out. */
#include <assert.h>
#include <errno.h>
#include <sys/socket.h>

#include "client/origin/origin_int.h"
#include "h2mux/base/check.h"

enum {
    POOL_MAX = 100,

    /* Rule D16. */
    SURE_IDLE_US = 50 * 1000,
    HASTY_US = 1000 * 1000,
    HASTY_LASTS_US = 60 * 1000 * 1000
};

void origin_pool_check(const struct origin *o)
{
    uint64_t since_us = 0;
    LIST_FOREACH (n, &o->idle) {
        const struct origin_conn *c = CONTAINER_OF(n, struct origin_conn, node);
        origin_conn_check(c);
        CHECK_THAT(c->idle && c->idle_since_us >= since_us);
        since_us = c->idle_since_us;
    }
    CHECK_THAT(list_count(&o->idle) == o->idle_count && o->idle_count <= POOL_MAX);
    CHECK_THAT(o->idle_count == 0 || timer_armed(&o->sweep));
}

static uint64_t due_us(const struct origin_conn *c)
{
    return c->idle_since_us + c->keep_ms * 1000;
}

/* Closes what is due, and comes again for what is due next. The origin may have named a time for
 * each connection, so they are not due in the order of their age. */
static void sweep(void *user)
{
    struct origin *o = user;
    uint64_t now = loop_now_us(o->o.loop), next = UINT64_MAX;
    for (struct list_node *n = o->idle.next, *after; n != &o->idle; n = after) {
        struct origin_conn *c = CONTAINER_OF(n, struct origin_conn, node);
        after = n->next;
        if (due_us(c) <= now)
            origin_discard(c, ORIGIN_CLOSE);
        else if (due_us(c) < next)
            next = due_us(c);
    }
    if (next != UINT64_MAX)
        timer_arm(&o->sweep, (next - now + 999) / 1000);
}

void origin_pool_put(struct origin_conn *c)
{
    struct origin *o = c->origin;
    if (o->idle_count >= POOL_MAX)
        origin_discard(CONTAINER_OF(o->idle.next, struct origin_conn, node), ORIGIN_CLOSE);
    list_remove(&c->node);
    h1_conn_next(c->h1);
    c->idle = true;
    c->idle_since_us = loop_now_us(o->o.loop);
    c->idle_turn = loop_turns(o->o.loop);
    list_push(&o->idle, &c->node);
    o->idle_count++;
    if (!timer_armed(&o->sweep) || c->keep_ms < o->o.idle_ms)
        sweep(o);
    if (CHECKING)
        origin_check(o);
    dial_queue_wake(&o->queue);
    origin_crowd_look(o);
}

/* Returns whether the origin has sent nothing that nobody asked for. A connection that was read to
 * its end and has been in the pool since an earlier turn would have been told by an event, and
 * would be gone; otherwise the kernel is asked. Nobody can tell what comes later than this turn's
 * events from a response to the request. Under TLS a session ticket may wait; then a good
 * connection is lost and nothing else. */
bool origin_pool_is_quiet(const struct origin_conn *c)
{
    char byte;
    struct sock *sock = h1_conn_sock(c->h1);
    if (h1_conn_surplus(c->h1) || h1_conn_head_bytes(c->h1) > 0)
        return false;
    if (c->idle_turn != loop_turns(c->origin->o.loop) && sock_is_drained(sock))
        return true;
    return recv(sock_fd(sock), &byte, 1, MSG_PEEK | MSG_DONTWAIT) < 0 &&
           (errno == EAGAIN || errno == EWOULDBLOCK);
}

void origin_pool_note_end(const struct origin_conn *c)
{
    struct origin *o = c->origin;
    uint64_t now = loop_now_us(o->o.loop);
    if (c->answered_us != 0 && now - c->answered_us < HASTY_US)
        o->hasty_us = now;
}

/* Returns whether the origin closes connections right behind its answers, so that any of the pool
 * may just be going. */
static bool is_hasty(const struct origin *o)
{
    return o->hasty_us != 0 && loop_now_us(o->o.loop) - o->hasty_us < HASTY_LASTS_US;
}

struct origin_conn *origin_pool_take(struct origin *o, enum reuse_need need)
{
    uint64_t now = loop_now_us(o->o.loop), least_us = need == REUSE_SURE ? SURE_IDLE_US : 0;
    if (need == REUSE_NONE)
        return NULL;
    for (struct list_node *n = o->idle.prev, *before; n != &o->idle; n = before) {
        struct origin_conn *c = CONTAINER_OF(n, struct origin_conn, node);
        before = n->prev;
        if (now - c->idle_since_us < least_us)
            continue;
        if (due_us(c) <= now) { /* the timer is late */
            origin_discard(c, ORIGIN_CLOSE);
        } else if (!origin_pool_is_quiet(c)) {
            origin_pool_note_end(c);
            origin_discard(c, ORIGIN_CLOSE);
        } else if (need == REUSE_SURE && is_hasty(o)) {
            return NULL;
        } else {
            assert(c->h1 && !c->ops); /* or a viewer gets the response to another one's request */
            origin_unlist(c);
            return c;
        }
    }
    return NULL;
}

void origin_pool_init(struct origin *o)
{
    list_init(&o->idle);
    timer_init(&o->sweep, o->o.loop, sweep, o);
}

void origin_pool_close(struct origin *o)
{
    while (!list_empty(&o->idle))
        origin_discard(CONTAINER_OF(o->idle.next, struct origin_conn, node), ORIGIN_CLOSE);
    timer_stop(&o->sweep);
}
