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

enum { POOL_MAX = 100 };

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

static void sweep(void *user)
{
    struct origin *o = user;
    uint64_t now = loop_now_us(o->o.loop);
    LIST_FOREACH (n, &o->idle) {
        struct origin_conn *c = CONTAINER_OF(n, struct origin_conn, node);
        uint64_t age_ms = (now - c->idle_since_us) / 1000;
        if (age_ms < o->o.idle_ms) {
            timer_arm(&o->sweep, o->o.idle_ms - age_ms);
            return;
        }
        origin_discard(c, ORIGIN_CLOSE);
    }
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
    if (!timer_armed(&o->sweep))
        timer_arm(&o->sweep, o->o.idle_ms);
    dial_queue_wake(&o->queue);
    if (CHECKING)
        origin_check(o);
}

/* Returns whether the origin has sent nothing that nobody asked for. A connection that was read to
 * its end and has been in the pool since an earlier turn would have been told by an event, and
 * would be gone; otherwise the kernel is asked. Nobody can tell what comes later than this turn's
 * events from a response to the request. Under TLS a session ticket may wait; then a good
 * connection is lost and nothing else. */
static bool is_quiet(const struct origin_conn *c)
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

struct origin_conn *origin_pool_take(struct origin *o)
{
    while (!list_empty(&o->idle)) {
        struct origin_conn *c = CONTAINER_OF(o->idle.prev, struct origin_conn, node);
        if (is_quiet(c)) {
            assert(c->h1 && !c->ops); /* or a viewer gets the response to another one's request */
            origin_unlist(c);
            return c;
        }
        origin_discard(c, ORIGIN_CLOSE);
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
