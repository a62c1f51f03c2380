/* SPDX-License-Identifier: MIT */
/* origin.c - see origin.h.
 *
 * Invariants: `ops` is set iff the connection is leased, and the node is linked iff it is not;
 * `dial` is set only while DIALLING, and `h1` only afterwards. The pool is ordered by age, oldest
 * first. It is used from its young end: few connections stay warm, the others time out. */
#include "client/origin/origin.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <sys/socket.h>

#include "h2mux/base/check.h"
#include "h2mux/base/log.h"

enum {
    POOL_MAX = 100,
    WINDOW = 128 * 1024,            /* bytes of one response that wait for the link */
    WINDOW_LEAST = 16 * 1024 - 16,  /* the same in a crowd; with a frame's head 16 KiB */
    WINDOWS_LENT = 8 * 1024 * 1024, /* beyond the least, for all: the first 37 start large */
    LINGER_MS = 2000, /* for what is still queued when a WebSocket has ended both ways */
    LINGER_BYTES = 65536
};

struct origin {
    struct origin_options o;
    struct list_node idle;    /* of origin_conn.node: the pool */
    struct list_node parting; /* likewise: released, and on_done has not been told */
    size_t idle_count;
    struct h1_windows windows; /* of the leased connections */
    struct timer sweep;        /* armed while the pool holds any */
};

struct origin_conn {
    struct origin *origin;        /* borrowed: outlives its connections */
    const struct origin_ops *ops; /* static; NULL while nobody has it */
    void *user;                   /* borrowed: ends the lease before it dies */
    struct dial *dial;            /* owned until it has answered */
    struct h1_conn *h1;           /* owned */
    struct list_node node;        /* in origin->idle or origin->parting; unlinked while leased */
    uint64_t idle_since_us;
    uint64_t idle_turn; /* the loop's turn in which it came into the pool */
    bool idle;          /* in the pool */
    bool used;          /* an exchange was served */
    bool over;          /* condemned */
    struct reap reap;
};

const struct origin_address *origin_address(const struct origin *o)
{
    return o->o.address;
}

struct h1_conn *origin_h1(const struct origin_conn *c)
{
    return c->h1;
}

bool origin_was_used(const struct origin_conn *c)
{
    return c->used;
}

static void conn_check(const struct origin_conn *c)
{
    CHECK_THAT(!c->over && !(c->dial && c->h1));
    CHECK_THAT(!c->ops == list_linked(&c->node));
    CHECK_THAT(c->h1 || c->ops); /* nobody dials but for a lease */
}

static void origin_check(const struct origin *o)
{
    uint64_t since_us = 0;
    LIST_FOREACH (n, &o->idle) {
        const struct origin_conn *c = CONTAINER_OF(n, struct origin_conn, node);
        conn_check(c);
        CHECK_THAT(c->idle && c->idle_since_us >= since_us);
        since_us = c->idle_since_us;
    }
    LIST_FOREACH (n, &o->parting) {
        const struct origin_conn *c = CONTAINER_OF(n, struct origin_conn, node);
        conn_check(c);
        CHECK_THAT(!c->idle);
    }
    CHECK_THAT(list_count(&o->idle) == o->idle_count && o->idle_count <= POOL_MAX);
    CHECK_THAT(o->idle_count == 0 || timer_armed(&o->sweep));
    CHECK_THAT(o->windows.lent <= o->windows.limit);
}

static void unlist(struct origin_conn *c)
{
    if (c->idle)
        c->origin->idle_count--;
    c->idle = false;
    list_remove(&c->node);
}

/* Ends the object. The caller has ended the connection. */
static void condemn(struct origin_conn *c)
{
    c->over = true;
    c->ops = NULL;
    c->h1 = NULL;
    unlist(c);
    dial_cancel(c->dial);
    c->dial = NULL;
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
    condemn(c);
}

/* ---- the pool */

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

static void into_pool(struct origin_conn *c)
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

