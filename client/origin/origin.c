/* SPDX-License-Identifier: MIT */
/* origin.c - leases connections; see origin.h. */
#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

#include "client/origin/origin_int.h"
#include "h2mux/base/check.h"
#include "h2mux/base/log.h"

enum {
    WINDOW = 128 * 1024,            /* bytes of one response that wait for the link */
    WINDOW_LEAST = 16 * 1024 - 16,  /* the same in a crowd; with a frame's head 16 KiB */
    WINDOWS_LENT = 8 * 1024 * 1024, /* beyond the least, for all: the first 37 start large */
    LINGER_MS = 2000, /* for what is still queued when a WebSocket has ended both ways */
    LINGER_BYTES = 65536
};

const struct origin_address *origin_address(const struct origin *o)
{
    return o->o.address;
}

bool origin_keeps_logins(const struct origin *o)
{
    return o->o.login == LOGIN_VIEWER;
}

struct h1_conn *origin_h1(const struct origin_conn *c)
{
    return c->h1;
}

bool origin_is_private(const struct origin_conn *c)
{
    return c->private;
}

bool origin_was_used(const struct origin_conn *c)
{
    return c->used;
}

void origin_conn_check(const struct origin_conn *c)
{
    CHECK_THAT(!c->over && !(c->dial && c->h1));
    CHECK_THAT(!c->ops == list_linked(&c->node));
    CHECK_THAT(list_linked(&c->waiter.node) == (!c->dial && !c->h1));
    CHECK_THAT(c->h1 || c->ops); /* nobody dials but for a lease */
}

void origin_check(const struct origin *o)
{
    origin_pool_check(o);
    LIST_FOREACH (n, &o->parting) {
        const struct origin_conn *c = CONTAINER_OF(n, struct origin_conn, node);
        origin_conn_check(c);
        CHECK_THAT(!c->idle);
    }
    CHECK_THAT(o->windows.lent <= o->windows.limit);
}

void origin_unlist(struct origin_conn *c)
{
    if (c->idle)
        c->origin->idle_count--;
    if (c->idle && c->private)
        c->origin->private_count--;
    c->idle = false;
    list_remove(&c->node);
}

bool origin_is_own(const struct origin_conn *c, struct slice owner)
{
    return c->private && owner.len > 0 && slice_eq(slice_str(c->owner), owner);
}

void origin_condemn(struct origin_conn *c)
{
    c->over = true;
    c->ops = NULL;
    c->h1 = NULL;
    origin_unlist(c);
    origin_crowd_let_go(c);
    dial_cancel(c->dial);
    c->dial = NULL;
    dial_queue_leave(&c->waiter);
    dial_queue_wake(&c->origin->queue);
    loop_reap(c->origin->o.loop, &c->reap, free, c);
}

static void finish(struct origin_conn *c)
{
    struct sock *sock = h1_conn_sock(c->h1);
    h1_conn_finish(c->h1, LINGER_MS, LINGER_BYTES);
    if (c->origin->o.finishing)
        sock_count_finishing(sock, c->origin->o.finishing);
}

void origin_discard(struct origin_conn *c, enum origin_end how)
{
    if (!c || c->over)
        return;
    switch (how) {
    case ORIGIN_CLOSE:
        h1_conn_close(c->h1);
        break;
    case ORIGIN_FLUSH:
        finish(c);
        break;
    case ORIGIN_ABORT:
        h1_conn_abort(c->h1);
        break;
    }
    origin_condemn(c);
}

/* ---- what the connection tells */

static void on_message_end(void *user)
{
    struct origin_conn *c = user;
    if (c->ops)
        c->ops->on_response_end(c->user);
}

/* Both directions are complete, and all that was read along with them has been looked at. */
static void on_done(void *user)
{
    struct origin_conn *c = user;
    if (c->ops)
        c->ops->on_done(c->user);
    else if (h1_conn_keeps_alive(c->h1) && !h1_conn_surplus(c->h1) &&
             sock_queued(h1_conn_sock(c->h1)) == 0 && origin_crowd_keeps(c->origin))
        origin_pool_put(c);
    else
        origin_discard(c, ORIGIN_CLOSE);
}

/* Tells of a connection in the pool. An exchange that leases one was told by the leg, and has
 * discarded it. Only a WebSocket that has ended in both directions is not tied any more; it has
 * nothing to lose. */
static void on_error(void *user, int err, const char *reason)
{
    struct origin_conn *c = user;
    if (c->ops) {
        c->ops->on_done(c->user);
        return;
    }
    if (err == ERR_PROTOCOL)
        LOG(WARN, "origin_speaks_unasked", LOG_STR("origin", c->origin->o.address->text));
    origin_pool_note_end(c);
    origin_discard(c, ORIGIN_CLOSE);
}

static void on_head_begin(void *user)
{
    origin_crowd_answer(user);
}

const struct h1_conn_ops origin_conn_ops = {
    .on_head_begin = on_head_begin,
    .on_message_end = on_message_end,
    .on_done = on_done,
    .on_error = on_error,
};

