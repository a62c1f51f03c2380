/* SPDX-License-Identifier: MIT */
/* exchange_hold.c - finds a backend for an exchange: at once, after a wait, or a second time when
 * the client refused the request. */
#include "src/tunnels/exchange_int.h"

#include "src/tunnels/registry.h"

void exchange_give_up_waiting(struct exchange *x)
{
    enum failure full = x->wait.sockets > 0 ? FAIL_SOCKETS : FAIL_BUSY;
    exchange_log(x, x->wait.queued ? EVENT_FULL : EVENT_AWAY);
    exchange_fail(x, x->wait.queued ? full : FAIL_AWAY);
}

/* Tells the client by which connection the request came, if it asks and that is known (rule H20). A
 * request that is sent again may go to a client that does not ask. */
static void name_connection(const struct exchange *x, const struct backend *b, struct message *m)
{
    const struct slice name = SLICE("oneport-viewer-connection");
    struct slice connection = x->request.viewer->connection;
    if (connection.len == 0 || exchange_is_websocket(x))
        return;
    fields_remove(&m->fields, name);
    if (b->asks_who)
        fields_add_copy(&m->fields, name, connection);
}

/* Returns an exchange of the same connection that has a stream on @b, or NULL. */
static struct exchange *of_connection(const struct exchange *x, const struct backend *b)
{
    if (!x->request.connection)
        return NULL;
    LIST_FOREACH (it, x->request.connection) {
        struct exchange *other = CONTAINER_OF(it, struct exchange, stream.beside);
        if (other->stream.backend == b)
            return other;
    }
    return NULL;
}

/* Returns an exchange of the same address that has a stream on the backend of whose streams @x has
 * taken a place, or NULL. */
static struct exchange *of_address(const struct exchange *x)
{
    struct share *other = shares_beside(&x->stream.place);
    return other ? CONTAINER_OF(other, struct exchange, stream.place) : NULL;
}

/* Returns an open stream on @b that the viewer of @x has, or NULL. A viewer is a connection, and
 * behind a proxy an address (docs/flow-control.md#viewers). */
static struct leg *stream_beside(const struct exchange *x, const struct backend *b)
{
    const struct exchange *other = x->request.viewer->proxied ? of_address(x) : of_connection(x, b);
    return other ? other->relay.far.leg : NULL;
}

static void open_on(struct exchange *x, struct backend *b)
{
    struct message *m = x->request.head;
    uint64_t now = loop_now_us(x->worker->loop);
    name_connection(x, b, m);
    struct leg *far =
        b->ops->open(b, m, x->request.end, stream_beside(x, b), &relay_far_events, &x->relay);
    if (!far) {
        b->ops->dismiss(b, &x->stream.place);
        x->wait.queued = true;
        exchange_give_up_waiting(x);
        return;
    }
    relay_join(&x->relay, far);
    relay_show_head(&x->relay, RELAY_NEAR, m, x->request.end);
    x->stream.backend = b;
    x->stream.counted = true;
    if (x->request.connection)
        list_push(x->request.connection, &x->stream.beside);
    x->wait.tunnel = NULL;
    exchange_enter(x, EXCHANGE_OPEN);
    x->wait.spent_us += now - x->relay.moved_us;
    x->relay.moved_us = now;
    x->stream.probed = false;
    exchange_arm(x);
    if (!x->request.end && !exchange_is_websocket(x))
        x->relay.near.leg->ops->want_body(x->relay.near.leg);
    if (x->state != EXCHANGE_DEAD && !exchange_is_websocket(x))
        early_pass(&x->early, &x->relay);
}

/* Takes a place for the viewer among the streams of @b. Returns false, and lets the waiter say why,
 * when the viewer has as many as it may have. */
static bool admit(struct exchange *x, struct backend *b)
{
    struct who who = who_of_viewer(x->request.viewer);
    bool admitted = who.depth == 0 || b->ops->admit(b, &who, &x->stream.place);
    x->wait.waiter.held_back = !admitted;
    return admitted;
}

static enum fitness fitness_for(const struct exchange *x, const struct backend *b)
{
    return b->ops->fitness(b, exchange_kind(x));
}

/* Puts the request into the tunnel's queue again, because the backend @b that came has no room. The
 * first such wait gives the request one second in place of --hold, unless the streams of @b are
 * sockets. Fails the exchange when the queue is full. */
static void wait_again(struct exchange *x, const struct backend *b)
{
    bool queued_before = x->wait.queued;
    x->wait.queued = true;
    x->wait.sockets = b->sockets;
    if (!tunnel_wait(x->wait.tunnel, &x->wait.waiter, loop_now_us(x->worker->loop)))
        exchange_give_up_waiting(x);
    else if (!queued_before)
        exchange_arm(x);
}

