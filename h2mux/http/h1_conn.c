/* SPDX-License-Identifier: MIT */
/* h1_conn.c - the life of a connection, and what its owner may ask. h1_conn.h draws the two state
 * machines.
 *
 * Bytes come from one read of the loop's scratch. What was read beyond the current message waits in
 * `rest`. Invariants:
 *   - no more is out without credit than the window;
 *   - HOLD and DONE read nothing; the sock is paused iff nothing is wanted from it;
 *   - RAW and ENDED are states of both directions, or of none;
 *   - nobody is tied to a leg that has failed, or of which both directions are over. */
#include "h2mux/http/h1_conn_int.h"

#include <stdlib.h>

static bool both_over(const struct h1_conn *c)
{
    return (c->rx == RX_DONE && c->tx == TX_DONE) || (c->rx == RX_ENDED && c->tx == TX_ENDED);
}

/* A connection that is closed has given its window back, whatever is out. */
void h1_conn_check(const struct h1_conn *c)
{
    const struct h1_windows *w = c->windows;
    bool raw_rx = c->rx == RX_RAW || c->rx == RX_ENDED;
    bool raw_tx = c->tx == TX_RAW || c->tx == TX_ENDED;
    leg_check(&c->leg);
    CHECK_THAT(h1_conn_closed(c) || c->outstanding <= c->window);
    CHECK_THAT(c->rx == RX_FAILED || raw_rx == raw_tx);
    CHECK_THAT(!c->leg.events || (c->rx != RX_FAILED && !both_over(c)));
    CHECK_THAT(!c->done_told || both_over(c));
    CHECK_THAT(!w || (c->window >= w->least && c->window <= w->most && w->lent <= w->limit));
    CHECK_THAT(!h1_conn_closed(c) || (!c->leg.events && !w && !list_linked(&c->task.node)));
}

/* The owner hears it from the task, where nothing of the exchange is on the stack. */
void h1_conn_check_over(struct h1_conn *c)
{
    if (both_over(c)) {
        leg_untie(&c->leg);
        loop_defer(c->loop, &c->task);
    }
}

void h1_conn_resume(struct h1_conn *c)
{
    sock_resume(c->sock);
    loop_defer(c->loop, &c->task);
}

/* ---- what the loop and the sock tell */

static void run_task(void *user)
{
    struct h1_conn *c = user;
    if (CHECKING)
        h1_conn_check(c);
    if (c->gave_up) {
        h1_conn_fail(c, ERR_CLOSED, c->gave_up);
        return;
    }
    h1_conn_report_sent(c);
    if (!h1_conn_closed(c) && both_over(c) && !c->done_told) {
        c->done_told = true;
        if (c->ops->on_done)
            c->ops->on_done(c->user);
    }
    if (!h1_conn_closed(c) && (c->rx == RX_HEAD || h1_conn_wants_body(c)))
        h1_conn_read(c);
}

static void on_readable(void *user)
{
    struct h1_conn *c = user;
    if (CHECKING)
        h1_conn_check(c);
    if (c->rx == RX_HEAD || h1_conn_wants_body(c))
        h1_conn_read(c);
    else
        sock_pause(c->sock);
}

static void on_sent(void *user)
{
    struct h1_conn *c = user;
    if (CHECKING)
        h1_conn_check(c);
    h1_conn_touch(c);
    h1_conn_report_sent(c);
    if (!h1_conn_closed(c) && c->ops->on_sent)
        c->ops->on_sent(c->user);
}

/* Returns whether the peer may have left while it waits for the message of ours. A peer that still
 * owes a body is noticed by reading. */
static bool awaits_message(const struct h1_conn *c)
{
    return (c->rx == RX_DONE || c->rx == RX_HOLD) && c->tx != TX_DONE;
}

void h1_conn_peer_left(struct h1_conn *c)
{
    if (!h1_conn_closed(c) && awaits_message(c))
        h1_conn_fail(c, ERR_EOF, "peer left");
}

