/* Two sessions over a pair in memory: heads, bodies, credit, trailers, resets, GOAWAY, keepalive.
 * RFC 9113, RFC 8441. */
#include "turns.h"

#include <stdlib.h>

#include "h2mux/h2mux.h"

/* One end of a stream as a test sees it. */
struct end {
    struct leg *leg;
    int heads, status;
    size_t body, sent;
    bool ended, trailers, echo, hold_credit;
    struct leg_fault fault;
    bool was_reset;
    char first_field[64];
    char path[64], protocol[16], authority[64];
};

struct world {
    struct loop *loop;
    struct sock *a, *b;
    struct h2_session *opener, *server;
    bool up_opener, up_server, acked_server, closed_opener, closed_server, goaway_opener,
        goaway_server;
    int close_err;
    char debug[32];
    struct end near, far;
    bool answer_at_once;
};

static void far_on_body(void *x, struct leg *leg, struct slice data, bool end);

static void on_head(void *x, struct leg *leg, struct message *m, bool end)
{
    struct end *e = x;
    e->heads++;
    e->status = m->status;
    e->ended = end;
    if (m->fields.count > 0)
        snprintf(e->first_field, sizeof e->first_field, "%.*s", SLICE_FMT(m->fields.v[0].value));
}

static void on_body(void *x, struct leg *leg, struct slice data, bool end)
{
    struct end *e = x;
    e->body += data.len;
    e->ended = end;
    if (!e->hold_credit)
        leg->ops->credit(leg, data.len);
}

static void far_on_body(void *x, struct leg *leg, struct slice data, bool end)
{
    struct end *e = x;
    on_body(x, leg, data, end);
    if (e->echo)
        leg->ops->body(leg, data, end);
}

static void on_trailers(void *x, struct leg *leg, struct fields *t)
{
    struct end *e = x;
    e->trailers = t->count == 1 && slice_eq(t->v[0].name, SLICE("x-sum"));
    e->ended = true;
}

static void on_sent(void *x, struct leg *leg, size_t octets)
{
    struct end *e = x;
    e->sent += octets;
}

static void on_reset(void *x, struct leg *leg, const struct leg_fault *why)
{
    struct end *e = x;
    e->was_reset = true;
    e->fault = *why;
}

static const struct leg_events near_events = {.on_head = on_head,
                                              .on_body = on_body,
                                              .on_trailers = on_trailers,
                                              .on_sent = on_sent,
                                              .on_reset = on_reset};
static const struct leg_events far_events = {.on_head = on_head,
                                             .on_body = far_on_body,
                                             .on_trailers = on_trailers,
                                             .on_sent = on_sent,
                                             .on_reset = on_reset};

static void opener_up(void *user)
{
    ((struct world *)user)->up_opener = true;
}

static void server_up(void *user)
{
    ((struct world *)user)->up_server = true;
}

static void server_acked(void *user)
{
    ((struct world *)user)->acked_server = true;
}

static void respond(struct leg *leg, int status, bool end)
{
    struct message m;
    message_init(&m);
    m.status = status;
    fields_add(&m.fields, SLICE("x-answer"), SLICE("yes"));
    leg->ops->head(leg, &m, end);
    message_deinit(&m);
}

static void server_stream(void *user, struct leg *leg, struct message *m, bool end)
{
    struct world *w = user;
    w->far.leg = leg;
    leg_tie(leg, &far_events, &w->far);
    w->far.ended = end;
    snprintf(w->far.path, sizeof w->far.path, "%.*s", SLICE_FMT(m->path));
    snprintf(w->far.protocol, sizeof w->far.protocol, "%.*s", SLICE_FMT(m->protocol));
    snprintf(w->far.authority, sizeof w->far.authority, "%.*s", SLICE_FMT(m->authority));
    if (w->answer_at_once)
        respond(leg, 200, false);
}

static void on_goaway(void *user, struct slice debug)
{
    struct world *w = user;
    w->goaway_server = true;
    snprintf(w->debug, sizeof w->debug, "%.*s", SLICE_FMT(debug));
}

static void opener_goaway(void *user, struct slice debug)
{
    ((struct world *)user)->goaway_opener = true;
}

static void opener_closed(void *user, int err, const char *reason)
{
    struct world *w = user;
    w->closed_opener = true;
    w->close_err = err;
    w->opener = NULL;
}

static void server_closed(void *user, int err, const char *reason)
{
    struct world *w = user;
    w->closed_server = true;
    w->server = NULL;
}

