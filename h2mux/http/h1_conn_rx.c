/* SPDX-License-Identifier: MIT */
/* h1_conn_rx.c - reads: gathers heads, decodes bodies from the loop's scratch and hands them up as
 * they are. */
#include "h2mux/http/h1_conn_int.h"

enum {
    READS_PER_TURN = 4,
    EMPTY_LINES_MAX = 8,  /* before the head of a lenient reader; rule R25 */
    PLACE_MIN = 32 * 1024 /* what is left of a body: less is copied */
};

void h1_conn_fail(struct h1_conn *c, int err, const char *reason)
{
    if (c->rx == RX_FAILED)
        return;
    c->rx = RX_FAILED;
    sock_pause(c->sock);
    const struct leg_events *events = c->leg.events;
    void *exchange = c->leg.exchange;
    leg_untie(&c->leg);
    if (events) {
        struct leg_fault why = {
            .err = err, .reason = reason, .begun = buf_len(&c->head) > 0 || c->skipped > 0};
        events->on_reset(exchange, &c->leg, &why);
    }
    if (!h1_conn_closed(c))
        c->ops->on_error(c->user, err, reason);
}

static void message_ended(struct h1_conn *c)
{
    c->rx = c->rx == RX_RAW ? RX_ENDED : RX_DONE;
    sock_pause(c->sock);
    h1_conn_check_over(c);
    if (c->ops->on_message_end)
        c->ops->on_message_end(c->user);
}

static void give_body(struct h1_conn *c, struct slice data, bool end)
{
    if (!c->leg.events)
        return; /* nobody wants it: it is read and forgotten, without a window */
    c->outstanding += data.len;
    c->leg.events->on_body(c->leg.exchange, &c->leg, data, end);
}

static int give_trailers(struct h1_conn *c)
{
    struct fields trailers;
    fields_init(&trailers);
    int err = h1_body_trailers(&c->body, &trailers);
    if (err == ERR_OK && c->leg.events)
        c->leg.events->on_trailers(c->leg.exchange, &c->leg, &trailers);
    fields_deinit(&trailers);
    return err;
}

/* Returns whether more than the last CRLF came behind the chunks. */
static bool has_trailers(const struct h1_conn *c)
{
    return c->body.framing == H1_CHUNKED && buf_len(&c->body.trailers) > 2;
}

/* Returns the error of a body that is malformed: a response's is told from that of a head (R27). */
static int body_fault(const struct h1_conn *c, int err)
{
    return c->role == H1_CLIENT ? ERR_CODING : err;
}

