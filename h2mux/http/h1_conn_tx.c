/* SPDX-License-Identifier: MIT */
/* h1_conn_tx.c - writes: the ops of the leg. How a message is framed is decided here, for this
 * connection alone. */
#include "h2mux/http/h1_conn_int.h"

enum {
    HEAD_USUAL = 1024, /* one allocation is enough for most */
    GROW_AFTER = 4     /* windows of credit, before the window doubles */
};

void h1_conn_report_sent(struct h1_conn *c)
{
    size_t queued = sock_queued(c->sock);
    if (c->tx_unsent <= queued)
        return;
    size_t left = c->tx_unsent - queued;
    c->tx_unsent = queued;
    if (c->leg.events)
        c->leg.events->on_sent(c->leg.exchange, &c->leg, left);
}

/* Gives the connection up. The exchange and the owner hear it from the task, not inside the op that
 * was the reason. */
static void give_up(struct h1_conn *c, const char *reason)
{
    c->gave_up = reason;
    sock_pause(c->sock);
    loop_defer(c->loop, &c->task);
}

static bool takes(const struct h1_conn *c)
{
    return !h1_conn_closed(c) && !c->gave_up;
}

static void tx_end(struct h1_conn *c)
{
    if (c->tx == TX_RAW) {
        sock_shutdown(c->sock);
        c->tx = TX_ENDED;
    } else {
        c->tx = TX_DONE;
    }
    h1_conn_check_over(c);
    if (CHECKING)
        h1_conn_check(c);
}

static enum h1_framing request_framing(const struct message *m, bool end)
{
    if (m->length != MESSAGE_LENGTH_UNKNOWN)
        return H1_LENGTH;
    return end ? H1_NO_BODY : H1_CHUNKED;
}

static enum h1_framing response_framing(const struct h1_conn *c, const struct message *m, bool end)
{
    if (m->length != MESSAGE_LENGTH_UNKNOWN || end)
        return H1_LENGTH;
    return c->reply.peer_1_0 ? H1_UNTIL_CLOSE : H1_CHUNKED;
}

/* Composes the head, and decides what it says of the body. */
static int write_head(struct h1_conn *c, const struct message *m, bool end, struct buf *to)
{
    struct message shown = *m;
    struct h1_write w = {.upgrade = c->reply.upgrade, .close = c->reply.close};
    if (c->role == H1_CLIENT) {
        c->answers_head = slice_eq(m->method, SLICE("HEAD"));
        c->tx_framing = w.framing = request_framing(m, end);
        w.te_trailers = c->reply.trailers;
        return h1_write_request(to, &shown, &w);
    }
    bool body = status_has_body(m->status, c->reply.to_head);
    c->tx_framing = body ? response_framing(c, m, end) : H1_NO_BODY;
    w.framing = body ? c->tx_framing : H1_LENGTH;
    if (body && end && m->length == MESSAGE_LENGTH_UNKNOWN)
        shown.length = 0;
    if (m->status < 200 || m->status == 204 || shown.length == MESSAGE_LENGTH_UNKNOWN)
        w.framing = c->tx_framing;
    w.close |= c->tx_framing == H1_UNTIL_CLOSE;
    w.keep_alive = c->reply.peer_1_0 && !w.close;
    c->tx_close = w.close;
    return h1_write_response(to, &shown, &w);
}

static void leg_head(struct leg *leg, const struct message *m, bool end)
{
    struct h1_conn *c = h1_conn_of(leg);
    struct buf head;
    if (!takes(c))
        return;
    assert(c->tx == TX_IDLE);
    end |= c->role == H1_CLIENT && c->reply.upgrade; /* what follows waits for the 101 */
    bool interim = m->status >= 100 && m->status < 200 && m->status != 101;
    if (interim && c->reply.peer_1_0)
        return;
    buf_init(&head, 2 * FIELDS_BYTES_MAX);
    if (!buf_reserve(&head, HEAD_USUAL) || write_head(c, m, end, &head) < 0) {
        give_up(c, "head cannot be written");
    } else if (end && c->tx_framing == H1_LENGTH && m->length > 0) {
        give_up(c, "head promises a body that does not follow");
    } else {
        sock_write(c->sock, buf_slice(&head));
        if (!interim) {
            c->tx = TX_BODY;
            c->tx_left = m->length > 0 ? (uint64_t)m->length : 0;
            if (end)
                tx_end(c);
        }
    }
    buf_release(&head);
}

static void write_chunk(struct h1_conn *c, struct slice data)
{
    char size[H1_CHUNK_HEAD_MAX];
    sock_write(c->sock, slice_make(size, h1_chunk_head(size, data.len)));
    sock_write(c->sock, data);
    sock_write(c->sock, SLICE("\r\n"));
}

/* Returns false when @data breaks the promise of the head's length: the message must not look
 * complete then. */