/* Nobody reads the message of ours behind a RST. Behind a FIN somebody may (rule Q46). */
static void on_hangup(void *user)
{
    struct h1_conn *c = user;
    bool may_read = c->ops->on_half_closed && !sock_is_dead(c->sock);
    if (awaits_message(c) && !(may_read && c->ops->on_half_closed(c->user)))
        h1_conn_peer_left(c);
}

static void on_error(void *user, int err, const char *reason)
{
    h1_conn_fail(user, err, reason);
}

static const struct sock_ops h1_sock_ops = {
    .on_readable = on_readable,
    .on_sent = on_sent,
    .on_hangup = on_hangup,
    .on_error = on_error,
};

/* ---- for the owner */

void h1_conn_set_window(struct h1_conn *c, size_t bytes)
{
    c->windows->lent += bytes;
    c->windows->lent -= c->window;
    c->window = bytes;
    c->credited = 0;
}

void h1_conn_lend_window(struct h1_conn *c, struct h1_windows *w)
{
    assert(c->outstanding == 0 && !c->windows);
    c->windows = w;
    c->window = w->least;
    h1_conn_set_window(c, w->lent < w->limit / 2 ? w->most : w->least);
}

void h1_conn_lend_least(struct h1_conn *c, struct h1_windows *w)
{
    if (c->windows)
        return;
    c->windows = w;
    c->window = w->least;
    c->credited = 0;
}

void h1_conn_reopen(struct h1_conn *c)
{
    if (h1_conn_wants_body(c) && c->outstanding < h1_conn_window(c))
        h1_conn_resume(c);
}

uint64_t h1_conn_progress(const struct h1_conn *c)
{
    return c->outstanding > 0 ? c->taken : c->last_io_us;
}

size_t h1_conn_outstanding(const struct h1_conn *c)
{
    return c->outstanding;
}

size_t h1_conn_memory(const struct h1_conn *c)
{
    return 2 * c->head.cap + c->rest.cap + c->outstanding + c->in.fields.cap * sizeof(struct field);
}

void h1_conn_tell_memory(struct h1_conn *c)
{
    if (h1_conn_closed(c) || !c->ops->on_memory)
        return;
    size_t bytes = h1_conn_memory(c);
    if (bytes == c->told)
        return;
    c->told = bytes;
    c->ops->on_memory(c->user, bytes);
}

static void return_window(struct h1_conn *c)
{
    if (!c->windows)
        return;
    h1_conn_set_window(c, c->windows->least);
    c->windows = NULL;
    c->of_many = false;
}

struct h1_conn *h1_conn_new(struct loop *l, struct sock *sock, enum h1_role role,
                            const struct h1_limits *limits, size_t window,
                            const struct h1_conn_ops *ops, void *user)
{
    struct h1_conn *c = xcalloc(1, sizeof *c);
    c->leg.ops = &h1_leg_ops;
    c->loop = l;
    c->sock = sock;
    c->role = role;
    c->limits = limits;
    c->window = window;
    c->ops = ops;
    c->user = user;
    buf_init(&c->head, limits->head + LOOP_SCRATCH);
    buf_init(&c->rest, limits->head + LOOP_SCRATCH);
    message_init(&c->in);
    h1_body_init(&c->body, H1_NO_BODY, 0);
    task_init(&c->task, run_task, c);
    h1_conn_touch(c);
    sock_set_ops(sock, &h1_sock_ops, c);
    return c;
}

static void h1_conn_free(void *object)
{
    struct h1_conn *c = object;
    message_deinit(&c->in);
    h1_body_deinit(&c->body);
    buf_release(&c->head);
    buf_release(&c->rest);
    free(c);
}

/* Takes the connection apart. Returns the sock, which is the caller's from here on. */
static struct sock *let_go(struct h1_conn *c)
{
    struct sock *sock = c->sock;
    c->sock = NULL;
    return_window(c);
    leg_untie(&c->leg);
    task_cancel(&c->task);
    if (!c->lent) { /* hundreds may be closed in this turn, and what they hold is not counted */
        buf_release(&c->head);
        buf_release(&c->rest);
    }
    if (CHECKING)
        h1_conn_check(c);
    loop_reap(c->loop, &c->reap, h1_conn_free, c);
    return sock;
}

