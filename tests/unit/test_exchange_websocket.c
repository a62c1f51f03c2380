/* SPDX-License-Identifier: MIT */
/* test_exchange_websocket.c - tests exchanges that become WebSockets: accepted, refused,
 * half-closed, cut off, idle. http-rules.md#websockets */
#include "exchange_world.h"

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
    f->leg->ops->body(f->leg, SLICE(""), true); /* W7: the other direction goes on */
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

/* W8: the owner learns whether a Close frame may follow, and how many bytes of an unfinished frame
 * were passed on. */
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

/* W5: an answer that opens no WebSocket is passed on like any other. A 2xx that ends at once is an
 * error. */
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

/* W5: a status that can have no body does not open a WebSocket. */
static void test_websocket_answered(void **state)
{
    struct fixture *x = *state;
    struct link *l = attach_as(x, "", 10);
    for (int status = 204; status <= 205; status++) {
        run(x, WEBSOCKET);
        answer(await_far(x, x->n_far + 1), status, NULL, NULL, false);
        check_told(x, "failure:502:http_upgrade_failed ");
        turns_until(x->worker->loop, link_is_idle, l);
        message_deinit(&x->near[0].head);
    }
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
    x->config.timeouts.websocket_ms = 20;
    struct far *f = open_websocket(x);
    check_told(x, "restart ");
    check_reset(x, f, H2_CANCEL);
}

static void test_websocket_has_no_body_limit(void **state)
{
    struct fixture *x = *state;
    attach(x, 10);
    x->config.limits.body = 1;
    struct far *f = open_websocket(x);
    give(&x->near[0], "many octets", false);
    settle(x);
    check_text(&f->body, "many octets");
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_websocket),          TEST(test_websocket_other_half_first),
        TEST(test_websocket_restart),  TEST(test_websocket_refused),
        TEST(test_websocket_answered), TEST(test_websocket_reset),
        TEST(test_websocket_idle),     TEST(test_websocket_has_no_body_limit),
    };
    return cmocka_run_group_tests_name("exchange, websocket", tests, NULL, NULL);
}
