/* SPDX-License-Identifier: MIT */
/* exchange_world.h - runs exchanges between a near leg and clients that are both made here, over
 * real links in memory, and writes down in words what each side hears. For tests of exchange.h. */
#ifndef TESTS_UNIT_EXCHANGE_WORLD_H
#define TESTS_UNIT_EXCHANGE_WORLD_H

#include "turns.h"

#include <stdlib.h>
#include <unistd.h>

#include "h2mux/base/clock.h"
#include "src/crew.h"
#include "src/names/state.h"
#include "src/tunnels/exchange.h"
#include "src/tunnels/link.h"
#include "src/tunnels/registry.h"

enum { STREAMS_MAX = 32, PEERS_MAX = 4, EXCHANGES_MAX = 2, TEXT_MAX = 512 };

static const uint8_t alice[OWNER_LEN] = "alice-is-an-owne";

/* A stream as the client sees it. */
struct far {
    struct leg *leg; /* NULL once it was reset */
    char method[16], path[64], fields[TEXT_MAX];
    struct buf body;
    bool ended, hold_credit, was_reset;
    uint32_t code;
    size_t sent;
    char trailers[TEXT_MAX];
};

/* A viewer's connection as the exchange sees it, and its owner. */
struct near {
    struct leg leg;
    struct fixture *fixture;
    struct exchange *exchange; /* NULL once it is over */
    struct message head;
    struct viewer viewer;
    struct list_node *connection; /* exchange_request.connection */
    char told[TEXT_MAX];          /* what the leg and the owner heard, in words */
    struct buf body;
    size_t credited;
    bool wanted, ended, hold_sent, response_end;
    struct ws_frames frames;
};

struct fixture {
    char dir[64];
    struct config config;
    struct server server;
    struct worker *worker;
    struct tunnel *tunnel;
    struct h2_session *peers[PEERS_MAX]; /* the clients' ends; NULL once closed */
    size_t n_peers;
    struct far far[STREAMS_MAX];
    size_t n_far;
    struct near near[EXCHANGES_MAX];
    const char *want; /* for the conditions */
    size_t count;
};

/* ---- the near side */

static inline void tell(struct near *n, const char *fmt, ...) PRINTF_LIKE(2, 3);

static inline void tell(struct near *n, const char *fmt, ...)
{
    size_t at = strlen(n->told);
    va_list args;
    va_start(args, fmt);
    int len = vsnprintf(n->told + at, sizeof n->told - at, fmt, args);
    va_end(args);
    assert_in_range(len, 0, sizeof n->told - at - 1);
}

static inline struct near *near_of(struct leg *leg)
{
    return CONTAINER_OF(leg, struct near, leg);
}

static inline void near_head(struct leg *leg, const struct message *m, bool end)
{
    struct near *n = near_of(leg);
    tell(n, "%d%s ", m->status, end ? "." : "");
    if (m->status >= 200)
        assert_int_equal(end, n->response_end); /* the owner was told the same */
    for (size_t i = 0; i < m->fields.count; i++)
        if (slice_starts(m->fields.v[i].name, SLICE("set-")) ||
            slice_starts(m->fields.v[i].name, SLICE("sec-")))
            tell(n, "[%.*s] ", SLICE_FMT(m->fields.v[i].value));
}

static inline void near_body(struct leg *leg, struct slice data, bool end)
{
    struct near *n = near_of(leg);
    assert_int_equal(buf_append(&n->body, data), 0);
    n->ended |= end;
    if (!n->hold_sent && data.len > 0 && leg->events)
        leg->events->on_sent(leg->exchange, leg, data.len);
    if (end)
        tell(n, "fin ");
}

static inline void near_trailers(struct leg *leg, const struct fields *t)
{
    tell(near_of(leg), "trailers:%zu ", t->count);
}

static inline void near_want_body(struct leg *leg)
{
    near_of(leg)->wanted = true;
}

static inline void near_credit(struct leg *leg, size_t bytes)
{
    near_of(leg)->credited += bytes;
}

static inline void near_reset(struct leg *leg, const struct leg_fault *why)
{
    tell(near_of(leg), "near-reset ");
}

static const struct leg_ops near_ops = {
    .head = near_head,
    .body = near_body,
    .trailers = near_trailers,
    .want_body = near_want_body,
    .credit = near_credit,
    .reset = near_reset,
};

static inline void on_response(void *owner, const struct message *m, bool end)
{
    ((struct near *)owner)->response_end = end;
    tell(owner, "response:");
}

