/* SPDX-License-Identifier: MIT */
/* test_exchange_links.c - tests how an exchange waits for a link, is sent again on another one, and
 * fails when its link is lost. http-rules.md#failures */
#include "exchange_world.h"

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
    assert_true(n->exchange->wait.spent_us > 0);
    give(n, "body", true);
    turns_until(x->worker->loop, is_ended, f);
    check_text(&f->body, "body");
    answer(f, 200, NULL, NULL, true);
    check_told(x, "response:200. end ");
}

/* A leg that begins by itself, such as a stream of HTTP/2, hands up body before there is a link:
 * the bytes are kept, in order and up to the limit of a body, and go on when one comes. */
static void test_body_while_held(void **state)
{
    struct fixture *x = *state;
    struct near *n = run(x, POST);
    assert_int_equal(n->exchange->state, EXCHANGE_HELD);
    give(n, "first, ", false);
    give(n, "second", true);
    attach(x, 10);
    struct far *f = await_far(x, 1);
    turns_until(x->worker->loop, is_ended, f);
    check_text(&f->body, "first, second");
    assert_null(n->exchange->early);
    answer(f, 200, NULL, NULL, true);
    check_told(x, "response:200. end ");
}

/* Q30 */
static void test_body_while_held_is_bounded(void **state)
{
    struct fixture *x = *state;
    x->config.limits.body = 8;
    struct near *n = run(x, POST);
    give(n, "12345678", false);
    assert_int_equal(n->exchange->state, EXCHANGE_HELD);
    give(n, "9", true);
    check_told(x, "failure:413:http_request_error ");
}

/* The viewer leaves while its body is kept. */
static void test_left_while_held(void **state)
{
    struct fixture *x = *state;
    struct near *n = run(x, POST);
    give(n, "kept", false);
    exchange_cancel(n->exchange, "viewer_left");
    n->exchange = NULL;
    check_told(x, "");
    message_deinit(&n->head);
}

/* F2 */
static void test_hold_timeout(void **state)
{
    struct fixture *x = *state;
    x->config.names.hold_ms = 20;
    uint64_t begun = clock_now_us();
    run(x, GET);
    check_told(x, "failure:503:destination_unavailable ");
    assert_true(clock_now_us() - begun >= 10000);
    assert_int_equal(x->tunnel->queue.n, 0);
}

/* F2 */
static void test_no_hold(void **state)
{
    struct fixture *x = *state;
    x->config.names.hold_ms = 0;
    run(x, GET);
    check_told(x, "failure:503:destination_unavailable ");
}

/* F2 */
static void test_away_too_long(void **state)
{
    struct fixture *x = *state;
    x->tunnel->hold.away_since_us = clock_now_us() - 31 * 1000000ULL;
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

/* F3: a WebSocket waits for a stream for a second at most, however many plain requests get one
 * meanwhile: 5 % of the streams are kept for those. */
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

/* A link has no room for WebSockets: they go to another link, which may have to attach first. */
static void test_another_link_has_room(void **state)
{
    struct fixture *x = *state;
    struct link *full = attach(x, 20);
    full->websockets = 19;
    struct near *n = start(x, 0, WEBSOCKET);
    exchange_start(n->exchange, x->tunnel);
    assert_int_equal(n->exchange->state, EXCHANGE_HELD);
    struct link *other = attach(x, 20);
    assert_ptr_equal(n->exchange->stream.backend, &other->backend);
    struct near *second = start(x, 1, WEBSOCKET);
    exchange_start(second->exchange, x->tunnel);
    /* Which is the busier one. */
    assert_ptr_equal(second->exchange->stream.backend, &other->backend);
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

/* F6: a refused upload is sent again only if nothing of its body has come yet. */
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

/* F6: REFUSED_STREAM from other software is no proof that nothing was done: a request that must not
 * be done twice is not sent again. */
static void test_refused_by_other_software(void **state)
{
    struct fixture *x = *state;
    attach_as(x, "", 10);
    struct near *n = run(x, POST);
    refuse(await_far(x, 1), H2_REFUSED_STREAM);
    check_told(x, "failure:503:connection_limit_reached ");
    assert_int_equal(x->n_far, 1);
    message_deinit(&n->head);
    run(x, GET);
    refuse(await_far(x, 2), H2_REFUSED_STREAM);
    answer(await_far(x, 3), 200, NULL, NULL, true);
    check_told(x, "response:200. end ");
}

/* F4, F6: the client leaves and refuses a request while there is no other link. A request without a
 * body waits for a link. An upload cannot wait, since its body may come already. */
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
            give(n, "x", false); /* a request of which a part was sent is not sent again */
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

/* F4: a request that had not been sent when its link was lost is sent on the next one. */
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

/* ---- the viewer's connection */

static void check_named(const struct far *f, bool named)
{
    const char *at = strstr(f->fields, "oneport-viewer-connection");
    assert_int_equal(!!at, named);
    assert_null(at ? strstr(at + 1, "oneport-viewer-connection") : NULL);
    assert_int_equal(!!strstr(f->fields, "0123abcd"), named);
}

/* H20: a link that asks is told of each request that has a connection with a name. */
static void test_the_viewers_connection_is_told(void **state)
{
    struct fixture *x = *state;
    struct link *l = attach(x, 10);
    l->backend.asks_who = true;
    x->near[0].viewer.connection = SLICE("0123abcd");
    run(x, GET);
    check_named(await_far(x, 1), true);
    answer(&x->far[0], 200, NULL, NULL, true);
    check_told(x, "response:200. end ");
}

/* H20 */
static void test_no_connection_is_told(void **state)
{
    static const struct {
        bool asks, named, websocket;
    } cases[] = {{false, true, false}, {true, false, false}, {true, true, true}};
    struct fixture *x = *state;
    struct link *l = attach(x, 10);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        l->backend.asks_who = cases[i].asks;
        x->near[0].viewer.connection = cases[i].named ? SLICE("0123abcd") : SLICE("");
        struct near *n = run(x, cases[i].websocket ? WEBSOCKET : GET);
        check_named(await_far(x, i + 1), false);
        exchange_cancel(n->exchange, "viewer_left");
        n->exchange = NULL;
        message_deinit(&n->head);
    }
}

/* H20: a request is sent again to a client that does not ask. */
static void test_who_is_tried_next_does_not_ask(void **state)
{
    struct fixture *x = *state;
    struct link *l = attach(x, 10);
    l->backend.asks_who = true;
    x->near[0].viewer.connection = SLICE("0123abcd");
    run(x, GET);
    check_named(await_far(x, 1), true);
    l->backend.asks_who = false;
    refuse(&x->far[0], H2_REFUSED_STREAM);
    struct far *f = await_far(x, 2);
    check_named(f, false);
    answer(f, 200, NULL, NULL, true);
    check_told(x, "response:200. end ");
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_hold_then_link),
        TEST(test_body_while_held),
        TEST(test_body_while_held_is_bounded),
        TEST(test_left_while_held),
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
        TEST(test_refused_by_other_software),
        TEST(test_refused_with_nobody_else),
        TEST(test_resets),
        TEST(test_link_lost_before_head),
        TEST(test_link_lost_after_head),
        TEST(test_link_lost_before_request_left),
        TEST(test_link_lost_before_upload_left),
        TEST(test_the_viewers_connection_is_told),
        TEST(test_no_connection_is_told),
        TEST(test_who_is_tried_next_does_not_ask),
    };
    return cmocka_run_group_tests_name("exchange, links", tests, NULL, NULL);
}
