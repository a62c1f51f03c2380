/* test_exchange.c - exchanges between a near leg made here and real links, over pairs in memory, to
 * clients made here: what each side is told when all goes well, and in every way in which it does
 * not. exchange.h; http-rules "Failure → viewer". */
#include "turns.h"

#include <stdlib.h>
#include <unistd.h>

#include "h2mux/base/clock.h"
#include "src/exchange.h"
#include "src/state.h"

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
    char told[TEXT_MAX]; /* by the exchange: to the leg and to the owner, in words */
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

static void tell(struct near *n, const char *fmt, ...) PRINTF_LIKE(2, 3);

static void tell(struct near *n, const char *fmt, ...)
{
    size_t at = strlen(n->told);
    va_list args;
    va_start(args, fmt);
    int len = vsnprintf(n->told + at, sizeof n->told - at, fmt, args);
    va_end(args);
    assert_in_range(len, 0, sizeof n->told - at - 1);
}

static struct near *near_of(struct leg *leg)
{
    return CONTAINER_OF(leg, struct near, leg);
}

static void near_head(struct leg *leg, const struct message *m, bool end)
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

static void near_body(struct leg *leg, struct slice data, bool end)
{
    struct near *n = near_of(leg);
    assert_int_equal(buf_append(&n->body, data), 0);
    n->ended |= end;
    if (!n->hold_sent && data.len > 0 && leg->events != NULL)
        leg->events->on_sent(leg->exchange, leg, data.len);
    if (end)
        tell(n, "fin ");
}

static void near_trailers(struct leg *leg, const struct fields *t)
{
    tell(near_of(leg), "trailers:%zu ", t->count);
}

static void near_want_body(struct leg *leg)
{
    near_of(leg)->wanted = true;
}

static void near_credit(struct leg *leg, size_t octets)
{
    near_of(leg)->credited += octets;
}

static void near_reset(struct leg *leg, const struct leg_fault *why)
{
    tell(near_of(leg), "near-reset ");
}

static const struct leg_ops near_ops = {near_head,   near_body,  near_trailers, near_want_body,
                                        near_credit, near_reset, NULL,          NULL};

static void on_response(void *owner, const struct message *m, bool end)
{
    ((struct near *)owner)->response_end = end;
    tell(owner, "response:");
}

/* Nobody may look at the head from here on, not even for the access log. */
static void on_upgraded(void *owner)
{
    tell(owner, "upgraded ");
    message_deinit(&((struct near *)owner)->head);
}

static void over(struct near *n)
{
    assert_int_equal(n->exchange->state, EXCHANGE_DEAD);
    assert_null(n->leg.events);
    n->exchange = NULL;
}

static size_t on_failure(void *owner, enum failure why)
{
    tell(owner, "failure:%d:%s ", failure_status(why), failure_type(why));
    over(owner);
    return 0;
}

static void on_broken(void *owner)
{
    tell(owner, "broken ");
    over(owner);
}

static void on_restart(void *owner, const struct ws_frames *frames)
{
    tell(owner, "restart ");
    ((struct near *)owner)->frames = *frames;
    over(owner);
}

static void on_end(void *owner)
{
    tell(owner, "end ");
    over(owner);
}

static const struct exchange_owner owner_ops = {on_response, on_upgraded, on_failure,
                                                on_broken,   on_restart,  on_end};

enum kind { GET, POST, WEBSOCKET };