static const struct h2_session_ops opener_ops = {
    .on_up = opener_up, .on_goaway = opener_goaway, .on_closed = opener_closed};
static const struct h2_session_ops server_ops = {.on_up = server_up,
                                                 .on_acked = server_acked,
                                                 .on_stream = server_stream,
                                                 .on_goaway = on_goaway,
                                                 .on_closed = server_closed};

static const struct h2_options defaults = {
    .max_streams = 100,
    .ping_timeout_ms = 300,
    .settings_timeout_ms = 1000,
    .buffer_limit = 32 << 20,
    .stall_ms = 50,
    .reset_burst = 2,
    .reset_rate = 50,
};

static bool both_up(void *user)
{
    struct world *w = user;
    return w->up_opener && w->up_server && w->acked_server;
}

static struct world *open_world(const struct h2_options *o)
{
    struct world *w = calloc(1, sizeof *w);
    w->loop = loop_new();
    sock_pair(w->loop, &w->a, &w->b);
    w->opener = h2_session_new(w->loop, w->a, H2_OPENER, o, &opener_ops, w);
    w->server = h2_session_new(w->loop, w->b, H2_SERVER, o, &server_ops, w);
    turns_until(w->loop, both_up, w);
    return w;
}

static bool never_wait(void *user)
{
    return true;
}

static void close_world(struct world *w)
{
    if (w->opener != NULL)
        h2_session_close(w->opener, 0);
    if (w->server != NULL)
        h2_session_close(w->server, 0);
    turns_until(w->loop, never_wait, w);
    loop_free(w->loop);
    free(w);
}

static struct leg *request(struct world *w, const char *method, const char *path, bool end)
{
    struct message m;
    message_init(&m);
    m.method = slice_str(method);
    m.scheme = SLICE("https");
    m.authority = SLICE("demo.example.com");
    m.path = slice_str(path);
    if (slice_eq(m.method, SLICE("CONNECT")))
        m.protocol = SLICE("websocket");
    fields_add(&m.fields, SLICE("cookie"), SLICE("a=b"));
    w->near.leg = h2_stream_open(w->opener, &m, end, &near_events, &w->near);
    message_deinit(&m);
    return w->near.leg;
}

static bool far_here(void *user)
{
    return ((struct world *)user)->far.leg != NULL;
}

static bool near_ended(void *user)
{
    return ((struct world *)user)->near.ended;
}

static bool far_ended(void *user)
{
    return ((struct world *)user)->far.ended;
}

static bool near_reset(void *user)
{
    return ((struct world *)user)->near.was_reset;
}

static bool far_reset(void *user)
{
    return ((struct world *)user)->far.was_reset;
}

/* H4, H13 */
static void test_get(void **state)
{
    struct world *w = open_world(&defaults);
    assert_non_null(request(w, "GET", "/a?b=c", true));
    turns_until(w->loop, far_here, w);
    assert_string_equal(w->far.path, "/a?b=c");
    assert_string_equal(w->far.authority, "demo.example.com");
    assert_true(w->far.ended);
    respond(w->far.leg, 204, true);
    turns_until(w->loop, near_ended, w);
    assert_int_equal(w->near.status, 204);
    assert_string_equal(w->near.first_field, "yes");
    assert_int_equal(h2_session_open_streams(w->opener), 0);
    close_world(w);
}

/* Interim heads come one by one before the final one (RFC 9113 8.1). */
static void test_interim(void **state)
{
    struct world *w = open_world(&defaults);
    request(w, "GET", "/", true);
    turns_until(w->loop, far_here, w);
    respond(w->far.leg, 103, false);
    respond(w->far.leg, 200, true);
    turns_until(w->loop, near_ended, w);
    assert_int_equal(w->near.heads, 2);
    assert_int_equal(w->near.status, 200);
    close_world(w);
}

static const size_t big = 3 << 20;

static bool echoed(void *user)
{
    struct world *w = user;
    return w->near.body == big && w->near.ended;
}

/* More than any window, both ways at once, with every octet's credit returned. */
static void test_echo(void **state)
{
    struct world *w = open_world(&defaults);
    char *data = calloc(1, big);
    w->answer_at_once = w->far.echo = true;
    struct leg *leg = request(w, "POST", "/", false);
    leg->ops->body(leg, slice_make(data, big), true);
    turns_until(w->loop, echoed, w);
    assert_int_equal(w->near.sent, big);
    assert_int_equal(w->far.body, big);
    free(data);
    close_world(w);
}

static bool window_is_full(void *user)
{
    struct world *w = user;
    return w->far.body == 65536;
}

