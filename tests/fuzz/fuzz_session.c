/* SPDX-License-Identifier: MIT */
/* fuzz_session.c - the other end of an HTTP/2 session. The first byte of an input selects our role
 * (OPENER or SERVER), whether the peer begins in order, the size of its pieces, and how we treat
 * its streams. Time stands still: only turns of the loop pass. An opener begins with a few streams.
 *
 * The sanitizers judge; beyond that, each stream and each session has to end exactly once. */
#include <assert.h>
#include <stdlib.h>

#include "h2mux/h2/h2.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum {
    AS_SERVER = 1,
    IN_ORDER = 2,
    IN_PIECES = 4,
    HOLD_CREDIT = 8,
    RESET_EARLY = 16,
    GOAWAY_MIDWAY = 32
};
enum { STREAMS = 64, TURNS = 24, BODY = 100 * 1024 };

struct fuzz;

struct end {
    struct fuzz *f;
    struct leg *leg; /* NULL when it is over or was reset */
    bool said, heard;
};

struct fuzz {
    uint8_t how;
    struct loop *loop;
    struct sock *peer;
    struct h2_session *session; /* NULL once closed */
    struct slice input;
    struct end ends[STREAMS];
    size_t n_ends;
    struct task turn;
    int turns;
};

static char body[BODY];

static void forget_if_over(struct end *e)
{
    if (e->said && e->heard)
        e->leg = NULL;
}

static void reset(struct end *e)
{
    struct leg_fault why = {.err = ERR_CLOSED};
    struct leg *leg = e->leg;
    e->leg = NULL;
    if (leg)
        leg->ops->reset(leg, &why);
}

static void heard(struct end *e, bool end)
{
    assert(e->leg && !e->heard);
    e->heard = end;
    forget_if_over(e);
}

static void on_head(void *exchange, struct leg *leg, struct message *m, bool end)
{
    assert(m->status >= 100 && m->status <= 999);
    heard(exchange, end);
}

static void on_body(void *exchange, struct leg *leg, struct slice data, bool end)
{
    struct end *e = exchange;
    if ((e->f->how & HOLD_CREDIT) == 0)
        leg->ops->credit(leg, data.len);
    heard(e, end);
    if (e->leg && (e->f->how & RESET_EARLY))
        reset(e);
}

static void on_trailers(void *exchange, struct leg *leg, struct fields *t)
{
    heard(exchange, true);
}

static void on_sent(void *exchange, struct leg *leg, size_t bytes)
{
    assert(bytes > 0 && bytes <= BODY);
}

static void on_reset(void *exchange, struct leg *leg, const struct leg_fault *why)
{
    struct end *e = exchange;
    assert(e->leg == leg || (e->said && e->heard)); /* the end of what was sent is lost */
    e->leg = NULL;
}

static const struct leg_events events = {.on_head = on_head,
                                         .on_body = on_body,
                                         .on_trailers = on_trailers,
                                         .on_sent = on_sent,
                                         .on_reset = on_reset};

static struct end *end_new(struct fuzz *f)
{
    if (f->n_ends == STREAMS)
        return NULL;
    struct end *e = &f->ends[f->n_ends++];
    e->f = f;
    return e;
}

static void say(struct end *e, bool end)
{
    struct leg *leg = e->leg;
    e->said = end;
    forget_if_over(e);
    leg->ops->body(leg, slice_make(body, sizeof body), end);
}

static void ask(struct fuzz *f, const char *method, bool end)
{
    struct message m;
    message_init(&m);
    m.method = slice_str(method);
    m.scheme = SLICE("https");
    m.authority = SLICE("a.example");
    m.path = SLICE("/");
    if (slice_eq(m.method, SLICE("CONNECT")))
        m.protocol = SLICE("websocket");
    struct end *e = end_new(f);
    e->said = end;
    e->leg = h2_stream_open(f->session, &m, end, &events, e);
    message_deinit(&m);
    if (e->leg && !end)
        say(e, slice_eq(slice_str(method), SLICE("PUT")));
}

static void on_up(void *user)
{
    struct fuzz *f = user;
    if (f->how & AS_SERVER)
        return;
    ask(f, "GET", true);
    ask(f, "PUT", false);
    ask(f, "POST", false);
    ask(f, "CONNECT", false);
    ask(f, "HEAD", true);
}

