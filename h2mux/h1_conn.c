/* h1_conn.c - one HTTP/1.1 connection end as a leg; see h1_conn.h for its two state machines.
 *
 * Octets come from one read of the loop's scratch; what was read beyond the current message waits in `rest`.
 * Invariants: outstanding <= window; rx HOLD and DONE read nothing; the sock is paused iff nothing is wanted from it. */
#include "h2mux/h1_conn.h"

#include <assert.h>
#include <stdlib.h>

enum rx_state {
    RX_HEAD,
    RX_HOLD, /* a head was given up, its body is not wanted yet */
    RX_BODY,
    RX_DONE,
    RX_RAW,
    RX_ENDED,
    RX_FAILED
};
enum tx_state { TX_IDLE, TX_BODY, TX_DONE, TX_RAW, TX_ENDED };

enum { READS_PER_TURN = 4 };

struct h1_conn {
    struct leg leg;
    struct loop *loop; /* borrowed: outlives its connections */
    struct sock *sock; /* owned; NULL once closed or released */
    enum h1_role role;
    enum rx_state rx;
    enum tx_state tx;
    const struct h1_limits *limits;
    const struct h1_conn_ops *ops; /* static */
    void *user;                    /* borrowed: closes this before it goes */

    struct buf head; /* the head being read, then kept for the message that borrows from it */
    struct buf rest; /* read ahead, behind the head or the message */
    struct h1_scan scan;
    struct message in;
    struct h1_body body;
    bool expect_head_answer; /* CLIENT: the response answers HEAD */
    size_t window, outstanding;

    struct h1_conn_reply reply;
    enum h1_framing tx_framing;
    bool tx_close;
    uint64_t tx_left;   /* H1_LENGTH: octets still owed */
    size_t tx_unsent;   /* body octets taken and not reported by on_sent */
    bool done_told;
    const char *gave_up; /* leg.reset came: why */
    uint64_t last_io_us;
    struct task task;
    struct reap reap;
};

static const struct leg_ops h1_leg_ops;

static struct h1_conn *conn_of(struct leg *leg)
{
    return CONTAINER_OF(leg, struct h1_conn, leg);
}

static bool closed(const struct h1_conn *c)
{
    return c->sock == NULL;
}

static void touch(struct h1_conn *c)
{
    c->last_io_us = loop_now_us(c->loop);
}

/* ---- reading ------------------------------------------------------------------------------------------------------- */

static void fail(struct h1_conn *c, int err, const char *reason)
{
    if (c->rx == RX_FAILED)
        return;
    c->rx = RX_FAILED;
    sock_pause(c->sock);
    const struct leg_events *events = c->leg.events;
    void *exchange = c->leg.exchange;
    leg_untie(&c->leg);
    if (events != NULL) {
        struct leg_fault why = {.err = err, .reason = reason};
        events->on_reset(exchange, &c->leg, &why);
    }
    if (!closed(c))
        c->ops->on_error(c->user, err, reason);
}

static bool both_over(const struct h1_conn *c)
{
    return (c->rx == RX_DONE && c->tx == TX_DONE) || (c->rx == RX_ENDED && c->tx == TX_ENDED);
}

/* The leg lets go at once; the owner hears it from the task, where nothing of the exchange is on the stack. */
static void check_over(struct h1_conn *c)
{
    if (both_over(c)) {
        leg_untie(&c->leg);
        loop_defer(c->loop, &c->task);
    }
}

static void message_ended(struct h1_conn *c)
{
    c->rx = c->rx == RX_RAW ? RX_ENDED : RX_DONE;
    sock_pause(c->sock);
    check_over(c);
    if (c->ops->on_message_end != NULL)
        c->ops->on_message_end(c->user);
}

static void give_body(struct h1_conn *c, struct slice data, bool end)
{
    if (c->leg.events == NULL)
        return; /* nobody wants it: read and forgotten, without a window */
    c->outstanding += data.len;
    c->leg.events->on_body(c->leg.exchange, &c->leg, data, end);
}

static int give_trailers(struct h1_conn *c)
{
    struct fields trailers;
    fields_init(&trailers);
    int err = h1_body_trailers(&c->body, &trailers);
    if (err == ERR_OK && c->leg.events != NULL)
        c->leg.events->on_trailers(c->leg.exchange, &c->leg, &trailers);
    fields_deinit(&trailers);
    return err;
}

