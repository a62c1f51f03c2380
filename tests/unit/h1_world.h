/* SPDX-License-Identifier: MIT */
/* h1_world.h - runs one HTTP/1.1 connection of either role over a wire to a peer, and writes down
 * in words what its exchange and its owner hear. For tests of h1_conn.h. */
#ifndef TESTS_UNIT_H1_WORLD_H
#define TESTS_UNIT_H1_WORLD_H

#include "pieces.h"
#include "wire.h"

#include "h2mux/base/clock.h"
#include "h2mux/http/h1_conn.h"
#include "h2mux/io/sock_int.h"

enum { WINDOW = 1000, TEXT_MAX = 4096, WAIT_MS = 2000 };

/* The owner and the exchange of one connection. */
struct world {
    struct wire wire; /* b is the peer; a is not used: conn has it */
    struct h1_conn *conn;
    struct leg *leg;
    enum h1_role role;
    struct buf told;
    bool in_body;      /* `told` ends with body bytes, to which more are joined */
    bool hold_credit;  /* the exchange gives no credit by itself */
    bool keep;         /* SERVER: no answer by itself */
    bool no_next;      /* on_done is noted, and no next message is read */
    bool answer_early; /* SERVER: answered in on_head */
    bool linger;       /* the owner does not close in on_error */
    bool show_begun;   /* note at a reset that bytes of a head had come */
    bool to_head;      /* CLIENT: the requests are HEAD */
    size_t body, sent;
    int begun;
    const char *want;
    uint64_t want_until_us;
};

static inline void tell(struct world *w, const char *fmt, ...) PRINTF_LIKE(2, 3);

static inline void tell(struct world *w, const char *fmt, ...)
{
    char text[512];
    va_list args;
    va_start(args, fmt);
    vsnprintf(text, sizeof text, fmt, args);
    va_end(args);
    if (w->in_body)
        assert_int_equal(buf_append(&w->told, SLICE("' ")), 0);
    w->in_body = false;
    assert_int_equal(buf_printf(&w->told, "%s ", text), 0);
}

static inline void tell_body(struct world *w, struct slice data)
{
    w->body += data.len;
    if (data.len == 0 || w->hold_credit)
        return;
    if (!w->in_body)
        assert_int_equal(buf_append(&w->told, SLICE("'")), 0);
    w->in_body = true;
    assert_int_equal(buf_append(&w->told, data), 0);
}

/* ---- the exchange */

/* A response came. Its status is followed by a full stop when no body follows. */
static inline void on_leg_head(void *exchange, struct leg *leg, struct message *m, bool end)
{
    struct world *w = exchange;
    assert_int_equal(w->role, H1_CLIENT);
    assert_int_equal(end, h1_conn_rx_done(w->conn));
    tell(w, "%d%s", m->status, end ? "." : "");
}

static inline void on_leg_body(void *exchange, struct leg *leg, struct slice data, bool end)
{
    struct world *w = exchange;
    tell_body(w, data);
    if (!w->hold_credit)
        leg->ops->credit(leg, data.len);
    if (end)
        tell(w, "end");
}

static inline void on_leg_trailers(void *exchange, struct leg *leg, struct fields *t)
{
    tell(exchange, "trailers");
    for (size_t i = 0; i < t->count; i++)
        tell(exchange, "%.*s=%.*s", SLICE_FMT(t->v[i].name), SLICE_FMT(t->v[i].value));
}

static inline void on_leg_sent(void *exchange, struct leg *leg, size_t bytes)
{
    ((struct world *)exchange)->sent += bytes;
}

static inline void on_leg_reset(void *exchange, struct leg *leg, const struct leg_fault *why)
{
    struct world *w = exchange;
    assert_null(leg->events);
    if (w->show_begun && why->begun)
        tell(w, "begun");
    tell(w, "reset:%d", why->err);
}

static const struct leg_events exchange_events = {.on_head = on_leg_head,
                                                  .on_body = on_leg_body,
                                                  .on_trailers = on_leg_trailers,
                                                  .on_sent = on_leg_sent,
                                                  .on_reset = on_leg_reset};

static inline void send_head(struct world *w, int status, int64_t length, bool end)
{
    struct message m;
    message_init(&m);
    m.status = status;
    m.length = length;
    if (status == 0) {
        m.method = w->to_head ? SLICE("HEAD") : SLICE("GET");
        m.path = SLICE("/");
        m.authority = SLICE("h");
    }
    w->leg->ops->head(w->leg, &m, end);
    message_deinit(&m);
}

/* ---- the owner */

static inline void on_head_begin(void *user)
{
    ((struct world *)user)->begun++;
}