static void answer(struct end *e, int status)
{
    struct message m;
    struct fields t;
    message_init(&m);
    m.status = status;
    fields_init(&t);
    fields_add(&t, SLICE("x-sum"), SLICE("1"));
    e->leg->ops->head(e->leg, &m, false);
    say(e, false);
    struct leg *leg = e->leg;
    e->said = true;
    forget_if_over(e);
    leg->ops->trailers(leg, &t);
    fields_deinit(&t);
    message_deinit(&m);
}

static void on_stream(void *user, struct leg *leg, struct message *m, bool end)
{
    struct leg_fault why = {.err = ERR_CLOSED};
    struct end *e = end_new(user);
    if (!e) {
        leg->ops->reset(leg, &why);
        return;
    }
    e->leg = leg;
    e->heard = end;
    leg_tie(leg, &events, e);
    if (slice_eq(m->method, SLICE("GET")))
        answer(e, 200);
    else if (slice_eq(m->method, SLICE("PUT")))
        reset(e);
}

static void on_goaway(void *user, struct slice debug)
{
}

static void on_closed(void *user, int err, const char *reason)
{
    struct fuzz *f = user;
    assert(f->session);
    f->session = NULL;
    for (size_t i = 0; i < f->n_ends; i++)
        assert(!f->ends[i].leg);
}

static const struct h2_session_ops session_ops = {
    .on_up = on_up, .on_stream = on_stream, .on_goaway = on_goaway, .on_closed = on_closed};

static void on_readable(void *user)
{
    struct fuzz *f = user;
    while (sock_read(f->peer, loop_scratch(f->loop), LOOP_SCRATCH) > 0)
        continue;
}

static const struct sock_ops peer_ops = {.on_readable = on_readable};

/* Feeds the next piece of the peer's bytes, or all of them. */
static void feed(struct fuzz *f)
{
    size_t n = f->how & IN_PIECES ? (f->input.len + 1) / 2 : f->input.len;
    if (n == 0)
        return;
    sock_write(f->peer, slice_make(f->input.ptr, n));
    f->input = slice_skip(f->input, n);
}

static void on_turn(void *user)
{
    struct fuzz *f = user;
    feed(f);
    if (f->turns++ == TURNS / 2 && f->session && (f->how & GOAWAY_MIDWAY))
        h2_session_goaway(f->session, SLICE("bye"));
    if (f->turns < TURNS || f->input.len > 0)
        loop_defer(f->loop, &f->turn);
    else
        loop_stop(f->loop);
}

static void run_turns(struct fuzz *f)
{
    f->turns = 0;
    loop_defer(f->loop, &f->turn);
    loop_run(f->loop);
}

static void begin_in_order(struct fuzz *f)
{
    static const char settings[] = "\0\0\6\4\0\0\0\0\0\0\x8\0\0\0\1"; /* ENABLE_CONNECT_PROTOCOL */
    if (f->how & AS_SERVER)
        sock_write(f->peer, SLICE("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"));
    sock_write(f->peer, SLICE(settings));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const struct h2_options options = {
        .max_streams = 32,
        .ping_timeout_ms = 10000,
        .settings_timeout_ms = 10000,
        .buffer_limit = 64 * 1024,
        .stall_ms = 10000,
        .reset_burst = 2,
        .reset_rate = 1,
    };
    if (size == 0)
        return 0;
    struct fuzz *f = xcalloc(1, sizeof *f);
    struct sock *ours;
    f->how = data[0];
    f->input = slice_make((const char *)data + 1, size - 1);
    f->loop = loop_new();
    task_init(&f->turn, on_turn, f);
    sock_pair(f->loop, &ours, &f->peer);
    sock_set_ops(f->peer, &peer_ops, f);
    f->session = h2_session_new(f->loop, ours, f->how & AS_SERVER ? H2_SERVER : H2_OPENER, &options,
                                &session_ops, f);
    if (f->how & IN_ORDER)
        begin_in_order(f);
    run_turns(f);
    struct h2_session *left = f->session;
    f->session = NULL;
    if (left)
        h2_session_close(left, 0);
    sock_close(f->peer);
    run_turns(f);
    loop_free(f->loop);
    free(f);
    return 0;
}