static bool second_done(void *user)
{
    struct world *w = user;
    return w->near.ended && w->near.heads == 1;
}

/* A stream whose octets do not leave stops at its own window; another one is not slowed (the link's
 * credit came back). */
static void test_stalled_stream_stops_alone(void **state)
{
    struct world *w = open_world(&defaults);
    char *data = calloc(1, big);
    w->far.hold_credit = true;
    struct leg *leg = request(w, "POST", "/stalled", false);
    leg->ops->body(leg, slice_make(data, big), true);
    turns_until(w->loop, window_is_full, w);
    struct leg *stalled = w->far.leg;
    w->far = (struct end){.echo = true};
    w->near = (struct end){0};
    w->answer_at_once = true;
    leg_tie(stalled, NULL, NULL);
    leg = request(w, "POST", "/moving", false);
    leg->ops->body(leg, slice_make(data, big), true);
    turns_until(w->loop, second_done, w);
    assert_int_equal(w->near.body, big);
    free(data);
    close_world(w);
}

/* Q29, R13 */
static void test_trailers(void **state)
{
    struct world *w = open_world(&defaults);
    struct fields t;
    w->answer_at_once = true;
    request(w, "GET", "/", true);
    turns_until(w->loop, far_here, w);
    fields_init(&t);
    fields_add(&t, SLICE("x-sum"), SLICE("1"));
    w->far.leg->ops->body(w->far.leg, SLICE("hello"), false);
    w->far.leg->ops->trailers(w->far.leg, &t);
    fields_deinit(&t);
    turns_until(w->loop, near_ended, w);
    assert_true(w->near.trailers);
    assert_int_equal(w->near.body, 5);
    close_world(w);
}

/* W7: RFC 8441: each direction ends by itself. */
static void test_websocket_half_close(void **state)
{
    struct world *w = open_world(&defaults);
    assert_true(h2_session_takes_websockets(w->opener));
    struct leg *leg = request(w, "CONNECT", "/ws", false);
    turns_until(w->loop, far_here, w);
    assert_string_equal(w->far.protocol, "websocket");
    respond(w->far.leg, 200, false);
    w->far.leg->ops->body(w->far.leg, SLICE("bye"), true);
    turns_until(w->loop, near_ended, w);
    assert_false(w->near.was_reset);
    leg->ops->body(leg, SLICE("later"), true);
    turns_until(w->loop, far_ended, w);
    assert_int_equal(w->far.body, 5);
    close_world(w);
}

/* D12: RFC 9113 8.1: answered before the upload ended; the rest is not wanted, and that is no
 * failure. */
static void test_early_answer_stops_upload(void **state)
{
    struct world *w = open_world(&defaults);
    request(w, "POST", "/", false);
    turns_until(w->loop, far_here, w);
    respond(w->far.leg, 413, true);
    turns_until(w->loop, near_reset, w);
    assert_int_equal(w->near.status, 413);
    assert_true(w->near.ended);
    assert_int_equal(w->near.fault.err, ERR_CLOSED);
    close_world(w);
}

/* W7: a peer that has said all of it and takes no more of a WebSocket ends it in order; one that
 * fails behind its end does not. */
static void test_a_reset_behind_the_end(void **state)
{
    static const struct {
        uint32_t code;
        int want;
    } rows[] = {{8 /* CANCEL */, ERR_CLOSED}, {2 /* INTERNAL_ERROR */, ERR_RESET}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct world *w = open_world(&defaults);
        struct leg_fault why = {.err = ERR_RESET, .h2_code = rows[i].code};
        request(w, "CONNECT", "/ws", false);
        turns_until(w->loop, far_here, w);
        respond(w->far.leg, 200, false);
        w->far.leg->ops->body(w->far.leg, SLICE("bye"), true);
        turns_until(w->loop, near_ended, w);
        w->far.leg->ops->reset(w->far.leg, &why);
        turns_until(w->loop, near_reset, w);
        assert_int_equal(w->near.fault.err, rows[i].want);
        close_world(w);
    }
}

/* A viewer that takes its request back: complete or not, it is a reset. */
static void test_a_request_taken_back(void **state)
{
    struct world *w = open_world(&defaults);
    struct leg_fault why = {.err = ERR_RESET};
    struct leg *leg = request(w, "GET", "/", true);
    turns_until(w->loop, far_here, w);
    leg->ops->reset(leg, &why);
    turns_until(w->loop, far_reset, w);
    assert_int_equal(w->far.fault.err, ERR_RESET);
    close_world(w);
}