/* As the edge does it; `body`: one follows. */
static struct near *start(struct fixture *x, size_t which, enum kind kind)
{
    struct near *n = &x->near[which];
    static const struct access_request asked = {
        .method = SLICE("GET"), .path = SLICE("/a"), .host = SLICE("h"), .minor_version = 1};
    struct exchange_request r = {.head = &n->head, .viewer = &n->viewer, .asked = &asked};
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

static struct near *run(struct fixture *x, enum kind kind)
{
    struct near *n = start(x, 0, kind);
    exchange_start(n->exchange, x->tunnel);
    return n;
}

static void give(struct near *n, const char *data, bool end)
{
    n->leg.events->on_body(n->leg.exchange, &n->leg, slice_str(data), end);
}

/* ---- the far side */

static void far_head(void *exchange, struct leg *leg, struct message *m, bool end)
{
}

static void far_body(void *exchange, struct leg *leg, struct slice data, bool end)
{
    struct far *f = exchange;
    assert_int_equal(buf_append(&f->body, data), 0);
    f->ended |= end;
    if (!f->hold_credit)
        leg->ops->credit(leg, data.len);
}

static void show(char to[static TEXT_MAX], const struct fields *f)
{
    size_t at = 0;
    for (size_t i = 0; i < f->count; i++)
        at += (size_t)snprintf(to + at, TEXT_MAX - at, "%.*s=%.*s ", SLICE_FMT(f->v[i].name),
                               SLICE_FMT(f->v[i].value));
    assert_true(at < TEXT_MAX);
}

static void far_trailers(void *exchange, struct leg *leg, struct fields *t)
{
    struct far *f = exchange;
    show(f->trailers, t);
    f->ended = true;
}

static void far_sent(void *exchange, struct leg *leg, size_t octets)
{
    ((struct far *)exchange)->sent += octets;
}

static void far_reset(void *exchange, struct leg *leg, const struct leg_fault *why)
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

static void on_peer_up(void *user)
{
}

static void on_peer_stream(void *user, struct leg *leg, struct message *m, bool end)
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

static void on_peer_goaway(void *user, struct slice debug)
{
}

static void on_peer_closed(void *user, int err, const char *reason)
{
    *((struct far_peer *)user)->session = NULL;
}

static const struct h2_session_ops peer_ops = {.on_up = on_peer_up,
                                               .on_stream = on_peer_stream,
                                               .on_goaway = on_peer_goaway,
                                               .on_closed = on_peer_closed};

/* "name=value|": the head of an answer. */
static void answer(struct far *f, int status, const char *name, const char *value, bool end)
{
    struct message m;
    message_init(&m);
    m.status = status;
    if (name != NULL)
        fields_add(&m.fields, slice_str(name), slice_str(value));
    f->leg->ops->head(f->leg, &m, end);
    message_deinit(&m);
}

static void refuse(struct far *f, uint32_t code)
{
    struct leg_fault why = {.err = ERR_CLOSED, .h2_code = code};
    struct leg *leg = f->leg;
    f->leg = NULL;
    leg->ops->reset(leg, &why);
}

/* ---- the world around them */

static int setup(void **state)
{
    struct fixture *x = xcalloc(1, sizeof *x);
    unsigned retry;
    *state = x;
    snprintf(x->dir, sizeof x->dir, "/tmp/test_exchange.XXXXXX");
    if (mkdtemp(x->dir) == NULL)
        return -1;
    log_threshold = LOG_ERROR;
    x->config = (struct config){.domain = "example.com",
                                .state_dir = x->dir,
                                .log_format = "text",
                                .early_hints = "auto",
                                .pending_ms = 60000,
                                .name_grace_ms = 600000,
                                .keepalive_ms = 15000,
                                .attach_timeout_ms = 10000,
                                .hold_ms = 60000,
                                .origin_timeout_ms = 60000,
                                .idle_timeout_ms = 60000,
                                .websocket_timeout_ms = 60000,
                                .max_streams = 100,
                                .max_links = 4};
    x->server.config = &x->config;
    x->server.directory = directory_new(NULL, NULL);
    memory_init(&x->server.memory, 1 << 30);
    x->worker = worker_new(&x->server, 0);
    for (size_t i = 0; i < STREAMS_MAX; i++)
        buf_init(&x->far[i].body, 16 << 20);
    for (size_t i = 0; i < EXCHANGES_MAX; i++)
        buf_init(&x->near[i].body, 16 << 20);
    return registry_claim(x->worker->registry, SLICE("app"), alice, true, &x->tunnel, &retry);
}

static bool always(void *user)
{
    return true;
}

static void settle(struct fixture *x)
{
    for (int i = 0; i < 8; i++)
        turns_until(x->worker->loop, always, x);
}

static int teardown(void **state)
{
    struct fixture *x = *state;
    char command[128];
    for (size_t i = 0; i < EXCHANGES_MAX; i++)
        if (x->near[i].exchange != NULL)
            exchange_cancel(x->near[i].exchange, "test over");
    assert_true(list_empty(&x->worker->exchanges));
    assert_int_equal(stat_get(&x->worker->stats.exchanges_open) +
                         stat_get(&x->worker->stats.websockets_open),
                     0);
    for (size_t i = 0; i < x->n_peers; i++)
        if (x->peers[i] != NULL)
            h2_session_close(x->peers[i], 0);
    while (!list_empty(&x->worker->links))
        link_close(CONTAINER_OF(x->worker->links.next, struct link, in_worker), 0);
    settle(x);
    worker_free(x->worker);
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

static bool link_is_up(void *user)
{
    return ((struct link *)user)->state != LINK_ATTACHING;
}

static struct link *attach(struct fixture *x, uint32_t max_streams)
{
    struct h2_options o = {.max_streams = max_streams,
                           .ping_timeout_ms = 10000,
                           .settings_timeout_ms = 10000,
                           .buffer_limit = 32 << 20,
                           .stall_ms = 10000};
    struct ticket t = {.name = "app"};
    struct place place = {.instance = SLICE("aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"),
                          .slot = (unsigned)x->n_peers};
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

static bool told_want(void *user)
{
    struct fixture *x = user;
    return strcmp(x->near[0].told, x->want) == 0 || strlen(x->near[0].told) > strlen(x->want);
}

/* All that was told so far, in order; then it is forgotten. */
static void check_told(struct fixture *x, const char *want)
{
    x->want = want;
    turns_until(x->worker->loop, told_want, x);
    settle(x);
    assert_string_equal(x->near[0].told, want);
    x->near[0].told[0] = '\0';
}

static bool far_count(void *user)
{
    struct fixture *x = user;
    return x->n_far >= x->count;
}

static struct far *await_far(struct fixture *x, size_t count)
{
    x->count = count;
    turns_until(x->worker->loop, far_count, x);
    return &x->far[count - 1];
}

static bool is_reset(void *user)
{
    return ((struct far *)user)->was_reset;
}

static bool is_ended(void *user)
{
    return ((struct far *)user)->ended;
}

static void check_reset(struct fixture *x, struct far *f, uint32_t code)
{
    turns_until(x->worker->loop, is_reset, f);
    assert_int_equal(f->code, code);
}

static void check_text(const struct buf *b, const char *want)
{
    struct slice s = buf_slice(b);
    if (!slice_eq(s, slice_str(want)))
        fail_msg("got '%.*s', want '%s'", SLICE_FMT(s), want);
}

static bool link_is_idle(void *user)
{
    return link_load(user) == 0;
}

/* ---- all goes well */

/* H4, H13, R16 */
static void test_get(void **state)
{
    struct fixture *x = *state;
    struct link *l = attach(x, 10);
    struct near *n = run(x, GET);
    assert_int_equal(n->exchange->state, EXCHANGE_OPEN);
    struct far *f = await_far(x, 1);
    assert_string_equal(f->method, "GET");
    assert_string_equal(f->path, "/a");
    assert_string_equal(f->fields, "cookie=a=b ");
    assert_true(f->ended);
    assert_false(n->wanted);
    answer(f, 200, "set-cookie", "c=d", false);
    check_told(x, "response:200 [c=d] "); /* R16: the head does not wait for a body */
    f->leg->ops->body(f->leg, SLICE("hello"), false);
    f->leg->ops->body(f->leg, SLICE(" you"), true);
    check_told(x, "fin end ");
    check_text(&n->body, "hello you");
    turns_until(x->worker->loop, link_is_idle, l);
    assert_false(f->was_reset);
    assert_int_equal(stat_get(&x->worker->stats.requests), 1);
    assert_int_equal(stat_get(&x->worker->stats.tx_octets), 9);
    assert_int_equal(x->tunnel->exchanges, 1);
}

static void test_head_only(void **state)
{
    struct fixture *x = *state;
    attach(x, 10);
    run(x, GET);
    answer(await_far(x, 1), 204, NULL, NULL, true);
    check_told(x, "response:204. end ");
}

/* Q29, R13 */
static void test_upload_and_trailers(void **state)
{
    struct fixture *x = *state;
    struct link *l = attach(x, 10);
    struct near *n = run(x, POST);
    struct fields t;
    assert_true(n->wanted);
    give(n, "hel", false);
    give(n, "lo", false);
    fields_init(&t);
    fields_add(&t, SLICE("x-sum"), SLICE("1"));
    fields_add(&t, SLICE("host"), SLICE("evil"));
    n->leg.events->on_trailers(n->leg.exchange, &n->leg, &t);
    struct far *f = await_far(x, 1);
    turns_until(x->worker->loop, is_ended, f);
    check_text(&f->body, "hello");
    assert_string_equal(f->trailers, "x-sum=1 ");
    assert_int_equal(n->credited, 5);
    answer(f, 200, NULL, NULL, false);
    f->leg->ops->trailers(f->leg, &t);
    fields_deinit(&t);
    check_told(x, "response:200 trailers:1 end ");
    turns_until(x->worker->loop, link_is_idle, l);
    assert_false(f->was_reset);
    assert_int_equal(stat_get(&x->worker->stats.rx_octets), 5);
}

static bool body_is_there(void *user)
{
    struct fixture *x = user;
    return buf_len(&x->near[0].body) >= x->count;
}

/* The viewer's pace is the stream's: credit goes back as octets leave, and not before. */
static void test_slow_viewer(void **state)
{
    const size_t total = 1 << 20, window = 64 * 1024;
    struct fixture *x = *state;
    attach(x, 10);
    struct near *n = run(x, GET);
    char *data = xcalloc(1, total);
    n->hold_sent = true;
    struct far *f = await_far(x, 1);
    answer(f, 200, NULL, NULL, false);
    f->leg->ops->body(f->leg, slice_make(data, total), true);
    x->count = window;
    turns_until(x->worker->loop, body_is_there, x);
    settle(x);
    assert_int_equal(buf_len(&n->body), window);
    n->hold_sent = false;
    n->leg.events->on_sent(n->leg.exchange, &n->leg, window);
    check_told(x, "response:200 fin end ");
    assert_int_equal(buf_len(&n->body), total);
    free(data);
}

/* D11: likewise upward: the near leg gets credit as the client takes it. */
static void test_slow_origin(void **state)
{
    struct fixture *x = *state;
    attach(x, 10);
    struct near *n = run(x, POST);
    struct far *f = await_far(x, 1);
    char *data = xcalloc(1, 100001);
    memset(data, 'x', 100000);
    f->hold_credit = true;
    give(n, data, true);
    settle(x);
    assert_int_equal(n->credited, 65536); /* the stream's first window */
    free(data);
}

/* D12: RFC 9113 8.1: the answer is complete, the upload is not: the viewer is told, the client
 * hears that no more comes. */
static void test_early_answer(void **state)
{
    struct fixture *x = *state;
    struct link *l = attach(x, 10);
    struct near *n = run(x, POST);
    struct far *f = await_far(x, 1);
    give(n, "hel", false);
    answer(f, 413, NULL, NULL, true);
    check_told(x, "response:413. end ");
    turns_until(x->worker->loop, link_is_idle, l);
}

/* ---- interim heads */

#define ONLY_FINAL "response:204. end "
#define HINT_FIRST "103 [a=b] response:204. end "

static const struct {
    const char *id;
    int status;
    bool expects, proxied;
    int minor;
    const char *hints; /* --early-hints */
    const char *want;
} interims[] = {
    {"H6 100 was asked for", 100, true, false, 1, "auto", "100 " ONLY_FINAL},
    {"R4 100 was not", 100, false, false, 1, "auto", ONLY_FINAL},
    {"R4 R15a 103", 103, false, false, 1, "auto", HINT_FIRST},
    {"R4 103 to a proxy", 103, false, true, 1, "auto", ONLY_FINAL},
    {"R4 103 to a proxy, on", 103, false, true, 1, "on", HINT_FIRST},
    {"R4 103, on", 103, false, false, 1, "on", HINT_FIRST},
    {"R4 103, off", 103, false, false, 1, "off", ONLY_FINAL},
    {"R4 103 to HTTP/1.0", 103, false, false, 0, "on", ONLY_FINAL}, /* RFC 9110 15.2 */
    {"R4 102", 102, true, false, 1, "on", ONLY_FINAL},
};

static void test_interim(void **state)
{
    struct fixture *x = *state;
    attach(x, 10);
    for (size_t i = 0; i < sizeof interims / sizeof *interims; i++) {
        struct near *n = start(x, 0, GET);
        n->exchange->request.translated.expects = interims[i].expects;
        n->viewer.proxied = interims[i].proxied;
        x->config.early_hints = interims[i].hints;
        n->head.minor_version = interims[i].minor;
        exchange_start(n->exchange, x->tunnel);
        struct far *f = await_far(x, i + 1);
        answer(f, interims[i].status, interims[i].status == 103 ? "set-cookie" : NULL,
               "a=b; Domain=example.com", false);
        answer(f, 204, NULL, NULL, true);
        print_message("%s\n", interims[i].id);
        check_told(x, interims[i].want);
        message_deinit(&n->head);
    }
}

/* R4: of all interim heads together so much, and no more. */
static void test_interim_octets(void **state)
{
    struct fixture *x = *state;
    char hint[9 * 1024 + 1] = "";
    attach(x, 10);
    memset(hint, 'x', sizeof hint - 1);
    start(x, 0, GET)->head.minor_version = 1;
    exchange_start(x->near[0].exchange, x->tunnel);
    struct far *f = await_far(x, 1);
    answer(f, 103, "link", hint, false);
    answer(f, 103, "link", hint, false);
    answer(f, 204, NULL, NULL, true);
    check_told(x, "103 " ONLY_FINAL);
}

/* R15a */
static void test_cookie_of_the_base_domain(void **state)
{
    struct fixture *x = *state;
    attach(x, 10);
    run(x, GET);
    answer(await_far(x, 1), 200, "set-cookie", "a=b ; Domain=example.com", true);
    check_told(x, "response:200. [a=b] end ");
    assert_true(x->tunnel->cookie_warned);
}

/* ---- waiting for a link */

/* F2 */
static void test_hold_then_link(void **state)
{
    struct fixture *x = *state;
    struct near *n = run(x, POST);
    assert_int_equal(n->exchange->state, EXCHANGE_HELD);
    assert_false(n->wanted); /* the body is not read meanwhile */
    settle(x);
    attach(x, 10);
    struct far *f = await_far(x, 1);
    assert_int_equal(n->exchange->state, EXCHANGE_OPEN);
    assert_true(n->wanted);
    assert_true(n->exchange->wait_us > 0);
    give(n, "body", true);
    turns_until(x->worker->loop, is_ended, f);
    check_text(&f->body, "body");
    answer(f, 200, NULL, NULL, true);
    check_told(x, "response:200. end ");
}

/* F2 */
static void test_hold_timeout(void **state)
{
    struct fixture *x = *state;
    x->config.hold_ms = 20;
    uint64_t begun = clock_now_us();
    run(x, GET);
    check_told(x, "failure:503:destination_unavailable ");
    assert_true(clock_now_us() - begun >= 10000);
    assert_int_equal(x->tunnel->n_waiters, 0);
}

/* F2 */
static void test_no_hold(void **state)
{
    struct fixture *x = *state;
    x->config.hold_ms = 0;
    run(x, GET);
    check_told(x, "failure:503:destination_unavailable ");
}

/* F2 */
static void test_away_too_long(void **state)
{
    struct fixture *x = *state;
    x->tunnel->away_since_us = clock_now_us() - 31 * 1000000ULL;
    run(x, GET);
    assert_string_equal(x->near[0].told, "failure:503:destination_unavailable ");
}

static void test_name_dropped(void **state)
{
    struct fixture *x = *state;
    run(x, GET);
    registry_drop(x->worker->registry, x->tunnel);
    check_told(x, "failure:404:destination_not_found ");
}

static void test_cancel_while_held(void **state)
{
    struct fixture *x = *state;
    struct near *n = run(x, GET);
    exchange_cancel(n->exchange, "viewer_left");
    exchange_cancel(n->exchange, "twice");
    n->exchange = NULL;
    attach(x, 10);
    check_told(x, "");
    assert_int_equal(x->n_far, 0);
}

/* F3 */
static void test_queue(void **state)
{
    struct fixture *x = *state;
    attach(x, 1);
    run(x, GET);
    struct far *f = await_far(x, 1);
    struct near *second = start(x, 1, GET);
    exchange_start(second->exchange, x->tunnel);
    assert_int_equal(second->exchange->state, EXCHANGE_HELD);
    answer(f, 200, NULL, NULL, true);
    answer(await_far(x, 2), 201, NULL, NULL, true);
    check_told(x, "response:200. end ");
    settle(x);
    assert_string_equal(second->told, "response:201. end ");
}

static bool second_told(void *user)
{
    return ((struct fixture *)user)->near[1].told[0] != '\0';
}

struct waker {
    struct fixture *fixture;
    struct timer timer;
};

static void run_waker(void *user)
{
    struct waker *w = user;
    tunnel_wake(w->fixture->tunnel);
    timer_arm(&w->timer, 50);
}

/* F3: a second at most, however often the tunnel has something for others: 5 % of the streams are
 * not for WebSockets. */
static void test_queue_timeout(void **state)
{
    struct fixture *x = *state;
    struct link *l = attach(x, 20);
    struct waker w = {.fixture = x};
    l->websockets = 19;
    struct near *n = start(x, 1, WEBSOCKET);
    uint64_t begun = clock_now_us();
    exchange_start(n->exchange, x->tunnel);
    assert_int_equal(n->exchange->state, EXCHANGE_HELD);
    timer_init(&w.timer, x->worker->loop, run_waker, &w);
    timer_arm(&w.timer, 50);
    turns_until(x->worker->loop, second_told, x);
    timer_stop(&w.timer);
    assert_string_equal(n->told, "failure:503:connection_limit_reached ");
    assert_in_range(clock_now_us() - begun, 900000, 1900000);
    l->websockets = 0;
}

/* One of several links has no room for WebSockets: they go on another, be it there or to come. */
static void test_another_link_has_room(void **state)
{
    struct fixture *x = *state;
    struct link *full = attach(x, 20);
    full->websockets = 19;
    struct near *n = start(x, 0, WEBSOCKET);
    exchange_start(n->exchange, x->tunnel);
    assert_int_equal(n->exchange->state, EXCHANGE_HELD);
    struct link *other = attach(x, 20);
    assert_ptr_equal(n->exchange->link, other);
    struct near *second = start(x, 1, WEBSOCKET);
    exchange_start(second->exchange, x->tunnel);
    assert_ptr_equal(second->exchange->link, other); /* which is the busier one */
    full->websockets = 0;
}

static void test_draining(void **state)
{
    struct fixture *x = *state;
    attach(x, 10);
    x->server.draining = true;
    run(x, GET);
    assert_string_equal(x->near[0].told, "failure:503:destination_unavailable ");
}

/* ---- refused, lost */

/* F4, F6 */
static void test_refused_once(void **state)
{
    struct fixture *x = *state;
    attach(x, 10);
    run(x, GET);
    refuse(await_far(x, 1), H2_REFUSED_STREAM);
    struct far *f = await_far(x, 2);
    assert_string_equal(f->path, "/a");
    assert_string_equal(f->fields, "cookie=a=b ");
    answer(f, 200, NULL, NULL, true);
    check_told(x, "response:200. end ");
}

/* F6 */
static void test_refused_twice(void **state)
{
    struct fixture *x = *state;
    struct link *l = attach(x, 10);
    run(x, GET);
    refuse(await_far(x, 1), H2_REFUSED_STREAM);
    refuse(await_far(x, 2), H2_REFUSED_STREAM);
    check_told(x, "failure:503:connection_limit_reached ");
    assert_int_equal(x->n_far, 2);
    turns_until(x->worker->loop, link_is_idle, l);
}

/* F6: of the body nothing may be lost: none has come, so it may be sent again; some has, so it may
 * not. */
static void test_refused_upload(void **state)
{
    struct fixture *x = *state;
    attach(x, 10);
    struct near *n = run(x, POST);
    refuse(await_far(x, 1), H2_REFUSED_STREAM);
    struct far *f = await_far(x, 2);
    give(n, "body", true);
    turns_until(x->worker->loop, is_ended, f);
    check_text(&f->body, "body");
    answer(f, 200, NULL, NULL, true);
    check_told(x, "response:200. end ");
    message_deinit(&n->head);
    run(x, POST);
    await_far(x, 3);
    give(n, "bo", false);
    settle(x);
    refuse(&x->far[2], H2_REFUSED_STREAM);
    check_told(x, "failure:503:connection_limit_reached ");
    assert_int_equal(x->n_far, 3);
}

static bool link_drains(void *user)
{
    return ((struct link *)user)->state == LINK_DRAINING;
}

/* F4, F6: the client leaves and refuses; no other is there. A request without a body waits for one,
 * an upload that was let begin cannot. */
static void test_refused_with_nobody_else(void **state)
{
    struct fixture *x = *state;
    for (int upload = 0; upload < 2; upload++) {
        struct link *l = attach(x, 10);
        struct near *n = run(x, upload ? POST : GET);
        struct far *f = await_far(x, x->n_far + 1);
        h2_session_goaway(x->peers[x->n_peers - 1], SLICE("bye"));
        turns_until(x->worker->loop, link_drains, l);
        refuse(f, H2_REFUSED_STREAM);
        if (upload) {
            check_told(x, "failure:503:connection_limit_reached ");
        } else {
            settle(x);
            assert_int_equal(n->exchange->state, EXCHANGE_HELD);
            size_t before = x->n_far;
            attach(x, 10);
            answer(await_far(x, before + 1), 200, NULL, NULL, true);
            check_told(x, "response:200. end ");
            h2_session_close(x->peers[x->n_peers - 1], 0);
            x->peers[x->n_peers - 1] = NULL;
            settle(x);
        }
        message_deinit(&n->head);
    }
}

static const struct {
    uint32_t code;
    const char *before, *after;
} resets[] = {
    {H2_PROTOCOL_ERROR, "failure:502:http_protocol_error ", "response:200 broken "},
    {H2_INTERNAL_ERROR, "failure:502:connection_terminated ", "response:200 broken "},
    {H2_CANCEL, "failure:502:connection_terminated ", "response:200 broken "},
    {H2_REFUSED_STREAM, "failure:503:connection_limit_reached ", "response:200 broken "},
};

/* F6 */
static void test_resets(void **state)
{
    struct fixture *x = *state;
    attach(x, 100);
    for (size_t i = 0; i < sizeof resets / sizeof *resets; i++)
        for (int after = 0; after < 2; after++) {
            struct near *n = run(x, POST);
            struct far *f = await_far(x, x->n_far + 1);
            give(n, "x", false); /* so that it is not sent again */
            settle(x);
            if (after) {
                answer(f, 200, NULL, NULL, false);
                settle(x);
            }
            refuse(f, resets[i].code);
            check_told(x, after ? resets[i].after : resets[i].before);
            message_deinit(&n->head);
        }
}

static void lose_link(struct fixture *x)
{
    h2_session_close(x->peers[x->n_peers - 1], 0);
    x->peers[x->n_peers - 1] = NULL;
}

/* F4 */
static void test_link_lost_before_head(void **state)
{
    struct fixture *x = *state;
    attach(x, 10);
    run(x, GET);
    await_far(x, 1);
    lose_link(x);
    check_told(x, "failure:502:connection_terminated ");
}

/* F5 */
static void test_link_lost_after_head(void **state)
{
    struct fixture *x = *state;
    attach(x, 10);
    run(x, GET);
    answer(await_far(x, 1), 200, NULL, NULL, false);
    check_told(x, "response:200 ");
    lose_link(x);
    check_told(x, "broken ");
}

/* F4: the request had not left: on the next link it is as good as new. */
static void test_link_lost_before_request_left(void **state)
{
    struct fixture *x = *state;
    struct link *l = attach(x, 10);
    struct near *n = run(x, GET);
    link_close(l, 0);
    assert_int_equal(n->exchange->state, EXCHANGE_HELD);
    attach(x, 10);
    answer(await_far(x, 1), 200, NULL, NULL, true);
    check_told(x, "response:200. end ");
}

static void test_link_lost_before_upload_left(void **state)
{
    struct fixture *x = *state;
    struct link *l = attach(x, 10);
    struct near *n = run(x, POST);
    assert_true(n->wanted);
    link_close(l, 0);
    check_told(x, "failure:503:connection_limit_reached ");
}

/* ---- what the client says of its origin */

static const struct {
    int status;
    const char *type, *want;
} failures[] = {
    {502, "connection_refused", "failure:502:connection_refused "},
    {502, "connection_terminated", "failure:502:connection_terminated "},
    {502, "dns_error", "failure:502:dns_error "},
    {502, "tls_alert_received", "failure:502:tls_alert_received "},
    {502, "http_upgrade_failed", "failure:502:http_upgrade_failed "},
    {502, "http_response_incomplete", "failure:502:http_response_incomplete "},
    {502, "http_response_header_section_size", "failure:502:http_response_header_section_size "},
    {504, "connection_timeout", "failure:504:connection_timeout "},
    {504, "http_response_timeout", "failure:504:http_response_timeout "},
    {502, "<script>", "failure:502:http_protocol_error "},
};

/* D10 */
static void test_client_failures(void **state)
{
    struct fixture *x = *state;
    struct link *l = attach(x, 100);
    for (size_t i = 0; i < sizeof failures / sizeof *failures; i++)
        for (enum kind kind = GET; kind <= POST; kind++) {
            struct near *n = run(x, kind);
            answer(await_far(x, x->n_far + 1), failures[i].status, "oneport-error",
                   failures[i].type, true);
            check_told(x, failures[i].want);
            turns_until(x->worker->loop, link_is_idle, l);
            message_deinit(&n->head);
        }
}

/* ---- time */

/* F7 */
static void test_origin_timeout(void **state)
{
    struct fixture *x = *state;
    attach(x, 10);
    x->config.origin_timeout_ms = 20;
    run(x, GET);
    struct far *f = await_far(x, 1);
    check_told(x, "failure:504:http_response_timeout ");
    check_reset(x, f, H2_CANCEL);
}

/* F8 */
static void test_idle_body(void **state)
{
    struct fixture *x = *state;
    attach(x, 10);
    x->config.idle_timeout_ms = 20;
    run(x, GET);
    struct far *f = await_far(x, 1);
    answer(f, 200, NULL, NULL, false);
    check_told(x, "response:200 broken ");
    check_reset(x, f, H2_CANCEL);
}

/* Q39: the viewer owes its body. */
static void test_idle_viewer(void **state)
{
    struct fixture *x = *state;
    attach(x, 10);
    x->config.idle_timeout_ms = 20;
    struct near *n = run(x, POST);
    struct far *f = await_far(x, 1);
    give(n, "hal", false);
    check_told(x, "failure:408:http_request_error ");
    check_reset(x, f, H2_CANCEL);
    check_text(&f->body, "hal");
}

/* D11: the origin does not read on, whatever time it has for its answer. */
static void test_idle_origin(void **state)
{
    struct fixture *x = *state;
    attach(x, 10);
    x->config.idle_timeout_ms = 20;
    x->config.origin_timeout_ms = 0;
    struct near *n = run(x, POST);
    struct far *f = await_far(x, 1);
    char *data = xcalloc(1, 100001);
    memset(data, 'x', 100000);
    f->hold_credit = true;
    give(n, data, true);
    check_told(x, "failure:504:http_response_timeout ");
    check_reset(x, f, H2_CANCEL);
    free(data);
}

static bool some_time_passed(void *user)
{
    return clock_now_us() > *(uint64_t *)user;
}

/* Without an origin timeout a complete request waits for as long as it takes; so does a
 * WebSocket's, which has no body to owe. */
static void test_nobody_owes_a_body(void **state)
{
    struct fixture *x = *state;
    attach(x, 10);
    x->config.idle_timeout_ms = 20;
    x->config.origin_timeout_ms = 0;
    for (enum kind kind = GET; kind <= WEBSOCKET; kind += WEBSOCKET - GET) {
        struct near *n = run(x, kind);
        n->exchange->probed = true;
        timer_arm(&n->exchange->timer, 0); /* the look that it would take in some seconds */
        struct far *f = await_far(x, x->n_far + 1);
        uint64_t until = clock_now_us() + 50000;
        turns_until(x->worker->loop, some_time_passed, &until);
        timer_arm(&n->exchange->timer, 0);
        settle(x);
        until = clock_now_us() + 10000;
        turns_until(x->worker->loop, some_time_passed, &until);
        answer(f, 404, NULL, NULL, true);
        check_told(x, "response:404. end ");
        message_deinit(&n->head);
    }
}

/* ---- limits */

/* Q30 */
static void test_max_body(void **state)
{
    struct fixture *x = *state;
    attach(x, 10);
    x->config.max_body = 5;
    struct near *n = run(x, POST);
    struct far *f = await_far(x, 1);
    give(n, "hello", false);
    settle(x);
    give(n, "!", false);
    check_told(x, "failure:413:http_request_error ");
    check_reset(x, f, H2_CANCEL);
    check_text(&f->body, "hello");
    message_deinit(&n->head);
    run(x, POST);
    f = await_far(x, 2);
    give(n, "hello", true);
    turns_until(x->worker->loop, is_ended, f);
    answer(f, 200, NULL, NULL, true);
    check_told(x, "response:200. end ");
    message_deinit(&n->head);
    run(x, POST);
    f = await_far(x, 3);
    answer(f, 200, NULL, NULL, false);
    check_told(x, "response:200 ");
    give(n, "too much", true);
    check_told(x, "broken ");
}

/* ---- the viewer leaves, the server stops */

/* R17 */
static void test_cancel(void **state)
{
    struct fixture *x = *state;
    struct link *l = attach(x, 10);
    for (int after = 0; after < 2; after++) {
        struct near *n = run(x, POST);
        struct far *f = await_far(x, x->n_far + 1);
        if (after) {
            answer(f, 200, NULL, NULL, false);
            check_told(x, "response:200 ");
        }
        exchange_cancel(n->exchange, "viewer_left");
        n->exchange = NULL;
        assert_null(n->leg.events);
        check_reset(x, f, H2_CANCEL);
        check_told(x, "");
        turns_until(x->worker->loop, link_is_idle, l);
        message_deinit(&n->head);
    }
}

/* H12: a body that is cut off never looks complete. */
static void test_near_reset(void **state)
{
    struct fixture *x = *state;
    attach(x, 10);
    struct near *n = run(x, POST);
    struct far *f = await_far(x, 1);
    struct leg_fault why = {.err = ERR_EOF, .reason = "peer left"};
    give(n, "hal", false);
    settle(x);
    const struct leg_events *events = n->leg.events;
    void *exchange = n->leg.exchange;
    leg_untie(&n->leg);
    events->on_reset(exchange, &n->leg, &why);
    n->exchange = NULL;
    check_reset(x, f, H2_CANCEL);
    assert_false(f->ended);
    check_told(x, "");
}

static void test_stop(void **state)
{
    struct fixture *x = *state;
    struct near *n = run(x, GET);
    exchange_stop(n->exchange);
    check_told(x, "failure:503:destination_unavailable ");
    message_deinit(&n->head);
    attach(x, 10);
    run(x, GET);
    await_far(x, 1);
    exchange_stop(n->exchange);
    check_told(x, "failure:503:destination_unavailable ");
    message_deinit(&n->head);
    run(x, GET);
    answer(await_far(x, 2), 200, NULL, NULL, false);
    check_told(x, "response:200 ");
    exchange_stop(n->exchange);
    check_told(x, "broken ");
    message_deinit(&n->head);
    run(x, WEBSOCKET);
    answer(await_far(x, 3), 200, NULL, NULL, false);
    check_told(x, "response:101 [s3pPLMBiTxaQ9kYGzzhZRbK+xOo=] upgraded ");
    exchange_stop(n->exchange);
    check_told(x, "restart ");
}

/* ---- WebSockets */

static struct far *open_websocket(struct fixture *x)
{
    run(x, WEBSOCKET);
    struct far *f = await_far(x, x->n_far + 1);
    assert_string_equal(f->method, "CONNECT");
    assert_false(f->ended);
    answer(f, 200, NULL, NULL, false);
    check_told(x, "response:101 [s3pPLMBiTxaQ9kYGzzhZRbK+xOo=] upgraded ");
    assert_int_equal(stat_get(&x->worker->stats.websockets_open), 1);
    return f;
}

/* W3, W6, W7 */
static void test_websocket(void **state)
{
    struct fixture *x = *state;
    struct link *l = attach(x, 10);
    struct far *f = open_websocket(x);
    struct near *n = &x->near[0];
    assert_false(n->wanted);
    assert_int_equal(l->websockets, 1);
    give(n, "up", false);
    f->leg->ops->body(f->leg, SLICE("\x81\x02hi"), false);
    settle(x);
    check_text(&f->body, "up");
    check_text(&n->body, "\x81\x02hi");
    f->leg->ops->body(f->leg, SLICE(""), true); /* W7: half-closed, and the other way goes on */
    check_told(x, "fin ");
    give(n, "still", false);
    settle(x);
    check_text(&f->body, "upstill");
    give(n, "", true);
    check_told(x, "end ");
    turns_until(x->worker->loop, link_is_idle, l);
    assert_true(f->ended);
    assert_false(f->was_reset);
    assert_int_equal(l->websockets, 0);
}

static void test_websocket_other_half_first(void **state)
{
    struct fixture *x = *state;
    struct link *l = attach(x, 10);
    struct far *f = open_websocket(x);
    give(&x->near[0], "bye", true);
    turns_until(x->worker->loop, is_ended, f);
    f->leg->ops->body(f->leg, SLICE("later"), true);
    check_told(x, "fin end ");
    check_text(&x->near[0].body, "later");
    turns_until(x->worker->loop, link_is_idle, l);
}

/* W8: the owner learns whether a frame may begin, and how much of one is begun. */
static void test_websocket_restart(void **state)
{
    static const struct {
        struct slice sent;
        uint64_t tail;
        bool close_seen;
    } rows[] = {
        {{"", 0}, 0, false},
        {{"\x81\x02hi", 4}, 0, false},
        {{"\x81\x02hi\x81\x05hel", 9}, 5, false},
        {{"\x88\x00", 2}, 0, true},
    };
    struct fixture *x = *state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        attach(x, 10);
        struct far *f = open_websocket(x);
        x->count = buf_len(&x->near[0].body) + rows[i].sent.len;
        f->leg->ops->body(f->leg, rows[i].sent, false);
        turns_until(x->worker->loop, body_is_there, x);
        lose_link(x);
        check_told(x, "restart ");
        assert_int_equal(x->near[0].frames.tail, rows[i].tail);
        assert_int_equal(x->near[0].frames.close_seen, rows[i].close_seen);
        message_deinit(&x->near[0].head);
    }
}

/* W5: anything but an open stream is an answer as any other; 2xx that ends at once is none. */
static void test_websocket_refused(void **state)
{
    struct fixture *x = *state;
    struct link *l = attach(x, 10);
    for (int end = 0; end < 2; end++) {
        run(x, WEBSOCKET);
        struct far *f = await_far(x, x->n_far + 1);
        answer(f, 403, NULL, NULL, end);
        if (!end)
            f->leg->ops->body(f->leg, SLICE("no"), true);
        check_told(x, end ? "response:403. end " : "response:403 fin end ");
        turns_until(x->worker->loop, link_is_idle, l);
        message_deinit(&x->near[0].head);
    }
    run(x, WEBSOCKET);
    answer(await_far(x, 3), 200, NULL, NULL, true);
    check_told(x, "failure:502:http_upgrade_failed ");
    turns_until(x->worker->loop, link_is_idle, l);
    assert_int_equal(l->websockets, 0);
}

/* W7 */
static void test_websocket_reset(void **state)
{
    struct fixture *x = *state;
    attach(x, 10);
    refuse(open_websocket(x), H2_CANCEL);
    check_told(x, "broken ");
}

/* W9 */
static void test_websocket_idle(void **state)
{
    struct fixture *x = *state;
    attach(x, 10);
    x->config.websocket_timeout_ms = 20;
    struct far *f = open_websocket(x);
    check_told(x, "restart ");
    check_reset(x, f, H2_CANCEL);
}

static void test_websocket_has_no_body_limit(void **state)
{
    struct fixture *x = *state;
    attach(x, 10);
    x->config.max_body = 1;
    struct far *f = open_websocket(x);
    give(&x->near[0], "many octets", false);
    settle(x);
    check_text(&f->body, "many octets");
}

static void test_state_names(void **state)
{
    assert_string_equal(exchange_state_name(EXCHANGE_HELD), "held");
    assert_string_equal(exchange_state_name(EXCHANGE_DEAD), "dead");
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_get),
        TEST(test_head_only),
        TEST(test_upload_and_trailers),
        TEST(test_slow_viewer),
        TEST(test_slow_origin),
        TEST(test_early_answer),
        TEST(test_interim),
        TEST(test_interim_octets),
        TEST(test_cookie_of_the_base_domain),
        TEST(test_hold_then_link),
        TEST(test_hold_timeout),
        TEST(test_no_hold),
        TEST(test_away_too_long),
        TEST(test_name_dropped),
        TEST(test_cancel_while_held),
        TEST(test_queue),
        TEST(test_queue_timeout),
        TEST(test_another_link_has_room),
        TEST(test_draining),
        TEST(test_refused_once),
        TEST(test_refused_twice),
        TEST(test_refused_upload),
        TEST(test_refused_with_nobody_else),
        TEST(test_resets),
        TEST(test_link_lost_before_head),
        TEST(test_link_lost_after_head),
        TEST(test_link_lost_before_request_left),
        TEST(test_link_lost_before_upload_left),
        TEST(test_client_failures),
        TEST(test_origin_timeout),
        TEST(test_idle_body),
        TEST(test_idle_viewer),
        TEST(test_idle_origin),
        TEST(test_nobody_owes_a_body),
        TEST(test_max_body),
        TEST(test_cancel),
        TEST(test_near_reset),
        TEST(test_stop),
        TEST(test_websocket),
        TEST(test_websocket_other_half_first),
        TEST(test_websocket_restart),
        TEST(test_websocket_refused),
        TEST(test_websocket_reset),
        TEST(test_websocket_idle),
        TEST(test_websocket_has_no_body_limit),
        cmocka_unit_test(test_state_names),
    };
    return cmocka_run_group_tests_name("exchange", tests, NULL, NULL);
}