static struct origin_conn *from_pool(struct origin *o)
{
    while (!list_empty(&o->idle)) {
        struct origin_conn *c = CONTAINER_OF(o->idle.prev, struct origin_conn, node);
        if (is_quiet(c)) {
            assert(c->h1 && !c->ops); /* or a viewer gets the response to another one's request */
            unlist(c);
            return c;
        }
        origin_discard(c, ORIGIN_CLOSE);
    }
    return NULL;
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
             sock_queued(h1_conn_sock(c->h1)) == 0)
        into_pool(c);
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
    origin_discard(c, ORIGIN_CLOSE);
}

static const struct h1_conn_ops conn_ops = {
    .on_message_end = on_message_end,
    .on_done = on_done,
    .on_error = on_error,
};

/* ---- leases */

/* Rule R2 bounds a head, and no single field of it. */
static const struct h1_limits head_limits = {
    .head = 32 * 1024, .fields = 100, .field = 32 * 1024, .target = 0};

static void on_dialled(void *user, struct sock *sock)
{
    struct origin_conn *c = user;
    struct origin *o = c->origin;
    c->dial = NULL;
    if (o->windows.lent >= o->windows.limit / 2)
        sock_set_receive_buffer(sock, WINDOW);
    c->h1 = h1_conn_new(o->o.loop, sock, H1_CLIENT, &head_limits, WINDOW_LEAST, &conn_ops, c);
    h1_conn_lend_window(c->h1, &o->windows);
    c->ops->on_ready(c->user);
}

static void on_dial_failed(void *user, enum dial_step step, int err, const char *reason)
{
    struct origin_conn *c = user;
    const struct origin_ops *ops = c->ops;
    c->dial = NULL;
    condemn(c);
    ops->on_failed(c->user, step, err, reason);
}

static const struct dial_ops dial_ops = {.on_done = on_dialled, .on_failed = on_dial_failed};

static struct origin_conn *dial_one(struct origin *o)
{
    struct origin_conn *c = xcalloc(1, sizeof *c);
    const struct origin_address *a = o->o.address;
    struct dial_target target = {
        .host = a->url.host,
        .port = a->url.port,
        .unix_path = a->unix_path[0] != '\0' ? a->unix_path : NULL,
        .tls = o->o.tls,
    };
    c->origin = o;
    c->dial = dial_start(o->o.loop, o->o.resolver, &target, o->o.connect_ms, &dial_ops, c);
    return c;
}

struct origin_conn *origin_acquire(struct origin *o, bool fresh, const struct origin_ops *ops,
                                   void *user)
{
    struct origin_conn *c = fresh ? NULL : from_pool(o);
    if (c)
        h1_conn_lend_window(c->h1, &o->windows);
    else
        c = dial_one(o);
    c->ops = ops;
    c->user = user;
    if (CHECKING) {
        conn_check(c);
        origin_check(o);
    }
    return c;
}

void origin_release(struct origin_conn *c)
{
    c->ops = NULL;
    c->used = true;
    leg_untie(h1_conn_leg(c->h1));
    list_push(&c->origin->parting, &c->node);
    if (CHECKING)
        origin_check(c->origin);
    if (!h1_conn_keeps_alive(c->h1) || !h1_conn_rx_done(c->h1) || !h1_conn_tx_done(c->h1))
        origin_discard(c, ORIGIN_CLOSE);
    /* else on_done decides, once it is known what was read behind the response */
}

struct origin *origin_new(const struct origin_options *options)
{
    struct origin *o = xcalloc(1, sizeof *o);
    o->o = *options;
    o->windows = (struct h1_windows){.least = WINDOW_LEAST, .most = WINDOW, .limit = WINDOWS_LENT};
    list_init(&o->idle);
    list_init(&o->parting);
    timer_init(&o->sweep, options->loop, sweep, o);
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
    discard_all(&o->idle);
    discard_all(&o->parting);
    timer_stop(&o->sweep);
    free(o);
}