/* Hands up what of @in belongs to the message. Returns how many bytes that was. */
static size_t feed_body(struct h1_conn *c, struct slice in)
{
    size_t used = 0;
    while (used < in.len && c->rx == RX_BODY && !h1_conn_closed(c)) {
        struct slice payload = SLICE("");
        ssize_t n = h1_body_decode(&c->body, slice_skip(in, used), &payload);
        if (n < 0) {
            h1_conn_fail(c, body_fault(c, (int)n), c->body.reason);
            return used;
        }
        used += (size_t)n;
        bool trailers = c->body.done && has_trailers(c);
        bool end = c->body.done && !trailers;
        if (payload.len > 0 || end)
            give_body(c, payload, end);
        if (trailers && !h1_conn_closed(c) && give_trailers(c) < 0)
            h1_conn_fail(c, ERR_SYNTAX, "malformed trailers");
        if (c->body.done && c->rx == RX_BODY && !h1_conn_closed(c))
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
    if (behind.len > 0 && !h1_conn_closed(c) && buf_append(&c->rest, behind) < 0)
        h1_conn_fail(c, ERR_LIMIT, "too much read ahead");
}

bool h1_conn_wants_body(const struct h1_conn *c)
{
    return !h1_conn_closed(c) && (c->rx == RX_BODY || c->rx == RX_RAW);
}

static void body_eof(struct h1_conn *c, ssize_t n)
{
    if (c->rx == RX_RAW && (n == 0 || n == ERR_TRUNCATED)) {
        /* A WebSocket ends by its own Close frame: a missing close_notify means nothing. */
        give_body(c, SLICE(""), true);
        if (!h1_conn_closed(c) && c->rx == RX_RAW)
            message_ended(c);
    } else if (n == 0 && h1_body_eof(&c->body) == ERR_OK) {
        give_body(c, SLICE(""), true);
        if (!h1_conn_closed(c) && c->rx == RX_BODY)
            message_ended(c);
    } else {
        h1_conn_fail(c, n == 0 ? ERR_TRUNCATED : (int)n, "connection ended inside a body");
    }
}

/* Returns where to read to, and how much at @most: for a long body that is handed up as it is, the
 * place that it will leave from; for all else the scratch. Nothing behind the body goes to that
 * place. */
static char *place(struct h1_conn *c, size_t *most)
{
    char *to = NULL;
    if (c->rx == RX_BODY && c->body.framing == H1_LENGTH && c->body.left >= PLACE_MIN &&
        c->leg.events && c->leg.events->on_place) {
        size_t bytes = c->body.left < *most ? (size_t)c->body.left : *most;
        to = c->leg.events->on_place(c->leg.exchange, &c->leg, bytes);
        *most = to ? bytes : *most;
    }
    return to ? to : loop_scratch(c->loop);
}

/* Returns false when there is nothing more for now. */
static bool read_body_once(struct h1_conn *c)
{
    size_t window = h1_conn_window(c);
    if (c->outstanding >= window) {
        sock_pause(c->sock);
        return false;
    }
    size_t room = window - c->outstanding;
    if (buf_len(&c->rest) > 0) {
        struct slice in = buf_slice(&c->rest);
        in.len = in.len < room ? in.len : room;
        buf_consume(&c->rest, feed(c, in));
        if (buf_len(&c->rest) == 0)
            buf_release(&c->rest);
        return true;
    }
    size_t most = room < LOOP_SCRATCH ? room : LOOP_SCRATCH;
    char *to = place(c, &most);
    ssize_t n = sock_read(c->sock, to, most);
    if (n <= 0 && to != loop_scratch(c->loop))
        c->leg.events->on_place(c->leg.exchange, &c->leg, 0);
    if (n == ERR_AGAIN)
        return false;
    h1_conn_touch(c);
    if (n <= 0) {
        body_eof(c, n);
        return false;
    }
    struct slice in = slice_make(to, (size_t)n);
    keep_rest(c, slice_skip(in, feed(c, in)));
    return true;
}

static void read_body(struct h1_conn *c)
{
    for (int i = 0; i < READS_PER_TURN && h1_conn_wants_body(c); i++)
        if (!read_body_once(c))
            return;
    if (h1_conn_wants_body(c))
        loop_defer(c->loop, &c->task);
}

/* Parses bytes that scan_head has judged. */
static int parse_head(struct h1_conn *c, struct slice head, struct h1_result *r)
{
    message_init(&c->in);
    if (c->role == H1_SERVER)
        return h1_parse_request(head, NULL, &c->in, r);
    unsigned asked = (c->answers_head ? H1_TO_HEAD : 0) | (c->limits->lenient ? H1_BOTH : 0);
    return h1_parse_response(head, NULL, asked, &c->in, r);
}

static bool is_interim(const struct h1_conn *c)
{
    return c->role == H1_CLIENT && c->in.status >= 100 && c->in.status < 200 && c->in.status != 101;
}

void h1_conn_forget_head(struct h1_conn *c)
{
    message_deinit(&c->in);
    message_init(&c->in);
    buf_release(&c->head);
    c->scan = (struct h1_scan){0};
    c->begun = false;
    c->lent = false;
    c->skipped = 0;
}

/* Hands a request to the owner, a response to the exchange that asked for it. */
static void give_head(struct h1_conn *c, bool end)
{
    c->lent = true;
    if (c->role == H1_SERVER)
        c->ops->on_head(c->user, &c->in, end);
    else if (c->leg.events)
        c->leg.events->on_head(c->leg.exchange, &c->leg, &c->in, end);
    else
        h1_conn_fail(c, ERR_PROTOCOL, "an answer that nobody waits for");
}

/* Judges the part of a chunked response that came along with its head, so that a fault in it gets a
 * 502 of its own (rule R27) and does not cut a response that has begun. Returns false when @r has
 * the reason. */
static bool judge_first_chunks(const struct h1_conn *c, struct h1_result *r)
{
    struct slice in = buf_slice(&c->rest), run;
    struct h1_body trial;
    ssize_t n = 1;
    if (c->role != H1_CLIENT || r->framing != H1_CHUNKED)
        return true;
    h1_body_init(&trial, r->framing, MESSAGE_LENGTH_UNKNOWN);
    trial.lenient = c->limits->lenient;
    for (; n > 0 && in.len > 0; in = slice_skip(in, (size_t)n))
        if ((n = h1_body_decode(&trial, in, &run)) < 0)
            break;
    r->reason = n < 0 ? trial.reason : NULL;
    h1_body_deinit(&trial);
    return n >= 0;
}

static void head_complete(struct h1_conn *c, size_t length)
{
    struct h1_result r = {0};
    struct slice all = buf_slice(&c->head);
    keep_rest(c, slice_skip(all, length));
    if (h1_conn_closed(c) || c->rx == RX_FAILED)
        return;
    buf_truncate(&c->head, length);
    buf_fit(&c->head); /* it may stay for as long as the body, whose bytes came along */
    h1_conn_tell_memory(c);
    if (h1_conn_closed(c)) /* the owner refuses the head */
        return;
    int err = parse_head(c, buf_slice(&c->head), &r);
    if (err == ERR_OK && !judge_first_chunks(c, &r))
        err = ERR_CODING;
    if (err < 0) {
        h1_conn_fail(c, err, r.reason ? r.reason : "malformed head");
        return;
    }
    if (is_interim(c)) {
        give_head(c, false);
        if (!h1_conn_closed(c))
            h1_conn_forget_head(c);
        return;
    }
    h1_body_deinit(&c->body);
    h1_body_init(&c->body, r.framing, c->in.length);
    c->body.lenient = c->limits->lenient;
    bool complete = r.framing == H1_NO_BODY || (r.framing == H1_LENGTH && c->in.length == 0);
    bool hold = c->role == H1_SERVER || c->in.status == 101;
    c->keep_alive = r.keep_alive;
    c->rx = complete && c->in.status != 101 ? RX_DONE : hold ? RX_HOLD : RX_BODY;
    if (c->rx != RX_BODY)
        sock_pause(c->sock);
    give_head(c, c->rx == RX_DONE);
    if (h1_conn_closed(c) || c->rx != RX_DONE)
        return;
    h1_conn_check_over(c);
    if (c->ops->on_message_end)
        c->ops->on_message_end(c->user);
}

/* Returns how many empty lines may come before a head: one before a request (RFC 9112 2.2), and
 * some before a response of a peer that is read leniently. A connection that nobody has leased
 * keeps them: they show that its peer speaks unasked (rule D7). */
static size_t empty_lines_max(const struct h1_conn *c)
{
    if (c->role == H1_SERVER)
        return 1;
    return c->limits->lenient && c->leg.events ? EMPTY_LINES_MAX : 0;
}

/* Skips the empty lines before a head. Returns false when the next byte has to tell whether there
 * is one more. */
static bool skip_empty_lines(struct h1_conn *c)
{
    size_t most = c->scan.offset > 0 ? 0 : empty_lines_max(c);
    while (c->skipped < most) {
        struct slice head = buf_slice(&c->head);
        bool lf = c->limits->lenient && slice_starts(head, SLICE("\n"));
        if (head.len == 0 || slice_eq(head, SLICE("\r")))
            return false;
        if (!lf && !slice_starts(head, SLICE("\r\n")))
            break;
        buf_consume(&c->head, lf ? 1 : 2);
        c->skipped++;
    }
    return true;
}

static void scan_head(struct h1_conn *c)
{
    if (!skip_empty_lines(c))
        return;
    ssize_t n = h1_scan_head(&c->scan, buf_slice(&c->head), c->limits, c->role == H1_SERVER);
    if (n < 0)
        h1_conn_fail(c, (int)n, c->scan.reason ? c->scan.reason : "malformed head");
    else if (n > 0)
        head_complete(c, (size_t)n);
}

static void head_eof(struct h1_conn *c, ssize_t n)
{
    bool between = buf_len(&c->head) == 0;
    if (between && (n == 0 || n == ERR_TRUNCATED || n == ERR_RESET))
        h1_conn_fail(c, n == ERR_RESET ? ERR_RESET : ERR_EOF, "connection closed");
    else
        h1_conn_fail(c, n == 0 ? ERR_TRUNCATED : (int)n, "connection ended inside a head");
}

static void head_begins(struct h1_conn *c)
{
    if (!c->begun && c->ops->on_head_begin)
        c->ops->on_head_begin(c->user);
    c->begun = true;
}

static bool read_head_once(struct h1_conn *c)
{
    if (buf_len(&c->rest) > 0) {
        struct buf behind = c->rest;
        c->rest = c->head;
        c->head = behind;
        buf_release(&c->rest);
        head_begins(c);
        scan_head(c);
        return true;
    }
    size_t most = c->window < LOOP_SCRATCH ? c->window : LOOP_SCRATCH; /* of a body too */
    ssize_t n = sock_read(c->sock, loop_scratch(c->loop), most);
    if (n == ERR_AGAIN)
        return false;
    h1_conn_touch(c);
    if (n <= 0) {
        head_eof(c, n);
        return false;
    }
    head_begins(c);
    if (buf_append(&c->head, slice_make(loop_scratch(c->loop), (size_t)n)) < 0)
        h1_conn_fail(c, ERR_LIMIT, "head too large");
    else
        scan_head(c);
    h1_conn_tell_memory(c);
    return true;
}

static void read_some(struct h1_conn *c)
{
    for (int i = 0; i < READS_PER_TURN && !h1_conn_closed(c) && c->rx == RX_HEAD; i++)
        if (!read_head_once(c))
            return;
    if (h1_conn_wants_body(c))
        read_body(c);
    else if (!h1_conn_closed(c) && c->rx == RX_HEAD)
        loop_defer(c->loop, &c->task);
}

void h1_conn_read(struct h1_conn *c)
{
    read_some(c);
    h1_conn_tell_memory(c);
}