static bool has_trailers(const struct h1_conn *c)
{
    return c->body.framing == H1_CHUNKED && buf_len(&c->body.trailers) > 2; /* more than the last CRLF */
}

/* What of @in belongs to the message goes up; how much that was. */
static size_t feed_body(struct h1_conn *c, struct slice in)
{
    size_t used = 0;
    while (used < in.len && c->rx == RX_BODY && !closed(c)) {
        struct slice payload = SLICE("");
        ssize_t n = h1_body_decode(&c->body, slice_skip(in, used), &payload);
        if (n < 0) {
            fail(c, (int)n, c->body.reason ? c->body.reason : "malformed body");
            return used;
        }
        used += (size_t)n;
        bool trailers = c->body.done && has_trailers(c);
        bool end = c->body.done && !trailers;
        if (payload.len > 0 || end)
            give_body(c, payload, end);
        if (trailers && !closed(c) && give_trailers(c) < 0)
            fail(c, ERR_SYNTAX, "malformed trailers");
        if (c->body.done && c->rx == RX_BODY && !closed(c))
            message_ended(c);
    }
    return used;
}

static size_t feed(struct h1_conn *c, struct slice in)
{
    if (c->rx == RX_RAW) {
        give_body(c, in, false);
        return in.len;
    }
    return feed_body(c, in);
}

static void keep_rest(struct h1_conn *c, struct slice behind)
{
    if (behind.len > 0 && !closed(c) && buf_append(&c->rest, behind) < 0)
        fail(c, ERR_LIMIT, "too much read ahead");
}

static bool wants_body(const struct h1_conn *c)
{
    return !closed(c) && (c->rx == RX_BODY || c->rx == RX_RAW);
}

static void body_eof(struct h1_conn *c, ssize_t n)
{
    if (c->rx == RX_RAW && (n == 0 || n == ERR_TRUNCATED)) {
        give_body(c, SLICE(""), true); /* a WebSocket ends by its own Close frame: close_notify adds nothing */
        if (!closed(c) && c->rx == RX_RAW)
            message_ended(c);
    } else if (n == 0 && h1_body_eof(&c->body) == ERR_OK) {
        give_body(c, SLICE(""), true);
        if (!closed(c) && c->rx == RX_BODY)
            message_ended(c);
    } else {
        fail(c, n == 0 ? ERR_TRUNCATED : (int)n, "connection ended inside a body");
    }
}

/* false: nothing more for now. */
static bool read_body_once(struct h1_conn *c)
{
    size_t room = c->window - c->outstanding;
    if (room == 0) {
        sock_pause(c->sock);
        return false;
    }
    if (buf_len(&c->rest) > 0) {
        struct slice in = buf_slice(&c->rest);
        in.len = in.len < room ? in.len : room;
        buf_consume(&c->rest, feed(c, in));
        if (buf_len(&c->rest) == 0)
            buf_release(&c->rest);
        return true;
    }
    ssize_t n = sock_read(c->sock, loop_scratch(c->loop), room < LOOP_SCRATCH ? room : LOOP_SCRATCH);
    if (n == ERR_AGAIN)
        return false;
    touch(c);
    if (n <= 0) {
        body_eof(c, n);
        return false;
    }
    struct slice in = slice_make(loop_scratch(c->loop), (size_t)n);
    keep_rest(c, slice_skip(in, feed(c, in)));
    return true;
}

static void read_body(struct h1_conn *c)
{
    for (int i = 0; i < READS_PER_TURN && wants_body(c); i++)
        if (!read_body_once(c))
            return;
    if (wants_body(c))
        loop_defer(c->loop, &c->task);
}

static int parse_head(struct h1_conn *c, struct slice head, struct h1_result *r)
{
    message_init(&c->in);
    if (c->role == H1_SERVER)
        return h1_parse_request(head, c->limits, &c->in, r);
    return h1_parse_response(head, c->limits, c->expect_head_answer, &c->in, r);
}

static bool is_interim(const struct h1_conn *c)
{
    return c->role == H1_CLIENT && c->in.status >= 100 && c->in.status < 200 && c->in.status != 101;
}

static void forget_head(struct h1_conn *c)
{
    message_deinit(&c->in);
    message_init(&c->in);
    buf_release(&c->head);
    c->scan = (struct h1_scan){0};
}