/* The head is gone from here on. A look at it, as for the access log, is a use after free. */
static inline void on_upgraded(void *owner)
{
    tell(owner, "upgraded ");
    message_deinit(&((struct near *)owner)->head);
}

static inline void over(struct near *n)
{
    assert_int_equal(n->exchange->state, EXCHANGE_DEAD);
    assert_null(n->leg.events);
    n->exchange = NULL;
}

static inline size_t on_failure(void *owner, enum failure why)
{
    tell(owner, "failure:%d:%s ", failure_status(why), failure_type(why));
    over(owner);
    return 0;
}

static inline void on_broken(void *owner, bool stalled)
{
    tell(owner, stalled ? "broken:stalled " : "broken ");
    over(owner);
}

static inline void on_restart(void *owner, const struct ws_frames *frames)
{
    tell(owner, "restart ");
    ((struct near *)owner)->frames = *frames;
    over(owner);
}

static inline void on_end(void *owner)
{
    tell(owner, "end ");
    over(owner);
}

static inline void on_gone(void *owner)
{
    tell(owner, "gone ");
    over(owner);
}

static inline void on_refused(void *owner, const struct ws_frames *frames)
{
    tell(owner, "refused ");
    ((struct near *)owner)->frames = *frames;
    over(owner);
}

static const struct exchange_owner owner_ops = {.on_response = on_response,
                                                .on_upgraded = on_upgraded,
                                                .on_failure = on_failure,
                                                .on_broken = on_broken,
                                                .on_restart = on_restart,
                                                .on_refused = on_refused,
                                                .on_end = on_end,
                                                .on_gone = on_gone};

enum kind { GET, POST, WEBSOCKET };

/* Makes an exchange as request.c does. */
static inline struct near *start(struct fixture *x, size_t which, enum kind kind)
{
    struct near *n = &x->near[which];
    static const struct access_request asked = {
        .method = SLICE("GET"), .path = SLICE("/a"), .host = SLICE("h"), .minor_version = 1};
    struct exchange_request r = {
        .head = &n->head, .viewer = &n->viewer, .asked = &asked, .connection = n->connection};
    assert_null(n->exchange);
    message_init(&n->head);
    n->leg.ops = &near_ops;
    n->fixture = x;
    n->head.scheme = SLICE("https");
    n->head.authority = SLICE("app.example.com");
    n->head.path = SLICE("/a");
    n->head.method = kind == GET ? SLICE("GET") : kind == POST ? SLICE("POST") : SLICE("CONNECT");
    n->head.protocol = kind == WEBSOCKET ? SLICE("websocket") : SLICE("");
    fields_add(&n->head.fields, SLICE("cookie"), SLICE("a=b"));
    r.end = kind == GET;
    r.translated.websocket = kind == WEBSOCKET;
    r.translated.ws_key = SLICE("dGhlIHNhbXBsZSBub25jZQ==");
    n->exchange = exchange_new(x->worker, &n->leg, &r, &owner_ops, n);
    return n;
}

static inline struct near *run(struct fixture *x, enum kind kind)
{
    struct near *n = start(x, 0, kind);
    exchange_start(n->exchange, x->tunnel);
    return n;
}

static inline void give(struct near *n, const char *data, bool end)
{
    n->leg.events->on_body(n->leg.exchange, &n->leg, slice_str(data), end);
}

/* ---- the far side */

static inline void far_head(void *exchange, struct leg *leg, struct message *m, bool end)
{
}

static inline void far_body(void *exchange, struct leg *leg, struct slice data, bool end)
{
    struct far *f = exchange;
    assert_int_equal(buf_append(&f->body, data), 0);
    f->ended |= end;
    if (!f->hold_credit)
        leg->ops->credit(leg, data.len);
}

static inline void show(char to[static TEXT_MAX], const struct fields *f)
{
    size_t at = 0;
    for (size_t i = 0; i < f->count; i++)
        at += (size_t)snprintf(to + at, TEXT_MAX - at, "%.*s=%.*s ", SLICE_FMT(f->v[i].name),
                               SLICE_FMT(f->v[i].value));
    assert_true(at < TEXT_MAX);
}

static inline void far_trailers(void *exchange, struct leg *leg, struct fields *t)
{
    struct far *f = exchange;
    show(f->trailers, t);
    f->ended = true;
}

