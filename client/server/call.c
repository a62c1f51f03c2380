/* SPDX-License-Identifier: MIT */
/* call.c - see call.h.
 *
 * Invariants: exactly one of `dial` and `h1` is set until the call is over, and the deadline is
 * armed; `ops` is NULL from then on. */
#include "client/server/call.h"

#include <stdlib.h>

#include "h2mux/base/check.h"
#include "h2mux/base/inet.h"
#include "h2mux/base/log.h"
#include "h2mux/http/h1_conn.h"

struct call {
    const struct call_env *env; /* borrowed: outlives every call */
    const struct call_ops *ops; /* static; NULL once over */
    void *user;                 /* borrowed: cancels before it dies */
    struct message request;     /* owned */
    struct url url;
    bool public_only, keeps; /* of its target */
    bool on_kept;            /* h1 is an earlier call's, and has not been replaced */
    bool complete;           /* the answer has been read to its end */
    bool by_proxy;
    bool from_public;      /* of whom it is connected to */
    struct dial *dial;     /* owned until it has answered */
    struct h1_conn *h1;    /* owned */
    struct message answer; /* owned: status 0 until the final head is there */
    struct buf body;
    struct timer deadline;
    uint64_t asked_us; /* when the request was sent */
    struct reap reap;
};

static void call_check(const struct call *c)
{
    CHECK_THAT(c->ops || (!c->dial && !c->h1));
    CHECK_THAT(!c->ops || !c->dial == !!c->h1);
    CHECK_THAT(!!c->ops == timer_armed(&c->deadline));
}

static void call_free(void *object)
{
    struct call *c = object;
    message_deinit(&c->request);
    message_deinit(&c->answer);
    buf_release(&c->body);
    free(c);
}

void call_cancel(struct call *c)
{
    if (!c || !c->ops)
        return;
    c->ops = NULL;
    timer_stop(&c->deadline);
    dial_cancel(c->dial);
    c->dial = NULL;
    h1_conn_close(c->h1);
    c->h1 = NULL;
    if (CHECKING)
        call_check(c);
    loop_reap(c->env->loop, &c->reap, call_free, c);
}

static void fail(struct call *c, const char *step, int err, const char *reason)
{
    const struct call_ops *ops = c->ops;
    call_cancel(c);
    ops->on_failed(c->user, step, err, reason);
}

static void on_deadline(void *user)
{
    fail(user, NULL, ERR_TIMEOUT, "no answer in time");
}

static void on_head(void *exchange, struct leg *leg, struct message *m, bool end);

static void on_body(void *exchange, struct leg *leg, struct slice data, bool end)
{
    struct call *c = exchange;
    if (c->ops && buf_append(&c->body, data) < 0)
        fail(c, NULL, ERR_LIMIT, "the answer is too large");
}

static void ignore_trailers(void *exchange, struct leg *leg, struct fields *t)
{
}

static void ignore_sent(void *exchange, struct leg *leg, size_t bytes)
{
}

static void dial(struct call *c);

/* Dials, if the connection that has failed was a kept one: whoever answers may close an idle
 * connection at any time, and it has said nothing yet. Returns false otherwise. */
static bool dials_again(struct call *c, const struct leg_fault *why)
{
    if (!c->on_kept || why->begun)
        return false;
    LOG(DEBUG, "kept_connection_lost", LOG_STR("reason", why->reason));
    h1_conn_close(c->h1);
    c->h1 = NULL;
    c->on_kept = false;
    dial(c);
    return true;
}

static void on_reset(void *exchange, struct leg *leg, const struct leg_fault *why)
{
    if (!dials_again(exchange, why))
        fail(exchange, NULL, why->err, why->reason);
}

static const struct leg_events call_events = {
    .on_head = on_head,
    .on_body = on_body,
    .on_trailers = ignore_trailers,
    .on_sent = ignore_sent,
    .on_reset = on_reset,
};

static void hand_over(struct call *c)
{
    const struct call_ops *ops = c->ops;
    struct sock *sock = h1_conn_release(c->h1);
    c->h1 = NULL;
    call_cancel(c);
    ops->on_upgraded(c->user, sock, loop_now_us(c->env->loop) - c->asked_us);
}

static const char *what_is_wrong(const struct call_wish *wish, const struct fields *f)
{
    if (wish->upgrade.len == 0)
        return "101 was not asked for";
    if (!fields_has_token(f, SLICE("connection"), SLICE("upgrade")))
        return "101 without Connection: upgrade";
    if (!fields_has_token(f, SLICE("upgrade"), wish->upgrade))
        return "101 with another Upgrade than was asked for";
    if (wish->alpn.len > 0 && (fields_count(f, SLICE("alpn")) != 1 ||
                               !slice_eq(fields_value(f, SLICE("alpn")), wish->alpn)))
        return "101 with another ALPN than was asked for";
    return NULL;
}

enum call_head call_judge(const struct call_wish *wish, const struct message *m,
                          const char **reason)
{
    if (m->status >= 200)
        return CALL_FINAL;
    if (m->status != 101)
        return CALL_INTERIM;
    *reason = what_is_wrong(wish, &m->fields);
    return *reason ? CALL_WRONG : CALL_UPGRADED;
}

