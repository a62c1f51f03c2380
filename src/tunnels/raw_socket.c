/* SPDX-License-Identifier: MIT */
/* raw_socket.c - is one socket of an old client: a leg around an HTTP/1.1 connection, which asks a
 * link's question as the service wants it; see raw.h. raw_answer.c has the way back.
 *
 * The timer of a busy socket means, in this order: the answer has not begun (a socket that may have
 * lost its service is knocked at, raw_knock.c); the exchange has left (what is under way may end);
 * the viewer has ended a WebSocket (the service may say its last). */
#include <stdlib.h>

#include "h2mux/base/check.h"
#include "h2mux/base/log.h"
#include "h2mux/http/upgrade.h"
#include "src/tunnels/raw_int.h"

enum {
    MEMORY = 24 * 1024, /* of a connection and its TLS, without bodies */
    ANSWER_MS = 5000,   /* in which a doubtful socket has to begin its answer */
    IDLE_MS = 1000,     /* how long a socket rests that has served */
    LEAVE_MS = 2000,    /* what is under way when its viewer has left may end in this time */
    INTERIM_MAX = 8     /* interim heads for one answer */
};

/* As client/origin reads its service: all that is read is written anew. */
static const struct h1_limits head_limits = {
    .head = 32 * 1024, .fields = 100, .field = 32 * 1024, .target = 0, .lenient = true};

static const struct leg_ops raw_leg_ops;
static const struct h1_conn_ops conn_ops;

static struct raw_socket *socket_of(struct leg *leg)
{
    CHECK_THAT(leg->ops == &raw_leg_ops);
    return CONTAINER_OF(leg, struct raw_socket, leg);
}

static struct leg *inner(struct raw_socket *s)
{
    return h1_conn_leg(s->h1);
}

static bool is_over(const struct raw_socket *s)
{
    return !s->h1 && !s->bare;
}

/* Returns whether no exchange can use the socket. */
static bool is_mute(const struct raw_socket *s)
{
    return !s->h1;
}

/* ---- life */

static void on_timer(void *user);

static void count_memory(struct raw_socket *s, size_t bytes)
{
    budget_add_fixed(&s->raw->worker->evictor.share, (int64_t)bytes - (int64_t)s->memory);
    s->memory = bytes;
    evictor_changed(&s->raw->worker->evictor);
}

static void rest(struct raw_socket *s)
{
    struct raw *r = s->raw;
    s->state = RAW_IDLE;
    s->since_us = loop_now_us(r->worker->loop);
    list_push(&r->idle, &s->node);
    if (s->used && !s->relayed)
        timer_arm(&s->timer, IDLE_MS);
    else
        timer_stop(&s->timer);
}

static void use(struct raw_socket *s, struct sock *sock)
{
    struct worker *w = s->raw->worker;
    s->h1 = h1_conn_new(w->loop, sock, H1_CLIENT, &head_limits, w->windows.least, &conn_ops, s);
    count_memory(s, MEMORY);
    rest(s);
}

bool raw_socket_new(struct raw *r, struct sock *sock, const struct peer *peer)
{
    struct worker *w = r->worker;
    struct who who = who_of_peer(w->server->trust, sock_peer(sock));
    struct raw_socket *s = xcalloc(1, sizeof *s);
    if (!commons_take(w->server->descriptors, w, &who, &s->descriptor, false)) {
        free(s);
        return false;
    }
    s->raw = r;
    s->relayed = peer->relayed;
    s->leg.ops = &raw_leg_ops;
    message_init(&s->asked);
    timer_init(&s->timer, w->loop, on_timer, s);
    sock_reset_on_close(sock, true);
    r->backend.sockets = ++r->count;
    stat_add(&w->stats.old_sockets_open, 1);
    use(s, sock);
    return true;
}

void raw_socket_revive(struct raw_socket *s)
{
    struct sock *sock = s->bare;
    s->bare = NULL;
    list_remove(&s->node);
    use(s, sock);
}

static void socket_free(void *object)
{
    free(object);
}

static void forget_request(struct raw_socket *s)
{
    message_deinit(&s->asked);
    message_init(&s->asked);
}

static void end_connection(struct raw_socket *s, bool reset)
{
    struct sock *sock = s->bare ? s->bare : h1_conn_release(s->h1);
    s->h1 = NULL;
    s->bare = NULL;
    if (reset) {
        sock_abort(sock);
        return;
    }
    sock_reset_on_close(sock, false);
    sock_close(sock);
}

void raw_socket_lose(struct raw_socket *s, int err, bool begun, const char *reason)
{
    const struct leg_events *events = s->leg.events;
    void *exchange = s->leg.exchange;
    struct leg_fault why = {
        .err = err,
        .unprocessed = err == ERR_LINK_LOST && !s->begun && !begun && s->repeatable,
        .begun = begun,
        .reason = reason,
    };
    leg_untie(&s->leg);
    s->left = true;
    if (events)
        events->on_reset(exchange, &s->leg, &why);
}

