/* SPDX-License-Identifier: MIT */
/* client.h - the client of a tunnel, as the backend of its requests. It checks each request that
 * reaches it, and answers as the request's path says: /KIND/NUMBER. Each answer has a token and a
 * body that no other answer has. */
#ifndef TESTS_FUZZ_CLIENT_H
#define TESTS_FUZZ_CLIENT_H

#include "h2mux/h2/h2.h"
#include "h2mux/http/request_head.h"
#include "src/tunnels/tunnel.h"
#include "src/worker/worker.h"
#include "tests/fuzz/fuzz.h"

enum { ANSWERS = 128, CLIENT_WINDOW = 65536, CLIENT_BIG = 150 * 1024 };

/* A request as the client sees it, and the answer to it. */
struct answer {
    struct leg leg;
    const struct client *client;
    bool open; /* an exchange holds the leg */
    char kind;
    bool to_head, heard; /* it is a HEAD; the request was whole */
    bool headed, said;   /* the final head, and the end, were given to the exchange */
    unsigned number;     /* of the path; 0: none */
    unsigned carried_by; /* the stream of the viewer that got the answer; 0: none yet */
    int64_t length;      /* of the request's body, or MESSAGE_LENGTH_UNKNOWN */
    size_t body, untold; /* bytes of the request's body; those without on_sent */
    size_t total, sent, credit;
};

struct client {
    struct backend backend;
    struct answer answers[ANSWERS];
    size_t count;
};

/* ---- the client's side */

static inline char answer_byte(size_t token, uint64_t at)
{
    return (char)(token * 131 + at * 7 + (at >> 8));
}

static inline struct answer *answer_of(struct leg *leg)
{
    return CONTAINER_OF(leg, struct answer, leg);
}

static inline void let_go(struct answer *a)
{
    a->open = false;
    leg_untie(&a->leg);
}

static inline void forget_if_over(struct answer *a)
{
    if (a->open && a->said && a->heard)
        let_go(a);
}

static inline void hear(struct answer *a, size_t bytes, bool end)
{
    assert(a->open && !a->heard);
    a->body += bytes;
    a->untold += bytes;
    a->heard = end;
    assert(a->length < 0 || (end ? a->body == (size_t)a->length : a->body <= (size_t)a->length));
}

static inline void far_head(struct leg *leg, const struct message *m, bool end)
{
    abort(); /* the head of a request comes with the stream */
}

static inline void far_body(struct leg *leg, struct slice data, bool end)
{
    hear(answer_of(leg), data.len, end);
}

static inline void far_trailers(struct leg *leg, const struct fields *t)
{
    hear(answer_of(leg), 0, true);
    assert(request_head_judge_fields(t) == 0);
}

static inline void far_want_body(struct leg *leg)
{
    (void)leg;
}

static inline void far_credit(struct leg *leg, size_t bytes)
{
    struct answer *a = answer_of(leg);
    a->credit += bytes;
    assert(a->credit <= CLIENT_WINDOW);
}

static inline void far_reset(struct leg *leg, const struct leg_fault *why)
{
    struct answer *a = answer_of(leg);
    if (a->open)
        let_go(a);
}

static const struct leg_ops far_ops = {.head = far_head,
                                       .body = far_body,
                                       .trailers = far_trailers,
                                       .want_body = far_want_body,
                                       .credit = far_credit,
                                       .reset = far_reset};

static inline void break_off(struct answer *a, int err)
{
    struct leg_fault why = {.err = err, .h2_code = H2_INTERNAL_ERROR};
    const struct leg_events *events = a->leg.events;
    void *exchange = a->leg.exchange;
    let_go(a);
    events->on_reset(exchange, &a->leg, &why);
}

static inline void say_head(struct answer *a, int status, bool end)
{
    struct message m;
    char token[24];
    snprintf(token, sizeof token, "%zu", (size_t)(a - a->client->answers));
    message_init(&m);
    m.status = status;
    if (status >= 200) {
        fields_add(&m.fields, SLICE("x-token"), slice_str(token));
        if (a->kind == 'l')
            m.length = (int64_t)a->total;
        a->headed = true;
        a->said = end;
    }
    m.has_body = !end;
    a->leg.events->on_head(a->leg.exchange, &a->leg, &m, end);
    message_deinit(&m);
    forget_if_over(a);
}

static inline void say_body(struct answer *a)
{
    static char piece[CLIENT_WINDOW];
    size_t n = a->total - a->sent;
    n = n < a->credit ? n : a->credit;
    bool end = a->sent + n == a->total && a->kind != 't';
    if (n == 0 && !end)
        return;
    for (size_t i = 0; i < n; i++)
        piece[i] = answer_byte((size_t)(a - a->client->answers), a->sent + i);
    a->sent += n;
    a->credit -= n;
    a->said = end;
    a->leg.events->on_body(a->leg.exchange, &a->leg, slice_make(piece, n), end);
    forget_if_over(a);
}

static inline void say_trailers(struct answer *a)
{
    struct fields t;
    fields_init(&t);
    fields_add(&t, SLICE("x-sum"), SLICE("1"));
    a->said = true;
    a->leg.events->on_trailers(a->leg.exchange, &a->leg, &t);
    fields_deinit(&t);
    forget_if_over(a);
}