static void on_backend(struct waiter *w, struct backend *b)
{
    struct exchange *x = CONTAINER_OF(w, struct exchange, wait.waiter);
    switch (fitness_for(x, b)) {
    case FITNESS_NO_SERVICE:
        x->wait.tunnel = NULL;
        exchange_fail(x, FAIL_REFUSED);
        break;
    case FITNESS_NO_WEBSOCKETS:
        x->wait.tunnel = NULL;
        exchange_fail(x, FAIL_NO_WEBSOCKETS);
        break;
    case FITNESS_ROOM:
        if (admit(x, b))
            open_on(x, b);
        else
            wait_again(x, b);
        break;
    case FITNESS_NONE:
    case FITNESS_FULL:
        x->wait.waiter.held_back = false;
        wait_again(x, b);
        break;
    }
}

static void on_gone(struct waiter *w)
{
    struct exchange *x = CONTAINER_OF(w, struct exchange, wait.waiter);
    uint8_t ignored[OWNER_LEN];
    x->wait.tunnel = NULL;
    bool reserved = reserve_until(directory_reserve(x->worker->server->directory),
                                  slice_str(x->name), ignored) > 0;
    exchange_fail(x, reserved ? FAIL_AWAY : FAIL_NO_TUNNEL);
}

/* Lets the timer fail the request, since another exchange is on the stack. */
static void on_evicted(struct waiter *w)
{
    struct exchange *x = CONTAINER_OF(w, struct exchange, wait.waiter);
    x->wait.tunnel = NULL;
    loop_arm_on_wheel(x->worker->loop, &x->timer, 0);
}

static const struct waiter_ops waiter_ops = {
    .on_backend = on_backend, .on_gone = on_gone, .on_evicted = on_evicted};

/* Puts the request into the queue of @t. @b has no room for it; NULL: there is no backend. */
static void wait_for_backend(struct exchange *x, struct tunnel *t, const struct backend *b)
{
    exchange_enter(x, EXCHANGE_HELD);
    x->wait.queued = b;
    x->wait.sockets = b ? b->sockets : 0;
    x->wait.tunnel = t;
    if (!tunnel_wait(t, &x->wait.waiter, loop_now_us(x->worker->loop))) {
        x->wait.tunnel = NULL;
        exchange_give_up_waiting(x);
        return;
    }
    exchange_arm(x);
}

static void start_on(struct exchange *x, struct tunnel *t, struct backend *b)
{
    switch (fitness_for(x, b)) {
    case FITNESS_NO_SERVICE:
        exchange_fail(x, FAIL_REFUSED);
        break;
    case FITNESS_NO_WEBSOCKETS:
        exchange_fail(x, FAIL_NO_WEBSOCKETS);
        break;
    case FITNESS_ROOM:
        if (admit(x, b))
            open_on(x, b);
        else
            wait_for_backend(x, t, b);
        break;
    case FITNESS_NONE:
    case FITNESS_FULL:
        wait_for_backend(x, t, b);
        break;
    }
}

void exchange_start(struct exchange *x, struct tunnel *t)
{
    memcpy(x->name, t->name, sizeof x->name);
    struct backend *b = tunnel_pick(t, exchange_kind(x));
    t->exchanges++;
    relay_touch(&x->relay);
    if (x->worker->server->draining)
        exchange_fail(x, FAIL_DRAINING);
    else if (b)
        start_on(x, t, b);
    else
        wait_for_backend(x, t, NULL);
}

bool exchange_retry(struct exchange *x, const struct leg_fault *why)
{
    if (!why->unprocessed || x->stream.retried || x->state != EXCHANGE_OPEN ||
        x->relay.near.came > 0 || (exchange_has_body(x) && x->relay.near.ended))
        return false;
    struct tunnel *t = registry_find(x->worker->registry, slice_str(x->name));
    struct backend *b = t ? tunnel_pick(t, exchange_kind(x)) : NULL;
    if (!t || t->guard != x->request.guard) /* which has judged and edited it */
        return false;
    if (exchange_has_body(x) && (!b || fitness_for(x, b) != FITNESS_ROOM))
        return false;
    x->stream.retried = true;
    exchange_enter(x, EXCHANGE_HELD);
    relay_hold(&x->relay);
    exchange_start(x, t);
    return true;
}

void exchange_init_waiter(struct exchange *x)
{
    x->wait.waiter.kind = exchange_kind(x);
    x->wait.waiter.ops = &waiter_ops;
    x->wait.waiter.viewer = x->request.viewer;
}