static void head_complete(struct h1_conn *c, size_t length)
{
    struct h1_result r = {0};
    struct slice all = buf_slice(&c->head);
    keep_rest(c, slice_skip(all, length));
    if (closed(c) || c->rx == RX_FAILED)
        return;
    buf_truncate(&c->head, length);
    int err = parse_head(c, buf_slice(&c->head), &r);
    if (err < 0) {
        fail(c, err, r.reason ? r.reason : "malformed head");
        return;
    }
    if (is_interim(c)) {
        c->ops->on_head(c->user, &c->in, &r);
        if (!closed(c))
            forget_head(c);
        return;
    }
    h1_body_deinit(&c->body);
    h1_body_init(&c->body, r.framing, c->in.length);
    bool complete = r.framing == H1_NO_BODY || (r.framing == H1_LENGTH && c->in.length == 0);
    bool hold = c->role == H1_SERVER || c->in.status == 101;
    c->rx = complete && !hold ? RX_DONE : complete && c->role == H1_SERVER ? RX_DONE : hold ? RX_HOLD : RX_BODY;
    if (c->rx != RX_BODY)
        sock_pause(c->sock);
    c->ops->on_head(c->user, &c->in, &r);
    if (closed(c) || c->role == H1_SERVER)
        return;
    if (c->rx == RX_DONE) {
        check_over(c);
        if (c->ops->on_message_end != NULL)
            c->ops->on_message_end(c->user);
    }
}

/* RFC 9112 2.2: an empty line before a request is skipped; one of them. */
static void skip_empty_line(struct h1_conn *c)
{
    if (c->role == H1_SERVER && c->scan.offset == 0 && slice_starts(buf_slice(&c->head), SLICE("\r\n")))
        buf_consume(&c->head, 2);
}

static void scan_head(struct h1_conn *c)
{
    struct slice first = buf_slice(&c->head);
    if (c->scan.offset == 0 && c->role == H1_SERVER && first.len == 1 && first.ptr[0] == '\r')
        return;
    skip_empty_line(c);
    ssize_t n = h1_scan_head(&c->scan, buf_slice(&c->head), c->limits, c->role == H1_SERVER);
    if (n < 0)
        fail(c, (int)n, "malformed head");
    else if (n > 0)
        head_complete(c, (size_t)n);
}

static void head_eof(struct h1_conn *c, ssize_t n)
{
    bool between = buf_len(&c->head) == 0;
    if (between && (n == 0 || n == ERR_TRUNCATED || n == ERR_RESET))
        fail(c, n == ERR_RESET ? ERR_RESET : ERR_EOF, "connection closed");
    else
        fail(c, n == 0 ? ERR_TRUNCATED : (int)n, "connection ended inside a head");
}

static bool read_head_once(struct h1_conn *c)
{
    if (buf_len(&c->rest) > 0) {
        struct buf behind = c->rest;
        c->rest = c->head;
        c->head = behind;
        buf_release(&c->rest);
        if (c->ops->on_head_begin != NULL)
            c->ops->on_head_begin(c->user);
        scan_head(c);
        return true;
    }
    ssize_t n = sock_read(c->sock, loop_scratch(c->loop), LOOP_SCRATCH);
    if (n == ERR_AGAIN)
        return false;
    touch(c);
    if (n <= 0) {
        head_eof(c, n);
        return false;
    }
    bool first = buf_len(&c->head) == 0;
    if (first && c->ops->on_head_begin != NULL)
        c->ops->on_head_begin(c->user);
    if (buf_append(&c->head, slice_make(loop_scratch(c->loop), (size_t)n)) < 0)
        fail(c, ERR_LIMIT, "head too large");
    else
        scan_head(c);
    return true;
}

static void read_some(struct h1_conn *c)
{
    for (int i = 0; i < READS_PER_TURN && !closed(c) && c->rx == RX_HEAD; i++)
        if (!read_head_once(c))
            return;
    if (wants_body(c))
        read_body(c);
    else if (!closed(c) && c->rx == RX_HEAD)
        loop_defer(c->loop, &c->task);
}

static void resume(struct h1_conn *c)
{
    sock_resume(c->sock);
    loop_defer(c->loop, &c->task);
}

/* ---- writing ----------------------------------------------------------------------------------------------------------- */

