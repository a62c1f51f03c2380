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
    PRIVATE_MAX = 50, /* of those; so that viewers who sign in leave room for all others */

    /* Rule D16. */
    SURE_IDLE_US = 50 * 1000,
    HASTY_US = 1000 * 1000,
    HASTY_LASTS_US = 60 * 1000 * 1000
};

void origin_pool_check(const struct origin *o)
{
    uint64_t since_us = 0;
    size_t private = 0;
    LIST_FOREACH (n, &o->idle) {
        const struct origin_conn *c = CONTAINER_OF(n, struct origin_conn, node);
        origin_conn_check(c);
        CHECK_THAT(c->idle && c->idle_since_us >= since_us);
        CHECK_THAT(c->private == (c->owner[0] != '\0'));
        since_us = c->idle_since_us;
        private += c->private;
    }
    CHECK_THAT(list_count(&o->idle) == o->idle_count && o->idle_count <= POOL_MAX);
    CHECK_THAT(private == o->private_count && private <= PRIVATE_MAX);
    CHECK_THAT(private == 0 || o->o.login == LOGIN_VIEWER);
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

void origin_pool_drop_oldest(struct origin *o)
{
    origin_discard(CONTAINER_OF(o->idle.next, struct origin_conn, node), ORIGIN_CLOSE);
}

static void drop_oldest_private(struct origin *o)
{
    LIST_FOREACH (n, &o->idle) {
        struct origin_conn *c = CONTAINER_OF(n, struct origin_conn, node);
        if (c->private) {
            origin_discard(c, ORIGIN_CLOSE);
            return;
        }
    }
}

void origin_pool_put(struct origin_conn *c)
{
    struct origin *o = c->origin;
    if (c->private && o->private_count >= PRIVATE_MAX)
        drop_oldest_private(o);
    if (o->idle_count >= POOL_MAX)
        origin_pool_drop_oldest(o);
    list_remove(&c->node);
    if (c->private)
        o->private_count++;
    else
        c->owner[0] = '\0'; /* it is anybody's now */
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

/* Returns whether @c, which is in the pool, may serve a request. Closes it otherwise. */
static bool is_alive(struct origin_conn *c)
{
    if (due_us(c) > loop_now_us(c->origin->o.loop)) { /* else the timer is late */
        if (origin_pool_is_quiet(c))
            return true;
        origin_pool_note_end(c);
    }
    origin_discard(c, ORIGIN_CLOSE);
    return false;
}

static struct origin_conn *hand_out(struct origin_conn *c)
{
    assert(c->h1 && !c->ops); /* or a viewer gets the response to another one's request */
    origin_unlist(c);
    return c;
}

/* Rule D20: a sign-in goes on where it began, so D16 does not count. */
struct origin_conn *origin_pool_take_own(struct origin *o, enum reuse_need need, struct slice owner)
{
    if (need == REUSE_NONE || owner.len == 0 || o->private_count == 0)
        return NULL;
    for (struct list_node *n = o->idle.prev, *before; n != &o->idle; n = before) {
        struct origin_conn *c = CONTAINER_OF(n, struct origin_conn, node);
        before = n->prev;
        if (origin_is_own(c, owner) && is_alive(c))
            return hand_out(c);
    }
    return NULL;
}

static struct origin_conn *take_shared(struct origin *o, enum reuse_need need)
{
    uint64_t now = loop_now_us(o->o.loop), least_us = need == REUSE_SURE ? SURE_IDLE_US : 0;
    if (need == REUSE_NONE)
        return NULL;
    for (struct list_node *n = o->idle.prev, *before; n != &o->idle; n = before) {
        struct origin_conn *c = CONTAINER_OF(n, struct origin_conn, node);
        before = n->prev;
        if (c->private || now - c->idle_since_us < least_us || !is_alive(c))
            continue;
        return need == REUSE_SURE && is_hasty(o) ? NULL : hand_out(c);
    }
    return NULL;
}

struct origin_conn *origin_pool_take(struct origin *o, enum reuse_need need, struct slice owner)
{
    struct origin_conn *c = origin_pool_take_own(o, need, owner);
    return c ? c : take_shared(o, need);
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
