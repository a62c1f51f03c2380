/* SPDX-License-Identifier: MIT */
/* origin_dial.c - opens connections to the origin, and lets those wait that this machine cannot
 * open for the moment. */
#include <assert.h>
#include <stdlib.h>

#include "client/origin/origin_int.h"

enum { DIALS_AT_ONCE = 16 }; /* begun by one look at those who wait */

/* Rule R2 bounds a head, and no single field of it. Rules R25, R26: all that is read is written
 * anew, so nothing that two readers take differently goes on. */
static const struct h1_limits head_limits = {
    .head = 32 * 1024, .fields = 100, .field = 32 * 1024, .target = 0, .lenient = true};

static void on_dialled(void *user, struct sock *sock)
{
    struct origin_conn *c = user;
    struct origin *o = c->origin;
    c->dial = NULL;
    sock_keep_alive(sock_fd(sock));
    sock_watch_peer(sock, o->o.peer_ms);
    if (o->windows.lent >= o->windows.limit / 2)
        sock_set_receive_buffer(sock, (int)o->windows.most);
    c->h1 = h1_conn_new(o->o.loop, sock, H1_CLIENT, &head_limits, o->windows.least,
                        &origin_conn_ops, c);
    h1_conn_lend_window(c->h1, &o->windows);
    c->ops->on_ready(c->user);
}

static void fail(struct origin_conn *c, enum dial_step step, int err, const char *reason)
{
    const struct origin_ops *ops = c->ops;
    origin_condemn(c);
    ops->on_failed(c->user, step, err, reason);
}

static void wait_for_room(struct origin_conn *c, const char *reason)
{
    struct origin *o = c->origin;
    uint64_t suppressed;
    dial_queue_enter(&o->queue, &c->waiter);
    if (log_limit_pass(&o->waits, loop_now_us(o->o.loop), &suppressed))
        LOG(WARN, "origin_dials_wait", LOG_STR("origin", o->o.address->text),
            LOG_STR("reason", reason), LOG_U("suppressed", suppressed));
}

static void on_dial_failed(void *user, enum dial_step step, int err, const char *reason)
{
    struct origin_conn *c = user;
    c->dial = NULL;
    if (err == ERR_SHORT)
        wait_for_room(c, reason);
    else
        fail(c, step, err, reason);
}

static const struct dial_ops dial_ops = {.on_done = on_dialled, .on_failed = on_dial_failed};

static void begin(struct origin_conn *c)
{
    struct origin *o = c->origin;
    const struct origin_address *a = o->o.address;
    struct dial_target target = {
        .host = a->url.host,
        .port = a->url.port,
        .unix_path = a->unix_path[0] != '\0' ? a->unix_path : NULL,
        .tls = o->o.tls,
        .tls_name = o->o.tls_name,
        .below = o->queue.below,
    };
    c->dial = dial_start(o->o.loop, o->o.resolver, &target, o->o.connect_ms, &dial_ops, c);
}

/* Gives @c, which waits, the connection of @idle. */
static void take_over(struct origin_conn *c, struct origin_conn *idle)
{
    assert(!idle->private || origin_is_own(idle, slice_str(c->owner)));
    dial_queue_leave(&c->waiter);
    c->h1 = idle->h1;
    c->private = idle->private;
    c->used = idle->used;
    c->holds = idle->holds; /* the origin still serves it */
    idle->holds = false;
    c->answered_us = idle->answered_us;
    idle->h1 = NULL;
    origin_condemn(idle);
    h1_conn_set_user(c->h1, c);
    h1_conn_lend_window(c->h1, &c->origin->windows);
    c->ops->on_ready(c->user);
}

/* Serves those who wait, the oldest first: from the pool, or by a dial. A connection of the pool
 * that the oldest may not have makes room for another one. */
static void serve_waiters(void *user)
{
    struct origin *o = user;
    int dials = 0;
    for (struct dial_waiter *w; (w = dial_queue_first(&o->queue)) && dials < DIALS_AT_ONCE;) {
        struct origin_conn *c = CONTAINER_OF(w, struct origin_conn, waiter);
        struct origin_conn *idle = origin_pool_take(o, c->need, slice_str(c->owner));
        if (idle) {
            take_over(c, idle);
        } else if (dial_queue_has_room(&o->queue, dials + 1)) {
            dial_queue_leave(w);
            begin(c);
            dials++;
        } else if (o->idle_count > 0) {
            origin_pool_drop_oldest(o);
        } else {
            break;
        }
    }
}

static void on_late(void *user, struct dial_waiter *w)
{
    fail(CONTAINER_OF(w, struct origin_conn, waiter), DIAL_TCP, ERR_SHORT,
         "no descriptor, port or memory for a connection");
}

static const struct dial_queue_ops queue_ops = {.serve = serve_waiters, .late = on_late};

void origin_dial_init(struct origin *o)
{
    dial_queue_init(&o->queue, o->o.loop, o->o.spare, &queue_ops, o);
}

struct origin_conn *origin_dial(struct origin *o, enum reuse_need need)
{
    struct origin_conn *c = xcalloc(1, sizeof *c);
    c->origin = o;
    c->need = need;
    if (dial_queue_first(&o->queue))
        dial_queue_enter(&o->queue, &c->waiter);
    else
        begin(c);
    return c;
}