static inline void far_sent(void *exchange, struct leg *leg, size_t bytes)
{
    ((struct far *)exchange)->sent += bytes;
}

static inline void far_reset(void *exchange, struct leg *leg, const struct leg_fault *why)
{
    struct far *f = exchange;
    f->leg = NULL;
    f->was_reset = true;
    f->code = why->h2_code;
}

static const struct leg_events far_events = {.on_head = far_head,
                                             .on_body = far_body,
                                             .on_trailers = far_trailers,
                                             .on_sent = far_sent,
                                             .on_reset = far_reset};

struct far_peer {
    struct fixture *fixture;
    struct h2_session **session;
};

static struct far_peer peer_users[PEERS_MAX];

static inline void on_peer_up(void *user)
{
}

static inline void on_peer_stream(void *user, struct leg *leg, struct message *m, bool end)
{
    struct fixture *x = ((struct far_peer *)user)->fixture;
    assert_in_range(x->n_far, 0, STREAMS_MAX - 1);
    struct far *f = &x->far[x->n_far++];
    f->leg = leg;
    f->ended = end;
    snprintf(f->method, sizeof f->method, "%.*s", SLICE_FMT(m->method));
    snprintf(f->path, sizeof f->path, "%.*s", SLICE_FMT(m->path));
    show(f->fields, &m->fields);
    leg_tie(leg, &far_events, f);
}

static inline void on_peer_goaway(void *user, struct slice debug)
{
}

static inline void on_peer_closed(void *user, int err, const char *reason)
{
    *((struct far_peer *)user)->session = NULL;
}

static const struct h2_session_ops peer_ops = {.on_up = on_peer_up,
                                               .on_stream = on_peer_stream,
                                               .on_goaway = on_peer_goaway,
                                               .on_closed = on_peer_closed};

/* Answers with a head of @status and, unless @name is NULL, one field. @end: no body follows. */
static inline void answer(struct far *f, int status, const char *name, const char *value, bool end)
{
    struct message m;
    message_init(&m);
    m.status = status;
    if (name)
        fields_add(&m.fields, slice_str(name), slice_str(value));
    f->leg->ops->head(f->leg, &m, end);
    message_deinit(&m);
}

static inline void refuse(struct far *f, uint32_t code)
{
    struct leg_fault why = {.err = ERR_CLOSED, .h2_code = code};
    struct leg *leg = f->leg;
    f->leg = NULL;
    leg->ops->reset(leg, &why);
}

/* ---- the world around them */

static inline int setup(void **state)
{
    struct fixture *x = xcalloc(1, sizeof *x);
    unsigned retry;
    *state = x;
    snprintf(x->dir, sizeof x->dir, "/tmp/test_exchange.XXXXXX");
    if (!mkdtemp(x->dir))
        return -1;
    log_threshold = LOG_ERROR;
    x->config = (struct config){.domain = "example.com",
                                .names.state_dir = x->dir,
                                .log.format = "text",
                                .early_hints = "auto",
                                .names.pending_ms = 60000,
                                .names.grace_ms = 600000,
                                .timeouts.keepalive_ms = 15000,
                                .timeouts.attach_ms = 10000,
                                .names.hold_ms = 60000,
                                .timeouts.origin_ms = 60000,
                                .timeouts.idle_ms = 60000,
                                .timeouts.websocket_ms = 60000,
                                .limits.streams = 100,
                                .limits.links = 4};
    x->server.config = &x->config;
    x->server.directory = directory_new(0, NULL, NULL);
    budget_init(&x->server.budget, 1 << 30);
    x->worker = crew_worker_new(&x->server, 0);
    for (size_t i = 0; i < STREAMS_MAX; i++)
        buf_init(&x->far[i].body, 16 << 20);
    for (size_t i = 0; i < EXCHANGES_MAX; i++)
        buf_init(&x->near[i].body, 16 << 20);
    int err = registry_claim(x->worker->registry, SLICE("app"), alice,
                             &(struct claim){.asked = true}, &x->tunnel, &retry);
    if (err == 0)
        tunnel_was_live(x->tunnel, 0); /* so that its requests may wait */
    return err;
}

static inline bool always(void *user)
{
    return true;
}

static inline void settle(struct fixture *x)
{
    for (int i = 0; i < 8; i++)
        turns_until(x->worker->loop, always, x);
}

