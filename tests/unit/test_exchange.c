/* SPDX-License-Identifier: MIT */
/* test_exchange.c - tests what both sides of an exchange hear when all goes well, when one side is
 * late or breaks a rule, and when the exchange is stopped. http-rules.md#failures */
#include "exchange_world.h"

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
    assert_int_equal(stat_get(&x->worker->stats.tx_bytes), 9);
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
    assert_int_equal(stat_get(&x->worker->stats.rx_bytes), 5);
}

/* The client gets credit for bytes when they have left for the viewer, and not before. */
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

/* D11: the near leg gets credit for bytes when the client has taken them. */
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

/* D12: the answer is complete before the upload (RFC 9113 8.1). The viewer gets the answer, and the
 * client hears that no more of the upload comes. */
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
    {"R4 102", 102, false, false, 1, "auto", "102 " ONLY_FINAL},
    {"R4 102 to a proxy", 102, true, true, 1, "auto", ONLY_FINAL},
    {"R4 102, off", 102, true, false, 1, "off", ONLY_FINAL},
    {"R4 102 to HTTP/1.0", 102, true, false, 0, "on", ONLY_FINAL},
    {"R4 104", 104, false, false, 1, "auto", "104 " ONLY_FINAL},
    {"R4 199", 199, false, false, 1, "on", "199 " ONLY_FINAL},
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

/* R4: all interim heads together have a limit of bytes. */
static void test_interim_bytes(void **state)
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
    {502, "destination_ip_unroutable", "failure:502:destination_ip_unroutable "},
    {502, "destination_ip_prohibited", "failure:502:destination_ip_prohibited "},
    {503, "connection_limit_reached", "failure:503:connection_limit_reached "},
    {504, "connection_timeout", "failure:504:connection_timeout "},
    {504, "http_response_timeout", "failure:504:http_response_timeout "},
    {502, "<script>", "failure:502:http_protocol_error "},
};

/* D10 D30 F25 */
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
    x->config.timeouts.origin_ms = 20;
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
    x->config.timeouts.idle_ms = 20;
    run(x, GET);
    struct far *f = await_far(x, 1);
    answer(f, 200, NULL, NULL, false);
    check_told(x, "response:200 broken ");
    check_reset(x, f, H2_CANCEL);
}

/* Q39: the viewer stops sending its body. */
static void test_idle_viewer(void **state)
{
    struct fixture *x = *state;
    attach(x, 10);
    x->config.timeouts.idle_ms = 20;
    struct near *n = run(x, POST);
    struct far *f = await_far(x, 1);
    give(n, "hal", false);
    check_told(x, "failure:408:http_request_error ");
    check_reset(x, f, H2_CANCEL);
    check_text(&f->body, "hal");
}

/* D11: the origin stops reading the body. The idle timeout ends the request even without an origin
 * timeout. */
static void test_idle_origin(void **state)
{
    struct fixture *x = *state;
    attach(x, 10);
    x->config.timeouts.idle_ms = 20;
    x->config.timeouts.origin_ms = 0;
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

/* Without an origin timeout a request waits without end once its body is complete. So does the
 * request of a WebSocket, which has no body. */
static void test_nobody_owes_a_body(void **state)
{
    struct fixture *x = *state;
    attach(x, 10);
    x->config.timeouts.idle_ms = 20;
    x->config.timeouts.origin_ms = 0;
    for (enum kind kind = GET; kind <= WEBSOCKET; kind += WEBSOCKET - GET) {
        struct near *n = run(x, kind);
        n->exchange->stream.probed = true;
        /* The timer would come in some seconds. */
        loop_arm_on_wheel(n->exchange->worker->loop, &n->exchange->timer, 0);
        struct far *f = await_far(x, x->n_far + 1);
        uint64_t until = clock_now_us() + 50000;
        turns_until(x->worker->loop, some_time_passed, &until);
        loop_arm_on_wheel(n->exchange->worker->loop, &n->exchange->timer, 0);
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
    x->config.limits.body = 5;
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

/* H12: a body that is cut off does not look complete to the client. */
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
    check_reset(x, f, H2_CANCEL);
    assert_false(f->ended);
    check_told(x, "gone ");
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
        TEST(test_interim_bytes),
        TEST(test_cookie_of_the_base_domain),
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
        cmocka_unit_test(test_state_names),
    };
    return cmocka_run_group_tests_name("exchange", tests, NULL, NULL);
}