static void report_sent(struct h1_conn *c)
{
    size_t queued = sock_queued(c->sock);
    if (c->tx_unsent <= queued)
        return;
    size_t left = c->tx_unsent - queued;
    c->tx_unsent = queued;
    if (c->leg.events != NULL)
        c->leg.events->on_sent(c->leg.exchange, &c->leg, left);
}

static void give_up(struct h1_conn *c, const char *reason)
{
    leg_untie(&c->leg);
    c->gave_up = reason;
    sock_pause(c->sock);
    loop_defer(c->loop, &c->task);
}

static void tx_end(struct h1_conn *c)
{
    if (c->tx == TX_RAW) {
        sock_shutdown(c->sock);
        c->tx = TX_ENDED;
    } else {
        c->tx = TX_DONE;
    }
    check_over(c);
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

/* The head as it will be written: what it says of the body is decided here, by us, for this connection. */
static int write_head(struct h1_conn *c, const struct message *m, bool end, struct buf *to)
{
    struct message shown = *m;
    struct h1_write w = {.upgrade = c->reply.upgrade, .close = c->reply.close};
    if (c->role == H1_CLIENT) {
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
    struct h1_conn *c = conn_of(leg);
    struct buf head;
    if (closed(c))
        return;
    assert(c->tx == TX_IDLE);
    bool interim = m->status >= 100 && m->status < 200 && m->status != 101;
    if (interim && c->reply.peer_1_0)
        return;
    buf_init(&head, 2 * FIELDS_OCTETS_MAX);
    if (write_head(c, m, end, &head) < 0) {
        give_up(c, "head cannot be written");
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

/* false: the length that was promised is not kept, so the message must not look complete. */
static bool write_body(struct h1_conn *c, struct slice data, bool end)
{
    if (c->tx == TX_BODY && c->tx_framing == H1_NO_BODY)
        return true; /* an answer to HEAD: nothing leaves */
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
    struct h1_conn *c = conn_of(leg);
    if (closed(c) || (c->tx != TX_BODY && c->tx != TX_RAW))
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

static void leg_trailers(struct leg *leg, const struct fields *t)
{
    struct h1_conn *c = conn_of(leg);
    if (closed(c) || c->tx != TX_BODY || c->tx_framing != H1_CHUNKED || !c->reply.trailers) {
        leg_body(leg, SLICE(""), true);
        return;
    }
    struct buf last;
    buf_init(&last, 2 * H1_TRAILERS_MAX + FIELDS_OCTETS_MAX);
    if (h1_write_last_chunk(&last, t) < 0)
        give_up(c, "trailers cannot be written");
    else
        sock_write(c->sock, buf_slice(&last));
    buf_release(&last);
    if (c->gave_up == NULL)
        tx_end(c);
}

static void leg_credit(struct leg *leg, size_t octets)
{
    struct h1_conn *c = conn_of(leg);
    bool stopped = c->outstanding >= c->window;
    c->outstanding -= octets < c->outstanding ? octets : c->outstanding;
    if (stopped && c->outstanding < c->window && wants_body(c))
        resume(c);
}

static void leg_reset(struct leg *leg, const struct leg_fault *why)
{
    struct h1_conn *c = conn_of(leg);
    if (!closed(c) && c->gave_up == NULL)
        give_up(c, why->reason ? why->reason : err_text(why->err));
}

static void leg_want_body(struct leg *leg)
{
    h1_conn_start_body(conn_of(leg));
}

static const struct leg_ops h1_leg_ops = {
    .head = leg_head,
    .body = leg_body,
    .trailers = leg_trailers,
    .want_body = leg_want_body,
    .credit = leg_credit,
    .reset = leg_reset,
};

/* ---- what the loop and the sock tell ----------------------------------------------------------------------------------------- */

static void run_task(void *user)
{
    struct h1_conn *c = user;
    if (c->gave_up != NULL) {
        if (c->rx != RX_FAILED) {
            c->rx = RX_FAILED;
            c->ops->on_error(c->user, ERR_CLOSED, c->gave_up);
        }
        return;
    }
    report_sent(c);
    if (!closed(c) && both_over(c) && !c->done_told) {
        c->done_told = true;
        if (c->ops->on_done != NULL)
            c->ops->on_done(c->user);
    }
    if (!closed(c) && (c->rx == RX_HEAD || wants_body(c)))
        read_some(c);
}

static void on_open(void *user)
{
    struct h1_conn *c = user;
    if (c->ops->on_open != NULL)
        c->ops->on_open(c->user);
}

static void on_readable(void *user)
{
    struct h1_conn *c = user;
    if (c->rx == RX_HEAD || wants_body(c))
        read_some(c);
    else
        sock_pause(c->sock);
}

static void on_sent(void *user)
{
    struct h1_conn *c = user;
    touch(c);
    report_sent(c);
    if (!closed(c) && c->ops->on_sent != NULL)
        c->ops->on_sent(c->user);
}

/* A peer that is gone while it owes us nothing: its answer has no reader. One that still owes a body is found by reading it. */
static void on_hangup(void *user)
{
    struct h1_conn *c = user;
    if (c->rx == RX_DONE || c->rx == RX_HOLD)
        fail(c, ERR_EOF, "peer left");
}

static void on_error(void *user, int err, const char *reason)
{
    fail(user, err, reason);
}

static const struct sock_ops h1_sock_ops = {
    .on_open = on_open,
    .on_readable = on_readable,
    .on_sent = on_sent,
    .on_hangup = on_hangup,
    .on_error = on_error,
};

/* ---- for the owner --------------------------------------------------------------------------------------------------------------- */

struct h1_conn *h1_conn_new(struct loop *l, struct sock *sock, enum h1_role role, const struct h1_limits *limits, size_t window,
                            const struct h1_conn_ops *ops, void *user)
{
    struct h1_conn *c = xcalloc(1, sizeof(*c));
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
    touch(c);
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

/* Lets go of the sock, which is the caller's from here on. */
static struct sock *let_go(struct h1_conn *c)
{
    struct sock *sock = c->sock;
    c->sock = NULL;
    leg_untie(&c->leg);
    task_cancel(&c->task);
    loop_reap(c->loop, &c->reap, h1_conn_free, c);
    return sock;
}

void h1_conn_close(struct h1_conn *c)
{
    if (c != NULL && !closed(c))
        sock_close(let_go(c));
}

void h1_conn_abort(struct h1_conn *c)
{
    if (c != NULL && !closed(c))
        sock_abort(let_go(c));
}

void h1_conn_finish(struct h1_conn *c, uint64_t max_ms, size_t max_octets)
{
    if (c != NULL && !closed(c))
        sock_finish(let_go(c), max_ms, max_octets);
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

struct leg *h1_conn_leg(struct h1_conn *c)
{
    return &c->leg;
}

struct sock *h1_conn_sock(struct h1_conn *c)
{
    return c->sock;
}

bool h1_conn_is(const struct leg *leg)
{
    return leg->ops == &h1_leg_ops;
}

void h1_conn_start_body(struct h1_conn *c)
{
    if (!closed(c) && c->rx == RX_HOLD) {
        c->rx = RX_BODY;
        resume(c);
    }
}

void h1_conn_next(struct h1_conn *c)
{
    assert(c->rx == RX_DONE && c->tx == TX_DONE);
    forget_head(c);
    leg_untie(&c->leg);
    c->rx = RX_HEAD;
    c->tx = TX_IDLE;
    c->tx_unsent = 0;
    c->outstanding = 0;
    c->done_told = false;
    c->reply = (struct h1_conn_reply){0};
    c->expect_head_answer = false;
    resume(c);
}

void h1_conn_upgrade(struct h1_conn *c)
{
    c->rx = RX_RAW;
    c->tx = TX_RAW;
    resume(c);
}

void h1_conn_set_reply(struct h1_conn *c, const struct h1_conn_reply *r)
{
    c->reply = *r;
}

void h1_conn_expect_head(struct h1_conn *c, bool to_head)
{
    c->expect_head_answer = to_head;
}

bool h1_conn_rx_done(const struct h1_conn *c)
{
    return c->rx == RX_DONE || c->rx == RX_ENDED;
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

size_t h1_conn_head_octets(const struct h1_conn *c)
{
    return buf_len(&c->head);
}

bool h1_conn_surplus(const struct h1_conn *c)
{
    return buf_len(&c->rest) > 0;
}

bool h1_conn_reading(const struct h1_conn *c)
{
    return wants_body(c) && c->outstanding < c->window;
}

uint64_t h1_conn_last_io_us(const struct h1_conn *c)
{
    return c->last_io_us;
}

void h1_conn_write_raw(struct h1_conn *c, struct slice data)
{
    if (!closed(c))
        sock_write(c->sock, data);
}