static inline int teardown(void **state)
{
    struct fixture *x = *state;
    char command[128];
    for (size_t i = 0; i < EXCHANGES_MAX; i++)
        if (x->near[i].exchange)
            exchange_cancel(x->near[i].exchange, "test over");
    assert_true(list_empty(&x->worker->exchanges));
    assert_int_equal(stat_get(&x->worker->stats.exchanges_open) +
                         stat_get(&x->worker->stats.websockets_open),
                     0);
    for (size_t i = 0; i < x->n_peers; i++)
        if (x->peers[i])
            h2_session_close(x->peers[i], 0);
    while (!list_empty(&x->worker->links))
        link_close(CONTAINER_OF(x->worker->links.next, struct link, in_worker), 0);
    settle(x);
    crew_worker_free(x->worker);
    directory_free(x->server.directory);
    for (size_t i = 0; i < STREAMS_MAX; i++)
        buf_release(&x->far[i].body);
    for (size_t i = 0; i < EXCHANGES_MAX; i++) {
        buf_release(&x->near[i].body);
        message_deinit(&x->near[i].head);
    }
    snprintf(command, sizeof command, "rm -rf %s", x->dir);
    free(x);
    return system(command);
}

static inline bool link_is_up(void *user)
{
    return ((struct link *)user)->state != LINK_ATTACHING;
}

/* Attaches a link and waits until it is up. An empty @instance is that of other software. */
static inline struct link *attach_as(struct fixture *x, const char *instance, uint32_t max_streams)
{
    struct h2_options o = {.max_streams = max_streams,
                           .ping_timeout_ms = 10000,
                           .settings_timeout_ms = 10000,
                           .buffer_limit = 32 << 20,
                           .stall_ms = 10000};
    struct ticket t = {.name = "app"};
    struct place place = {.instance = slice_str(instance), .slot = (unsigned)x->n_peers};
    struct sock *ours, *theirs;
    assert_in_range(x->n_peers, 0, PEERS_MAX - 1);
    struct far_peer *user = &peer_users[x->n_peers];
    *user = (struct far_peer){x, &x->peers[x->n_peers++]};
    memcpy(t.owner, alice, OWNER_LEN);
    sock_pair(x->worker->loop, &ours, &theirs);
    struct link *l = link_new(x->worker, ours, &t, &place);
    *user->session = h2_session_new(x->worker->loop, theirs, H2_SERVER, &o, &peer_ops, user);
    turns_until(x->worker->loop, link_is_up, l);
    assert_int_equal(l->state, LINK_UP);
    return l;
}

static inline struct link *attach(struct fixture *x, uint32_t max_streams)
{
    return attach_as(x, "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", max_streams);
}

static inline bool told_want(void *user)
{
    struct fixture *x = user;
    return strcmp(x->near[0].told, x->want) == 0 || strlen(x->near[0].told) > strlen(x->want);
}

/* Waits until the first exchange has told all of @want, and checks that it told nothing else. */
static inline void check_told(struct fixture *x, const char *want)
{
    x->want = want;
    turns_until(x->worker->loop, told_want, x);
    settle(x);
    assert_string_equal(x->near[0].told, want);
    x->near[0].told[0] = '\0';
}

static inline bool far_count(void *user)
{
    struct fixture *x = user;
    return x->n_far >= x->count;
}

static inline struct far *await_far(struct fixture *x, size_t count)
{
    x->count = count;
    turns_until(x->worker->loop, far_count, x);
    return &x->far[count - 1];
}

static inline bool is_reset(void *user)
{
    return ((struct far *)user)->was_reset;
}

static inline bool is_ended(void *user)
{
    return ((struct far *)user)->ended;
}

static inline void check_reset(struct fixture *x, struct far *f, uint32_t code)
{
    turns_until(x->worker->loop, is_reset, f);
    assert_int_equal(f->code, code);
}

static inline void check_text(const struct buf *b, const char *want)
{
    struct slice s = buf_slice(b);
    if (!slice_eq(s, slice_str(want)))
        fail_msg("got '%.*s', want '%s'", SLICE_FMT(s), want);
}

static inline bool link_is_idle(void *user)
{
    const struct link *l = user;
    return l->backend.ops->load(&l->backend) == 0;
}

static inline void lose_link(struct fixture *x)
{
    h2_session_close(x->peers[x->n_peers - 1], 0);
    x->peers[x->n_peers - 1] = NULL;
}

static inline bool body_is_there(void *user)
{
    struct fixture *x = user;
    return buf_len(&x->near[0].body) >= x->count;
}

#endif