static void on_head(void *exchange, struct leg *leg, struct message *m, bool end)
{
    struct call *c = exchange;
    const struct call_wish wish = {
        .upgrade = fields_value(&c->request.fields, SLICE("upgrade")),
        .alpn = fields_value(&c->request.fields, SLICE("alpn")),
    };
    const char *reason;
    switch (call_judge(&wish, m, &reason)) {
    case CALL_INTERIM:
        return;
    case CALL_UPGRADED:
        hand_over(c);
        return;
    case CALL_WRONG:
        fail(c, NULL, ERR_PROTOCOL, reason);
        return;
    case CALL_FINAL:
        c->answer.status = m->status;
        fields_copy(&c->answer.fields, &m->fields);
        return;
    }
}

static void conclude(struct call *c)
{
    const struct call_ops *ops = c->ops;
    struct call_answer a = {
        .status = c->answer.status,
        .fields = &c->answer.fields,
        .body = buf_slice(&c->body),
        .by_proxy = c->by_proxy,
        .from_public = c->from_public,
    };
    c->ops = NULL; /* so that the owner cannot end the call a second time */
    ops->on_answer(c->user, &a);
    if (c->keeps)
        kept_drop(c->env->kept);
    c->ops = ops;
    call_cancel(c);
}

static void on_message_end(void *user)
{
    struct call *c = user;
    c->complete = c->answer.status != 0;
    if (c->complete && !c->keeps)
        conclude(c);
}

/* Keeps the connection, if the server does and has said nothing behind the answer. */
static void on_done(void *user)
{
    struct call *c = user;
    if (!c->complete)
        return;
    if (h1_conn_keeps_alive(c->h1) && !h1_conn_surplus(c->h1)) {
        struct sock *sock = h1_conn_release(c->h1);
        c->h1 = NULL;
        kept_put(c->env->kept, &c->url, sock);
    }
    conclude(c);
}

static void on_error(void *user, int err, const char *reason)
{
    struct call *c = user;
    if (c->complete)
        conclude(c);
    else
        fail(c, NULL, err, reason);
}

static const struct h1_conn_ops conn_ops = {
    .on_message_end = on_message_end,
    .on_done = on_done,
    .on_error = on_error,
};

static void ask(struct call *c)
{
    struct leg_reply how = {.upgrade = c->ops->on_upgraded,
                            .close = !c->ops->on_upgraded && !c->keeps};
    struct leg *leg = h1_conn_leg(c->h1);
    leg_reply(leg, &how);
    leg_tie(leg, &call_events, c);
    c->asked_us = loop_now_us(c->env->loop);
    leg->ops->head(leg, &c->request, true);
    if (CHECKING)
        call_check(c);
}

static void speak_on(struct call *c, struct sock *sock)
{
    c->from_public = inet_is_public(sock_peer(sock));
    c->h1 = h1_conn_new(c->env->loop, sock, H1_CLIENT, &h1_default_limits,
                        2 * (size_t)CALL_BODY_MAX, &conn_ops, c);
    ask(c);
}

static void on_dialled(void *user, struct sock *sock)
{
    struct call *c = user;
    c->dial = NULL;
    speak_on(c, sock);
}

static void on_dial_failed(void *user, enum dial_step step, int err, const char *reason)
{
    struct call *c = user;
    c->dial = NULL;
    fail(c, dial_step_name(step), err, reason);
}

static const struct dial_ops dial_ops = {.on_done = on_dialled, .on_failed = on_dial_failed};

static void dial(struct call *c)
{
    const struct call_env *env = c->env;
    struct dial_target target = {
        .host = c->url.host,
        .port = c->url.port,
        .tls = c->url.https ? env->tls : NULL,
        .proxy = proxy_for(&env->proxy, &c->url),
        .allows = c->public_only ? reach_allows : NULL,
        .rule = &env->reach,
        .denied = "is no public address as the server's is; --attach-host allows an address",
    };
    c->dial = dial_start(env->loop, env->resolver, &target, env->timeout_ms, &dial_ops, c);
}

static struct sock *take_kept(const struct call *c)
{
    struct sock *sock = c->env->kept ? kept_take(c->env->kept, &c->url) : NULL;
    if (sock && c->public_only && !c->by_proxy && !reach_allows(&c->env->reach, sock_peer(sock))) {
        sock_close(sock);
        return NULL;
    }
    return sock;
}

struct call *call_start(const struct call_env *env, const struct call_target *to,
                        struct message *request, const struct call_ops *ops, void *user)
{
    struct call *c = xcalloc(1, sizeof *c);
    c->env = env;
    c->ops = ops;
    c->user = user;
    c->url = *to->url;
    c->public_only = to->public_only;
    c->keeps = to->keeps && env->kept;
    c->by_proxy = proxy_for(&env->proxy, &c->url);
    c->request = *request;
    message_init(request);
    message_init(&c->answer);
    c->request.method = SLICE("GET");
    c->request.authority = slice_str(c->url.authority);
    fields_add(&c->request.fields, SLICE("User-Agent"), SLICE("oneport/" ONEPORT_VERSION));
    fields_add(&c->request.fields, SLICE("Accept"), SLICE("application/json"));
    buf_init(&c->body, CALL_BODY_MAX);
    timer_init(&c->deadline, env->loop, on_deadline, c);
    timer_arm(&c->deadline, env->timeout_ms);
    struct sock *kept = take_kept(c);
    c->on_kept = kept;
    if (kept)
        speak_on(c, kept);
    else
        dial(c);
    return c;
}