static void test_reset_codes(void **state)
{
    static const struct {
        bool from_opener;
        uint32_t given, want;
        bool unprocessed;
    } rows[] = {
        {true, 0, 8 /* CANCEL */, false},
        {false, 0, 2 /* INTERNAL_ERROR */, false},
        {false, 1, 1 /* PROTOCOL_ERROR */, false},
        {false, 7, 7 /* REFUSED_STREAM */, true},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct world *w = open_world(&defaults);
        struct leg *leg = request(w, "POST", "/", false);
        turns_until(w->loop, far_here, w);
        struct leg_fault why = {.err = ERR_CLOSED, .h2_code = rows[i].given};
        struct leg *from = rows[i].from_opener ? leg : w->far.leg;
        from->ops->reset(from, &why);
        from->ops->reset(from, &why);
        turns_until(w->loop, rows[i].from_opener ? far_reset : near_reset, w);
        struct end *told = rows[i].from_opener ? &w->far : &w->near;
        assert_int_equal(told->fault.h2_code, rows[i].want);
        assert_int_equal(told->fault.unprocessed, rows[i].unprocessed);
        close_world(w);
    }
}

static const struct {
    const char *id, *authority, *host, *other_host;
    const char *want; /* the authority that the far end sees; NULL: reset */
} hosts[] = {
    {"D1 the same", "demo.example.com", "DEMO.example.com", NULL, "DEMO.example.com"},
    {"D1 host alone", "", "demo.example.com", NULL, "demo.example.com"},
    {"D1 different", "demo.example.com", "other.example.com", NULL, NULL},
    {"D1 another port", "demo.example.com", "demo.example.com:81", NULL, NULL},
    {"D1 host twice", "demo.example.com", "demo.example.com", "demo.example.com", NULL},
};

static bool far_here_or_near_reset(void *user)
{
    return far_here(user) || near_reset(user);
}

static void test_hosts(void **state)
{
    for (size_t i = 0; i < sizeof hosts / sizeof *hosts; i++) {
        struct world *w = open_world(&defaults);
        struct message m;
        print_message("%s\n", hosts[i].id);
        message_init(&m);
        m.method = SLICE("GET");
        m.scheme = SLICE("https");
        m.authority = slice_str(hosts[i].authority);
        m.path = SLICE("/");
        fields_add(&m.fields, SLICE("host"), slice_str(hosts[i].host));
        if (hosts[i].other_host != NULL)
            fields_add(&m.fields, SLICE("host"), slice_str(hosts[i].other_host));
        w->near.leg = h2_stream_open(w->opener, &m, true, &near_events, &w->near);
        message_deinit(&m);
        turns_until(w->loop, far_here_or_near_reset, w);
        if (hosts[i].want == NULL)
            assert_int_equal(w->near.fault.h2_code, 1 /* PROTOCOL_ERROR */);
        else
            assert_string_equal(w->far.authority, hosts[i].want);
        close_world(w);
    }
}

static bool no_streams(void *user)
{
    struct world *w = user;
    return h2_session_open_streams(w->opener) == 0;
}

/* Over the burst a reset waits for its token; the stream counts until it went (http-rules 4, "RST
 * sent by oneportd"). */
static void test_resets_are_paced(void **state)
{
    struct world *w = open_world(&defaults);
    struct leg *legs[8];
    struct leg_fault why = {.err = ERR_CLOSED};
    for (int i = 0; i < 8; i++)
        legs[i] = request(w, "POST", "/", false);
    turns_until(w->loop, far_here, w);
    for (int i = 0; i < 8; i++)
        legs[i]->ops->reset(legs[i], &why);
    turns_until(w->loop, never_wait, w);
    assert_true(h2_session_open_streams(w->opener) >= 5);
    turns_until(w->loop, no_streams, w);
    close_world(w);
}

static bool opener_gone(void *user)
{
    return ((struct world *)user)->closed_opener;
}

/* A request that never left is safe to send again, one that left is not. */
static void test_lost_link(void **state)
{
    struct world *w = open_world(&defaults);
    request(w, "GET", "/", true);
    turns_until(w->loop, far_here, w);
    h2_session_close(w->server, 0);
    w->server = NULL;
    turns_until(w->loop, opener_gone, w);
    assert_true(w->near.was_reset);
    assert_false(w->near.fault.unprocessed);
    close_world(w);
}

static bool goaway_seen(void *user)
{
    return ((struct world *)user)->goaway_server;
}

static bool both_gone(void *user)
{
    struct world *w = user;
    return w->closed_opener && w->closed_server;
}

