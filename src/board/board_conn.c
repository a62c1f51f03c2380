/* SPDX-License-Identifier: MIT */
/* board_conn.c - reads the one request of a connection to the board, and answers it. */
#include <stdlib.h>
#include <unistd.h>

#include "h2mux/base/err.h"
#include "h2mux/base/kernel.h"
#include "src/board/board_int.h"

enum {
    BODY_MAX = 4096,
    WINDOW = 4096,
    READ_MS = 10000,   /* for the whole request */
    ANSWER_MS = 30000, /* for the peer to take the answer */
    ANSWER_BYTES = 64 * 1024
};

static void conn_free(void *object)
{
    struct board_conn *c = object;
    buf_release(&c->body);
    free(c);
}

/* Ends the connection, whose h1_conn was closed or finished. */
static void forget(struct board_conn *c)
{
    roll_cancel(c->roll);
    c->roll = NULL;
    c->conn = NULL;
    timer_stop(&c->timer);
    list_remove(&c->node);
    c->board->n_connections--;
    loop_reap(c->board->worker->loop, &c->reap, conn_free, c);
}

static void close_now(struct board_conn *c)
{
    h1_conn_close(c->conn);
    forget(c);
}

void board_conn_close(struct list_node *node)
{
    close_now(CONTAINER_OF(node, struct board_conn, node));
}

void board_conn_answer(struct board_conn *c, struct answer *a)
{
    struct leg *leg = h1_conn_leg(c->conn);
    bool to_head = c->m && slice_eq(c->m->method, SLICE("HEAD"));
    struct leg_reply how = {.close = true, .to_head = to_head};
    leg_untie(leg);
    leg_reply(leg, &how);
    fields_add(&a->head.fields, SLICE("Date"), worker_date(c->board->worker));
    leg->ops->head(leg, &a->head, buf_len(&a->body) == 0);
    if (buf_len(&a->body) > 0)
        leg->ops->body(leg, buf_slice(&a->body), true);
    answer_deinit(a);
    h1_conn_finish(c->conn, ANSWER_MS, ANSWER_BYTES);
    forget(c);
}

void board_conn_refuse(struct board_conn *c, int status, const char *error, const char *message)
{
    struct answer a;
    answer_refusal(&a, status, error, message, 0);
    board_conn_answer(c, &a);
}

/* ---- the request */

static void run(struct board_conn *c)
{
    struct slice rest;
    const char *allow;
    const struct board_call *call = board_call_find(c->m, &rest, &allow);
    timer_stop(&c->timer);
    call->run(c, rest);
}

static void on_body(void *exchange, struct leg *leg, struct slice data, bool end)
{
    struct board_conn *c = exchange;
    if (buf_append(&c->body, data) < 0) {
        board_conn_refuse(c, 413, "too_large", "The body of a call has at most 4 KiB.");
        return;
    }
    leg->ops->credit(leg, data.len);
    if (end)
        run(c);
}

static void on_trailers(void *exchange, struct leg *leg, struct fields *t)
{
    run(exchange);
}

static void on_sent(void *exchange, struct leg *leg, size_t bytes)
{
}

static void on_reset(void *exchange, struct leg *leg, const struct leg_fault *why)
{
}

static const struct leg_events body_events = {
    .on_body = on_body,
    .on_trailers = on_trailers,
    .on_sent = on_sent,
    .on_reset = on_reset,
};

static void refuse_path(struct board_conn *c, const char *allow)
{
    struct answer a;
    answer_refusal(&a, allow ? 405 : 404, allow ? "method" : "not_found",
                   allow ? "This call has another method." : "The board has no such call.", 0);
    if (allow)
        answer_allow(&a, allow);
    board_conn_answer(c, &a);
}

static void on_head(void *user, struct message *m, bool end)
{
    struct board_conn *c = user;
    struct slice rest;
    const char *allow = NULL, *reason = NULL;
    c->m = m;
    const struct board_call *call = board_call_find(m, &rest, &allow);
    bool open = call && call->open, changes = call && strcmp(call->method, "POST") == 0;
    enum board_verdict verdict = board_judge(&c->door, m, open, changes, &reason);
    if (verdict != BOARD_MAY) {
        board_conn_refuse(c, verdict == BOARD_NO_TOKEN ? 401 : 403,
                          verdict == BOARD_NO_TOKEN ? "unauthorized" : "forbidden", reason);
    } else if (!call) {
        refuse_path(c, allow);
    } else if (end) {
        run(c);
    } else {
        leg_tie(h1_conn_leg(c->conn), &body_events, c);
        h1_conn_start_body(c->conn);
    }
}

static void on_error(void *user, int err, const char *reason)
{
    struct board_conn *c = user;
    if (!c->m && (err == ERR_SYNTAX || err == ERR_LIMIT || err == ERR_VERSION))
        board_conn_refuse(c, 400, "bad_request", reason ? reason : err_text(err));
    else
        close_now(c);
}

static void on_timer(void *user)
{
    close_now(user);
}

static const struct h1_conn_ops conn_ops = {
    .on_head = on_head,
    .on_error = on_error,
};

/* Notes who is at the other end of a unix socket. */
static void look_at_peer(struct board_conn *c, int fd, const struct sockaddr *peer)
{
    c->door = (struct board_door){.local = peer->sa_family == AF_UNIX,
                                  .we = geteuid(),
                                  .uid = (uid_t)-1,
                                  .token = slice_str(c->board->token ? c->board->token : "")};
    if (c->door.local)
        c->door.uid = kernel_peer_user(fd);
}

void board_conn_new(struct board *b, int fd, const struct sockaddr *peer)
{
    struct board_conn *c = xcalloc(1, sizeof *c);
    struct loop *l = b->worker->loop;
    c->board = b;
    buf_init(&c->body, BODY_MAX);
    look_at_peer(c, fd, peer);
    c->conn = h1_conn_new(l, sock_accepted(l, fd, peer), H1_SERVER, &h1_default_limits, WINDOW,
                          &conn_ops, c);
    timer_init(&c->timer, l, on_timer, c);
    timer_arm(&c->timer, READ_MS);
    list_push(&b->connections, &c->node);
    b->n_connections++;
}