void h1_conn_close(struct h1_conn *c)
{
    if (c && !h1_conn_closed(c))
        sock_close(let_go(c));
}

void h1_conn_abort(struct h1_conn *c)
{
    if (c && !h1_conn_closed(c))
        sock_abort(let_go(c));
}

void h1_conn_finish(struct h1_conn *c, uint64_t max_ms, size_t max_bytes)
{
    if (c && !h1_conn_closed(c))
        sock_finish(let_go(c), max_ms, max_bytes);
}

struct sock *h1_conn_release(struct h1_conn *c)
{
    struct buf rest = c->rest;
    buf_init(&c->rest, 0);
    struct sock *sock = let_go(c);
    if (buf_len(&rest) > 0)
        sock_unread(sock, buf_slice(&rest));
    buf_release(&rest);
    sock_resume(sock);
    return sock;
}

struct sock *h1_conn_rewind(struct h1_conn *c)
{
    struct buf head = c->head;
    buf_init(&c->head, 0); /* the message that borrows from it is not looked at any more */
    struct sock *sock = h1_conn_release(c);
    sock_unread(sock, buf_slice(&head));
    buf_release(&head);
    return sock;
}

void h1_conn_set_user(struct h1_conn *c, void *user)
{
    c->user = user;
}

struct leg *h1_conn_leg(struct h1_conn *c)
{
    return &c->leg;
}

struct sock *h1_conn_sock(struct h1_conn *c)
{
    return c->sock;
}

void h1_conn_start_body(struct h1_conn *c)
{
    if (!h1_conn_closed(c) && c->rx == RX_HOLD) {
        c->rx = RX_BODY;
        h1_conn_resume(c);
    }
}

void h1_conn_next(struct h1_conn *c)
{
    assert(c->rx == RX_DONE && c->tx == TX_DONE);
    h1_conn_forget_head(c);
    leg_untie(&c->leg);
    c->rx = RX_HEAD;
    c->tx = TX_IDLE;
    c->tx_unsent = 0;
    c->outstanding = 0;
    return_window(c);
    c->done_told = false;
    c->reply = (struct leg_reply){0};
    c->answers_head = false;
    sock_rest(c->sock);
    h1_conn_resume(c);
    if (CHECKING)
        h1_conn_check(c);
    h1_conn_tell_memory(c);
}

bool h1_conn_keeps_alive(const struct h1_conn *c)
{
    return c->keep_alive;
}

bool h1_conn_rx_done(const struct h1_conn *c)
{
    return c->rx == RX_DONE || c->rx == RX_ENDED;
}

bool h1_conn_rx_until_close(const struct h1_conn *c)
{
    return c->rx == RX_BODY && c->body.framing == H1_UNTIL_CLOSE;
}

bool h1_conn_tx_done(const struct h1_conn *c)
{
    return c->tx == TX_DONE || c->tx == TX_ENDED;
}

bool h1_conn_tx_until_close(const struct h1_conn *c)
{
    return c->tx == TX_BODY && c->tx_framing == H1_UNTIL_CLOSE;
}

bool h1_conn_tx_close(const struct h1_conn *c)
{
    return c->tx_close;
}

struct slice h1_conn_head_so_far(const struct h1_conn *c)
{
    return buf_slice(&c->head);
}

size_t h1_conn_head_bytes(const struct h1_conn *c)
{
    return buf_len(&c->head);
}

bool h1_conn_surplus(const struct h1_conn *c)
{
    return buf_len(&c->rest) > 0;
}

uint64_t h1_conn_last_io_us(const struct h1_conn *c)
{
    return c->last_io_us;
}

void h1_conn_write_raw(struct h1_conn *c, struct slice data)
{
    if (!h1_conn_closed(c))
        sock_write(c->sock, data);
}