static void test_goaway_lets_streams_finish(void **state)
{
    struct world *w = open_world(&defaults);
    request(w, "GET", "/", true);
    turns_until(w->loop, far_here, w);
    h2_session_goaway(w->opener, SLICE("draining"));
    assert_false(h2_session_can_open(w->opener));
    turns_until(w->loop, goaway_seen, w);
    assert_string_equal(w->debug, "draining");
    respond(w->far.leg, 200, true);
    turns_until(w->loop, near_ended, w);
    assert_false(w->near.was_reset);
    turns_until(w->loop, both_gone, w);
    close_world(w);
}

/* A peer that takes octets and answers none is dead within the probe's time. */
static void test_probe_finds_dead_peer(void **state)
{
    struct world *w = open_world(&defaults);
    turns_until(w->loop, never_wait, w);
    sock_pause(h2_session_sock(w->server));
    h2_session_probe(w->opener, 50);
    turns_until(w->loop, opener_gone, w);
    assert_int_equal(w->close_err, ERR_TIMEOUT);
    close_world(w);
}

static void ignore_readable(void *user)
{
    sock_pause(user);
}

static void test_silent_peer_has_no_settings(void **state)
{
    static const struct sock_ops silent = {.on_readable = ignore_readable};
    struct world *w = calloc(1, sizeof *w);
    struct h2_options o = defaults;
    o.settings_timeout_ms = 40;
    w->loop = loop_new();
    sock_pair(w->loop, &w->a, &w->b);
    sock_set_ops(w->b, &silent, w->b);
    w->opener = h2_session_new(w->loop, w->a, H2_OPENER, &o, &opener_ops, w);
    turns_until(w->loop, opener_gone, w);
    assert_false(w->up_opener);
    sock_close(w->b);
    close_world(w);
}

/* http-rules 4: over three quarters of the budget the stream that has taken nothing for longest
 * goes. */
static void test_budget_resets_the_stalled(void **state)
{
    struct h2_options o = defaults;
    o.buffer_limit = 64 * 1024;
    struct world *w = open_world(&o);
    char *data = calloc(1, big);
    w->far.hold_credit = true;
    struct leg *leg = request(w, "POST", "/", false);
    leg->ops->body(leg, slice_make(data, big), true);
    turns_until(w->loop, far_reset, w);
    assert_int_equal(w->far.fault.err, ERR_STALLED);
    turns_until(w->loop, near_reset, w);
    free(data);
    close_world(w);
}

/* More resets with half-read bodies than the connection window holds; then a transfer must still
 * get through (style.md 9.9). */
static void test_credit_does_not_leak(void **state)
{
    struct h2_options o = defaults;
    o.reset_rate = 0;
    struct world *w = open_world(&o);
    char *data = calloc(1, big);
    struct leg_fault why = {.err = ERR_CLOSED};
    w->far.hold_credit = true;
    for (int i = 0; i < 600; i++) {
        w->far.leg = NULL;
        w->far.body = 0;
        struct leg *leg = request(w, "POST", "/", false);
        leg->ops->body(leg, slice_make(data, big), true);
        turns_until(w->loop, window_is_full, w);
        leg->ops->reset(leg, &why);
    }
    w->far = (struct end){.echo = true};
    w->near = (struct end){0};
    w->answer_at_once = true;
    struct leg *leg = request(w, "POST", "/", false);
    leg->ops->body(leg, slice_make(data, big), true);
    turns_until(w->loop, echoed, w);
    free(data);
    close_world(w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_get),
        cmocka_unit_test(test_interim),
        cmocka_unit_test(test_echo),
        cmocka_unit_test(test_stalled_stream_stops_alone),
        cmocka_unit_test(test_trailers),
        cmocka_unit_test(test_websocket_half_close),
        cmocka_unit_test(test_early_answer_stops_upload),
        cmocka_unit_test(test_a_reset_behind_the_end),
        cmocka_unit_test(test_a_request_taken_back),
        cmocka_unit_test(test_reset_codes),
        cmocka_unit_test(test_hosts),
        cmocka_unit_test(test_resets_are_paced),
        cmocka_unit_test(test_lost_link),
        cmocka_unit_test(test_goaway_lets_streams_finish),
        cmocka_unit_test(test_probe_finds_dead_peer),
        cmocka_unit_test(test_silent_peer_has_no_settings),
        cmocka_unit_test(test_budget_resets_the_stalled),
        cmocka_unit_test(test_credit_does_not_leak),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