void raw_socket_close(struct raw_socket *s, bool reset)
{
    struct raw *r = s->raw;
    if (is_over(s))
        return;
    end_connection(s, reset);
    timer_stop(&s->timer);
    list_remove(&s->node);
    r->websockets -= s->state == RAW_BUSY && s->websocket;
    r->backend.sockets = --r->count;
    commons_give(r->worker->server->descriptors, &s->descriptor);
    stat_add(&r->worker->stats.old_sockets_open, -1);
    count_memory(s, 0);
    raw_socket_lose(s, ERR_LINK_LOST, false, "socket lost");
    forget_request(s);
    loop_reap(r->worker->loop, &s->reap, socket_free, s);
    raw_wake(r);
    raw_check_over(r);
}

/* ---- asking */

/* Makes @s->asked of the request @m, as the service gets it. Returns false when there are no random
 * bytes for a WebSocket. */
static bool write_request(struct raw_socket *s, const struct message *m)
{
    struct message *asked = &s->asked;
    s->websocket = message_is_websocket(m);
    s->asked = *m;
    fields_init(&asked->fields);
    fields_copy(&asked->fields, &m->fields);
    fields_remove(&asked->fields, SLICE("te")); /* h1_conn writes it */
    return !s->websocket || upgrade_request(asked) == 0;
}

static void begin(struct raw_socket *s, const struct message *m, bool end)
{
    struct raw *r = s->raw;
    uint64_t rested_us = loop_now_us(r->worker->loop) - s->since_us;
    s->state = RAW_BUSY;
    s->repeatable = (end || s->websocket) && method_is_idempotent(s->asked.method);
    s->doubtful = s->used || rested_us > RAW_REST_US;
    s->knocks = 0;
    s->open = s->begun = s->spent = s->left = s->complete = false;
    s->interim = 0;
    list_remove(&s->node);
    list_push(&r->busy, &s->node);
    r->websockets += s->websocket;
    if (s->doubtful)
        timer_arm(&s->timer, ANSWER_MS);
    else
        timer_stop(&s->timer);
}

struct leg *raw_socket_ask(struct raw_socket *s, const struct message *m, bool end,
                           const struct leg_events *events, void *exchange)
{
    if (!write_request(s, m)) {
        forget_request(s);
        return NULL;
    }
    struct leg_reply how = {
        .upgrade = s->websocket,
        .trailers = fields_has_token(&m->fields, SLICE("te"), SLICE("trailers")),
    };
    begin(s, m, end);
    h1_conn_lend_window(s->h1, &s->raw->worker->windows);
    leg_tie(&s->leg, events, exchange);
    leg_tie(inner(s), &raw_inner_events, s);
    leg_reply(inner(s), &how);
    inner(s)->ops->head(inner(s), &s->asked, end);
    return &s->leg;
}

/* ---- the end of an exchange */

/* Lets the socket serve again, or takes it out of service. The exchange is over in both directions,
 * and has left. */
static void finish(struct raw_socket *s)
{
    struct raw *r = s->raw;
    /* One that was knocked at may say more: the service may have taken that for a request. */
    bool fit = !s->spent && s->knocks == 0 && !h1_conn_surplus(s->h1) && !r->draining;
    s->spent |= h1_conn_surplus(s->h1);
    s->used = true;
    r->websockets -= s->websocket;
    s->websocket = false;
    forget_request(s);
    if (!fit) {
        raw_heal_retire(s);
        return;
    }
    list_remove(&s->node);
    h1_conn_next(s->h1);
    rest(s);
    raw_wake(r);
}

void raw_socket_cut(struct raw_socket *s)
{
    s->spent = true;
    s->raw->websockets -= s->websocket;
    s->websocket = false;
    forget_request(s);
    raw_heal_retire(s);
}

/* Logs why an answer had no end. */
static void tell_endless(const struct raw_socket *s)
{
    struct worker *w = s->raw->worker;
    uint64_t suppressed;
    if (h1_conn_rx_until_close(s->h1) && worker_may_log(w, WORKER_OLD_SOCKET_LOST, &suppressed))
        LOG(WARN, "old_client_answer_without_end", LOG_STR("name", s->raw->name),
            LOG_STR("reason", "the answer has neither a length nor chunks, and the client does not "
                              "pass on that the service has closed its connection"),
            LOG_U("suppressed", suppressed));
}

