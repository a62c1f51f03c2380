/* SPDX-License-Identifier: MIT */
/* exchange_conn.c - the exchange's connection to the origin: leases it, sends the request on it,
 * and hears how it goes. */
#include "client/origin/exchange_int.h"
#include "h2mux/base/check.h"

void client_exchange_tell_sign_in(struct exchange *x, struct message *m)
{
    bool asks = m->status == 401 || m->status == 407;
    if (asks && x->conn && x->request.owner.len == 0 && origin_keeps_logins(x->env->origin) &&
        login_of_response(&m->fields))
        fields_add(&m->fields, SLICE("oneport-sign-in"), SLICE("?1"));
}

void client_exchange_response_ended(struct exchange *x)
{
    if (x->state == EXCHANGE_KEEPING)
        client_exchange_kept(x);
    if (x->state != EXCHANGE_RELAYING)
        return;
    if (relay_waiting(&x->relay.far) == 0) {
        client_exchange_close(x, ORIGIN_CLOSE);
        return;
    }
    client_exchange_let_go(x, ORIGIN_CLOSE);
    client_exchange_enter(x, EXCHANGE_SENDING);
}

/* The connection is free for others. */
static void on_response_end(void *user)
{
    client_exchange_response_ended(user);
}

/* A WebSocket has ended in both directions; its last bytes may still be queued. */
static void on_done(void *user)
{
    struct exchange *x = user;
    bool queued = sock_queued(h1_conn_sock(origin_h1(x->conn))) > 0;
    client_exchange_close(x, queued ? ORIGIN_FLUSH : ORIGIN_CLOSE);
}

static void on_failed(void *user, enum dial_step step, int err, const char *reason)
{
    struct exchange *x = user;
    x->conn = NULL;
    client_exchange_fail(x, failure_of_dial(step, err), dial_step_name(step), reason);
}

/* Sends the request: its head, and what came of its body meanwhile. */
static void on_ready(void *user)
{
    struct exchange *x = user;
    bool last = origin_asks(x->conn, &x->request.head, x->request.bodyless);
    struct leg_reply how = {
        .close = last && !x->asked.websocket, /* it is the connection's last anyhow */
        .upgrade = x->asked.websocket,
        .trailers = x->request.wants_trailers,
    };
    struct leg *far = h1_conn_leg(origin_h1(x->conn));
    x->state = EXCHANGE_WAITING;
    relay_touch(&x->relay);
    relay_join(&x->relay, far);
    leg_reply(far, &how);
    relay_head(&x->relay, RELAY_NEAR, &x->request.head, x->request.bodyless);
    if (!x->asked.websocket)
        early_pass(&x->early, &x->relay);
    client_exchange_enter(x, EXCHANGE_WAITING);
}

/* Returns whether the request may be sent again (D8): a connection of the pool that died before it
 * said anything says nothing about the origin. */
static bool may_retry(const struct exchange *x)
{
    return x->state == EXCHANGE_WAITING && !x->connect.retried && origin_was_used(x->conn) &&
           x->response.interim.count == 0 &&
           reuse_repeatable(&x->request.head, x->request.bodyless || x->asked.websocket);
}

static bool is_loss(int err)
{
    return err == ERR_EOF || err == ERR_RESET || err == ERR_TRUNCATED || err == ERR_IO;
}

void client_exchange_conn_reset(struct exchange *x, const struct leg_fault *why)
{
    if (is_loss(why->err) && !why->begun && x->state == EXCHANGE_WAITING)
        origin_lost(x->conn);
    if (is_loss(why->err) && !why->begun && may_retry(x)) {
        x->connect.retried = true;
        origin_discard(x->conn, ORIGIN_CLOSE);
        client_exchange_connect(x, REUSE_NONE);
        return;
    }
    bool answered = x->response.status != 0 || x->state == EXCHANGE_KEEPING;
    const struct failure *f = failure_of_response(why->err, answered || why->begun);
    bool unanswered = is_loss(why->err) && !why->begun;
    if ((unanswered || x->asked.websocket) && client_exchange_ask_unanswered(x, f, why->reason))
        return;
    client_exchange_fail(x, f, answered ? "response body" : "response head", why->reason);
}

static const struct origin_ops origin_ops = {
    .on_ready = on_ready,
    .on_failed = on_failed,
    .on_response_end = on_response_end,
    .on_done = on_done,
};

static void run_connect(void *user)
{
    struct exchange *x = user;
    x->conn = origin_acquire(x->env->origin, x->connect.need, x->request.owner, &origin_ops, x);
    if (origin_h1(x->conn))
        on_ready(x);
}

void client_exchange_connect(struct exchange *x, enum reuse_need need)
{
    x->conn = NULL;
    x->connect.need = need;
    x->state = EXCHANGE_CONNECTING; /* a timer that still runs finds nothing to do */
    if (CHECKING)
        client_exchange_check(x);
    loop_defer(x->env->loop, &x->connect.task);
}

void client_exchange_prepare(struct exchange *x)
{
    task_init(&x->connect.task, run_connect, x);
}