static inline void on_head(void *user, struct message *m, bool end)
{
    struct world *w = user;
    assert_int_equal(w->role, H1_SERVER);
    assert_int_equal(end, h1_conn_rx_done(w->conn));
    tell(w, "%.*s%.*s", SLICE_FMT(m->method), SLICE_FMT(m->path));
    leg_tie(w->leg, &exchange_events, w);
    if (!w->keep)
        h1_conn_start_body(w->conn);
    if (w->answer_early)
        send_head(w, 204, MESSAGE_LENGTH_UNKNOWN, true);
}

static inline void on_message_end(void *user)
{
    struct world *w = user;
    tell(w, ".");
    assert_true(h1_conn_rx_done(w->conn));
    if (w->role == H1_SERVER && !w->keep)
        send_head(w, 204, MESSAGE_LENGTH_UNKNOWN, true);
}

static inline void ask(struct world *w)
{
    leg_tie(w->leg, &exchange_events, w);
    send_head(w, 0, MESSAGE_LENGTH_UNKNOWN, true);
}

static inline void on_done(void *user)
{
    struct world *w = user;
    tell(w, "done");
    assert_null(w->leg->events);
    if (w->no_next)
        return;
    h1_conn_next(w->conn);
    if (w->role == H1_CLIENT)
        ask(w);
}

static inline void on_sent(void *user)
{
}

static inline void on_error(void *user, int err, const char *reason)
{
    struct world *w = user;
    tell(w, "error:%d", err);
    assert_true(reason && reason[0] != '\0');
    if (w->linger)
        return;
    h1_conn_close(w->conn);
    w->conn = NULL;
}

static const struct h1_conn_ops owner_ops = {
    .on_head_begin = on_head_begin,
    .on_head = on_head,
    .on_message_end = on_message_end,
    .on_done = on_done,
    .on_sent = on_sent,
    .on_error = on_error,
};

static inline struct world *open_with(enum h1_role role, enum wire_kind kind,
                                      const struct h1_limits *limits)
{
    struct world *w = xcalloc(1, sizeof *w);
    struct sock *a, *b;
    w->wire.loop = loop_new();
    w->role = role;
    buf_init(&w->wire.b.got, 1 << 24);
    buf_init(&w->told, 1 << 20);
    wire_ends(w->wire.loop, kind, &a, &b);
    wire_take(&w->wire.b, b);
    w->conn = h1_conn_new(w->wire.loop, a, role, limits, WINDOW, &owner_ops, w);
    w->leg = h1_conn_leg(w->conn);
    return w;
}

static inline struct world *open_over(enum h1_role role, enum wire_kind kind)
{
    return open_with(role, kind, &h1_default_limits);
}

static inline struct world *open_world(enum h1_role role)
{
    return open_over(role, WIRE_MEMORY);
}

static inline void close_world(struct world *w)
{
    h1_conn_close(w->conn);
    sock_close(w->wire.b.sock);
    loop_free(w->wire.loop);
    buf_release(&w->wire.b.got);
    buf_release(&w->told);
    free(w);
}

static inline void settle(struct world *w)
{
    for (int i = 0; i < 6; i++)
        turns_until(w->wire.loop, wire_always, w);
}

static inline void say(struct world *w, const char *bytes)
{
    sock_write(w->wire.b.sock, slice_str(bytes));
    settle(w);
}

/* Returns whether `told` reads like @want. A body that may go on ends with a bar. */
static inline bool told_is(struct world *w, const char *want)
{
    char text[TEXT_MAX];
    snprintf(text, sizeof text, "%.*s%s", SLICE_FMT(buf_slice(&w->told)), w->in_body ? "' | " : "");
    size_t len = strlen(text);
    text[len > 0 ? len - 1 : 0] = '\0';
    return strcmp(text, want) == 0;
}

static inline bool told_or_late(void *user)
{
    struct world *w = user;
    return told_is(w, w->want) || clock_now_us() > w->want_until_us;
}

static inline void check_told_now(struct world *w, const char *what, const char *want)
{
    if (w->in_body)
        tell(w, "|");
    struct slice told = buf_slice(&w->told);
    if (told.len > 0)
        told.len--;
    if (!slice_eq(told, slice_str(want)))
        fail_msg("%s:\n told '%.*s'\n want '%s'", what, SLICE_FMT(told), want);
    buf_truncate(&w->told, 0);
}

/* Waits until @want was told, since a kernel may need a moment, and checks that nothing more was.
 */
static inline void check_told(struct world *w, const char *what, const char *want)
{
    w->want = want;
    w->want_until_us = clock_now_us() + WAIT_MS * 1000;
    turns_until(w->wire.loop, told_or_late, w);
    settle(w);
    check_told_now(w, what, want);
}

#endif