void raw_socket_settle(struct raw_socket *s)
{
    s->left = true;
    if (s->complete) {
        finish(s);
        return;
    }
    if (h1_conn_rx_done(s->h1) && h1_conn_tx_done(s->h1))
        return; /* on_done follows */
    bool under_way = s->begun && !s->open && !h1_conn_rx_done(s->h1);
    if (!under_way) {
        raw_socket_cut(s);
        return;
    }
    inner(s)->ops->credit(inner(s), h1_conn_outstanding(s->h1)); /* nobody reads it any more */
    timer_arm(&s->timer, LEAVE_MS);
}

static void on_done(void *user)
{
    struct raw_socket *s = user;
    s->complete = true;
    if (s->left && s->state == RAW_BUSY)
        finish(s);
}

/* Ends an open WebSocket towards the viewer, in order. */
static void end_websocket(struct raw_socket *s)
{
    if (s->leg.events)
        s->leg.events->on_body(s->leg.exchange, &s->leg, SLICE(""), true);
}

/* Makes the client notice that its service is gone, if it is: then it ends the socket, and the
 * request fails or is asked again. Behind a handshake an empty line would be a frame, so that is
 * asked again at once. */
static void doubt(struct raw_socket *s)
{
    if (!h1_conn_tx_done(s->h1)) {
        timer_arm(&s->timer, ANSWER_MS);
        return;
    }
    if (!s->websocket) {
        h1_conn_write_raw(s->h1, SLICE("\r\n"));
        if (++s->knocks < RAW_KNOCKS)
            timer_arm(&s->timer, RAW_KNOCK_MS);
        return;
    }
    raw_heal_doubt(s->raw, RAW_REST_US);
    raw_socket_lose(s, ERR_LINK_LOST, false, "no answer");
    raw_socket_cut(s);
}

static void on_timer(void *user)
{
    struct raw_socket *s = user;
    if (s->state == RAW_WORN)
        raw_knock_go_on(s);
    else if (s->state == RAW_IDLE)
        raw_heal_retire(s);
    else if (s->left)
        raw_socket_cut(s);
    else if (s->open)
        end_websocket(s);
    else if (!s->begun && !h1_conn_head_bytes(s->h1))
        doubt(s);
}

/* ---- what the connection tells */

bool raw_socket_is_loss(int err)
{
    return err == ERR_EOF || err == ERR_RESET || err == ERR_TRUNCATED || err == ERR_IO ||
           err == ERR_GONE || err == ERR_TLS;
}

/* Closes what the client has ended. What the service has said unasked shows that it has given its
 * connection up. */
static void on_error(void *user, int err, const char *reason)
{
    struct raw_socket *s = user;
    if (raw_socket_is_loss(err))
        raw_socket_close(s, true);
    else if (s->state == RAW_BUSY)
        raw_socket_cut(s);
    else if (s->state == RAW_IDLE) {
        s->spent = true;
        raw_heal_retire(s);
    }
}

static void on_memory(void *user, size_t bytes)
{
    count_memory(user, MEMORY + bytes);
}

static const struct h1_conn_ops conn_ops = {
    .on_done = on_done,
    .on_error = on_error,
    .on_memory = on_memory,
};

/* ---- the leg of the exchange */

/* The head went out with raw_socket_ask. */
static void leg_head(struct leg *leg, const struct message *m, bool end)
{
    CHECK_THAT(false);
}

/* The end of a WebSocket goes on by its Close frame alone: FIN would take the socket from the
 * client. */
static void leg_body(struct leg *leg, struct slice data, bool end)
{
    struct raw_socket *s = socket_of(leg);
    if (is_mute(s))
        return;
    inner(s)->ops->body(inner(s), data, end && !s->open);
    if (end && s->open)
        timer_arm(&s->timer, LEAVE_MS);
}

static void leg_trailers(struct leg *leg, const struct fields *t)
{
    struct raw_socket *s = socket_of(leg);
    if (!is_mute(s))
        inner(s)->ops->trailers(inner(s), t);
}

static void leg_want_body(struct leg *leg)
{
}

static void leg_credit(struct leg *leg, size_t bytes)
{
    struct raw_socket *s = socket_of(leg);
    if (!is_mute(s))
        inner(s)->ops->credit(inner(s), bytes);
}

/* raw_done settles what is left. */
static void leg_reset(struct leg *leg, const struct leg_fault *why)
{
    struct raw_socket *s = socket_of(leg);
    leg_untie(leg);
    if (!is_mute(s))
        tell_endless(s);
}

static bool leg_taken_by_service(struct leg *leg, uint64_t *bytes)
{
    struct raw_socket *s = socket_of(leg);
    return !is_mute(s) && leg_taken(inner(s), bytes);
}

static const struct leg_ops raw_leg_ops = {
    .head = leg_head,
    .body = leg_body,
    .trailers = leg_trailers,
    .want_body = leg_want_body,
    .credit = leg_credit,
    .reset = leg_reset,
    .taken = leg_taken_by_service,
};