/* ---- leases */

struct origin_conn *origin_acquire(struct origin *o, enum reuse_need need, struct slice owner,
                                   const struct origin_ops *ops, void *user)
{
    bool queue = dial_queue_first(&o->queue); /* they came before */
    if (!origin_keeps_logins(o))
        owner = SLICE("");
    struct origin_conn *c =
        queue ? origin_pool_take_own(o, need, owner) : origin_pool_take(o, need, owner);
    if (c)
        h1_conn_lend_window(c->h1, &o->windows);
    else
        c = origin_dial(o, need);
    assert(!c->private || origin_is_own(c, owner)); /* or a stranger is taken for the owner */
    snprintf(c->owner, sizeof c->owner, "%.*s", SLICE_FMT(owner));
    c->ops = ops;
    c->user = user;
    if (CHECKING) {
        origin_conn_check(c);
        origin_check(o);
    }
    return c;
}

/* D13: says once why such sign-ins fail; a viewer could repeat the reason without end. */
static void tell_login(struct origin *o, const char *scheme)
{
    static const char *const reasons[] = {
        [LOGIN_OFF] = "this signs in a connection, and viewers share connections; each one is "
                      "closed behind its answer, so the sign-in cannot succeed; --origin-login "
                      "viewer may help",
        [LOGIN_VIEWER] = "this signs in a connection, and the server does not say whose connection "
                         "the viewer's is: a proxy is between, or the server is an older one; each "
                         "one is closed behind its answer, so the sign-in cannot succeed",
    };
    if (o->login_told)
        return;
    o->login_told = true;
    LOG(WARN, "connection_login", LOG_STR("origin", o->o.address->text), LOG_STR("scheme", scheme),
        LOG_STR("reason", reasons[o->o.login]));
}

/* D13, D19: the connection is its owner's alone, or nobody's. */
static void keep_private(struct origin_conn *c, const char *scheme)
{
    c->private = c->owner[0] != '\0';
    if (c->private)
        return;
    c->spent = true;
    tell_login(c->origin, scheme);
}

bool origin_asks(struct origin_conn *c, const struct message *m, bool bodyless)
{
    const char *scheme = login_of_request(&m->fields);
    if (scheme)
        keep_private(c, scheme);
    c->body = reuse_has_body(m, bodyless);
    if (!reuse_behind_request(c->private ? REUSE_ALWAYS : c->origin->o.reuse, m, c->body))
        c->spent = true;
    origin_crowd_ask(c);
    return c->spent;
}

void origin_answers(struct origin_conn *c, const struct message *m, bool early)
{
    const char *scheme = login_of_response(&m->fields);
    if (scheme)
        keep_private(c, scheme);
    if (m->status < 200)
        return;
    c->keep_ms = reuse_keep_ms(&m->fields, c->origin->o.idle_ms);
    bool fit = c->private ? reuse_own_behind_answer(m->status, c->body, early)
                          : reuse_behind_answer(m->status, c->body, early);
    if (c->keep_ms == 0 || !fit)
        c->spent = true;
    if (c->spent || !h1_conn_keeps_alive(c->h1))
        origin_crowd_let_go(c);
}

void origin_lost(const struct origin_conn *c)
{
    origin_pool_note_end(c);
}

static bool may_serve_more(const struct origin_conn *c)
{
    return h1_conn_keeps_alive(c->h1) && !c->spent;
}

void origin_release(struct origin_conn *c)
{
    c->ops = NULL;
    c->used = true;
    c->answered_us = loop_now_us(c->origin->o.loop);
    leg_untie(h1_conn_leg(c->h1));
    list_push(&c->origin->parting, &c->node);
    if (CHECKING)
        origin_check(c->origin);
    if (!may_serve_more(c) || !h1_conn_rx_done(c->h1) || !h1_conn_tx_done(c->h1))
        origin_discard(c, ORIGIN_CLOSE);
    /* else on_done decides, once it is known what was read behind the response */
}

struct origin *origin_new(const struct origin_options *options)
{
    struct origin *o = xcalloc(1, sizeof *o);
    o->o = *options;
    if (o->o.idle_ms == 0)
        o->o.reuse = REUSE_NEVER;
    o->windows = (struct h1_windows){.least = WINDOW_LEAST, .most = WINDOW, .limit = WINDOWS_LENT};
    list_init(&o->parting);
    origin_pool_init(o);
    origin_crowd_init(o);
    origin_dial_init(o);
    return o;
}

static void discard_all(struct list_node *head)
{
    while (!list_empty(head))
        origin_discard(CONTAINER_OF(head->next, struct origin_conn, node), ORIGIN_CLOSE);
}

void origin_free(struct origin *o)
{
    if (!o)
        return;
    origin_pool_close(o);
    discard_all(&o->parting);
    dial_queue_deinit(&o->queue);
    timer_stop(&o->crowd_timer);
    free(o);
}