static bool write_body(struct h1_conn *c, struct slice data, bool end)
{
    if (c->tx == TX_BODY && c->tx_framing == H1_NO_BODY)
        return true; /* an answer to HEAD: no body leaves */
    if (c->tx == TX_BODY && c->tx_framing == H1_LENGTH) {
        if (data.len > c->tx_left || (end && data.len < c->tx_left))
            return false;
        c->tx_left -= data.len;
    }
    if (data.len > 0 && c->tx == TX_BODY && c->tx_framing == H1_CHUNKED)
        write_chunk(c, data);
    else
        sock_write(c->sock, data);
    if (end && c->tx == TX_BODY && c->tx_framing == H1_CHUNKED)
        sock_write(c->sock, SLICE("0\r\n\r\n"));
    return true;
}

static void leg_body(struct leg *leg, struct slice data, bool end)
{
    struct h1_conn *c = h1_conn_of(leg);
    if (!takes(c) || (c->tx != TX_BODY && c->tx != TX_RAW))
        return;
    if (!write_body(c, data, end)) {
        give_up(c, "body does not have the length its head promised");
        return;
    }
    c->tx_unsent += data.len;
    if (c->tx_framing == H1_NO_BODY)
        loop_defer(c->loop, &c->task);
    if (end)
        tx_end(c);
}

/* A server that takes chunks takes trailers behind them; a client has to say so. */
static bool takes_trailers(const struct h1_conn *c)
{
    return c->tx == TX_BODY && c->tx_framing == H1_CHUNKED &&
           (c->role == H1_CLIENT || c->reply.trailers);
}

static void leg_trailers(struct leg *leg, const struct fields *t)
{
    struct h1_conn *c = h1_conn_of(leg);
    if (!takes(c) || !takes_trailers(c)) {
        leg_body(leg, SLICE(""), true);
        return;
    }
    struct buf last;
    buf_init(&last, 2 * H1_TRAILERS_MAX + FIELDS_BYTES_MAX);
    if (h1_write_last_chunk(&last, t) < 0)
        give_up(c, "trailers cannot be written");
    else
        sock_write(c->sock, buf_slice(&last));
    buf_release(&last);
    if (!c->gave_up)
        tx_end(c);
}

/* Doubles the window of this connection, which bounds the body bytes that it has handed up without
 * credit, once four windows of credit were returned for it. Credit for one window does not show
 * that somebody reads: one window fits into the socket buffers towards the other leg's peer. */
static void grow_window(struct h1_conn *c, size_t bytes)
{
    const struct h1_windows *w = c->windows;
    c->credited += bytes;
    if (!w || c->credited < GROW_AFTER * c->window || c->window >= w->most)
        return;
    size_t more = c->window > w->most / 2 ? w->most - c->window : c->window;
    if (w->lent + more <= (c->of_many ? w->limit / 4 * 3 : w->limit))
        h1_conn_set_window(c, c->window + more);
}

static void leg_credit(struct leg *leg, size_t bytes)
{
    struct h1_conn *c = h1_conn_of(leg);
    bool stopped = c->outstanding >= h1_conn_window(c);
    c->outstanding -= bytes < c->outstanding ? bytes : c->outstanding;
    c->taken += bytes;
    grow_window(c, bytes);
    if (stopped && c->outstanding < h1_conn_window(c) && h1_conn_wants_body(c))
        h1_conn_resume(c);
    h1_conn_tell_memory(c);
}

static void leg_reset(struct leg *leg, const struct leg_fault *why)
{
    struct h1_conn *c = h1_conn_of(leg);
    leg_untie(leg);
    if (takes(c))
        give_up(c, why->reason ? why->reason : err_text(why->err));
}

static void leg_is_one_of_many(struct leg *leg)
{
    h1_conn_of(leg)->of_many = true;
}

static void leg_want_body(struct leg *leg)
{
    h1_conn_start_body(h1_conn_of(leg));
}

static bool leg_taken_by_peer(struct leg *leg, uint64_t *bytes)
{
    const struct h1_conn *c = h1_conn_of(leg);
    if (h1_conn_closed(c))
        return false;
    *bytes = sock_taken(c->sock);
    return true;
}

static void set_reply(struct leg *leg, const struct leg_reply *how)
{
    h1_conn_of(leg)->reply = *how;
}

static void upgrade(struct leg *leg)
{
    struct h1_conn *c = h1_conn_of(leg);
    if (h1_conn_closed(c))
        return;
    h1_conn_forget_head(c);
    c->rx = RX_RAW;
    c->tx = TX_RAW;
    h1_conn_resume(c);
    if (CHECKING)
        h1_conn_check(c);
}

const struct leg_ops h1_leg_ops = {
    .head = leg_head,
    .body = leg_body,
    .trailers = leg_trailers,
    .want_body = leg_want_body,
    .credit = leg_credit,
    .reset = leg_reset,
    .taken = leg_taken_by_peer,
    .of_many = leg_is_one_of_many,
    .reply = set_reply,
    .upgrade = upgrade,
};