/* Does what comes next of an answer. */
static inline void go_on(struct answer *a)
{
    size_t n = a->untold;
    if (a->open && n > 0) {
        a->untold = 0;
        a->leg.events->on_sent(a->leg.exchange, &a->leg, n);
    }
    if (!a->open || a->said || a->kind == 'n' || (a->kind == 'w' && !a->heard))
        return;
    if (a->kind == 'r') {
        break_off(a, ERR_RESET);
        return;
    }
    if (!a->headed) {
        if (a->kind == 'h')
            say_head(a, 103, false);
        if (a->open)
            say_head(a, a->kind == 'e' ? 413 : 200, a->to_head || a->total == 0);
        return;
    }
    if (a->kind == 'b' && a->sent > 0)
        break_off(a, ERR_RESET);
    else if (a->sent < a->total)
        say_body(a);
    else if (a->kind == 't')
        say_trailers(a);
}

static inline size_t total_of(char kind)
{
    switch (kind) {
    case 'e':
    case '0':
        return 0;
    case 'B':
    case 'b':
        return CLIENT_BIG;
    default:
        return 100;
    }
}

/* ---- the backend */

static inline void client_check_request(const struct message *m)
{
    const char *reason = "";
    assert(request_head_judge(m, &reason) == 0);
    assert(!slice_eq(m->method, SLICE("CONNECT")) && m->protocol.len == 0);
    assert(slice_istarts(m->authority, SLICE("app.example.com")));
    assert(fields_count(&m->fields, SLICE("host")) == 0);
    assert(fields_count(&m->fields, SLICE("x-forwarded-for")) == 1);
    for (size_t i = 0; i < m->fields.count; i++) {
        struct slice name = m->fields.v[i].name;
        assert(!slice_ieq(name, SLICE("te")) || slice_eq(m->fields.v[i].value, SLICE("trailers")));
        assert(!slice_ieq(name, SLICE("content-length")));
        assert(!slice_istarts(name, SLICE("oneport-")));
        assert(field_name_valid(name) && field_value_valid(m->fields.v[i].value));
    }
}

static inline struct client *client_of(struct backend *b)
{
    return CONTAINER_OF(b, struct client, backend);
}

static inline enum fitness backend_fitness(const struct backend *b, enum stream_kind kind)
{
    if (kind == STREAM_WEBSOCKET)
        return FITNESS_NO_WEBSOCKETS;
    return CONST_CONTAINER_OF(b, struct client, backend)->count < ANSWERS ? FITNESS_ROOM
                                                                          : FITNESS_FULL;
}

static inline bool backend_admit(struct backend *b, const struct who *who, struct share *place)
{
    return true;
}

static inline void backend_dismiss(struct backend *b, struct share *place)
{
    (void)b, (void)place;
}

static inline uint32_t backend_load(const struct backend *b)
{
    return (uint32_t)CONST_CONTAINER_OF(b, struct client, backend)->count;
}

static inline struct leg *backend_open(struct backend *b, struct message *m, bool end,
                                       struct leg *beside, const struct leg_events *events,
                                       void *exchange)
{
    struct client *c = client_of(b);
    if (c->count == ANSWERS)
        return NULL;
    client_check_request(m);
    struct answer *a = &c->answers[c->count++];
    char path[32] = "";
    snprintf(path, sizeof path, "%.*s", SLICE_FMT(m->path));
    if (sscanf(path, "/%c/%u", &a->kind, &a->number) != 2)
        a->number = 0;
    a->client = c;
    a->leg.ops = &far_ops;
    a->open = true;
    a->heard = end;
    a->length = m->length;
    a->to_head = slice_eq(m->method, SLICE("HEAD"));
    a->total = total_of(a->kind);
    a->credit = CLIENT_WINDOW;
    assert(!end || a->length <= 0);
    leg_tie(&a->leg, events, exchange);
    return &a->leg;
}

static inline void backend_done(struct backend *b, enum stream_kind kind)
{
    (void)b, (void)kind;
}

static inline uint64_t backend_probe(struct backend *b, uint64_t quiet_ms, uint64_t ms)
{
    return 1000;
}

/* Leaves the tunnel. Open streams go on. */
static inline void client_leave(struct client *c)
{
    c->backend.up = false;
    if (c->backend.tunnel)
        tunnel_leave(c->backend.tunnel, &c->backend, false);
}

static inline void backend_retire(struct backend *b, enum retire_reason why)
{
    client_leave(client_of(b));
}

static inline void backend_close(struct backend *b, uint32_t h2_code)
{
    client_leave(client_of(b));
}

static const struct backend_ops backend_ops = {.fitness = backend_fitness,
                                               .admit = backend_admit,
                                               .dismiss = backend_dismiss,
                                               .load = backend_load,
                                               .open = backend_open,
                                               .done = backend_done,
                                               .probe = backend_probe,
                                               .retire = backend_retire,
                                               .close = backend_close};

static inline void client_join(struct client *c, struct tunnel *t, uint64_t now_us)
{
    static const struct place place = {.instance = {"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", 32}};
    if (c->backend.tunnel)
        return;
    backend_init(&c->backend, &backend_ops, &place, now_us);
    c->backend.up = true;
    tunnel_join(t, &c->backend, now_us);
}

/* Ends all streams, as when a link is lost, and leaves the tunnel. */
static inline void client_vanish(struct client *c)
{
    client_leave(c);
    for (size_t i = 0; i < c->count; i++)
        if (c->answers[i].open)
            break_off(&c->answers[i], ERR_LINK_LOST);
}

static inline void client_go_on(struct client *c)
{
    for (size_t i = 0; i < c->count; i++)
        go_on(&c->answers[i]);
}

#endif
