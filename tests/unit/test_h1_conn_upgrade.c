/* SPDX-License-Identifier: MIT */
/* test_h1_conn_upgrade.c - upgrades of an HTTP/1.1 connection, and the sock that it hands on.
 * h1_conn.h, docs/http-rules.md */
#include "h1_world.h"

/* ---- upgrades */

static const char upgrade_request[] =
    "GET / HTTP/1.1\r\nHost: h\r\nUpgrade: websocket\r\nConnection: upgrade\r\n\r\n";

/* W6, W7: what the viewer sent early waits until it is wanted; then both directions are bytes,
 * each with its own end. */
static void test_upgrade(void **state)
{
    for (enum wire_kind kind = 0; kind < WIRE_KINDS; kind++) {
        struct world *w = open_over(H1_SERVER, kind);
        struct leg_reply reply = {.upgrade = true};
        w->keep = w->no_next = true;
        sock_write(w->wire.b.sock, slice_str(upgrade_request));
        say(w, "early");
        check_told(w, "request", "GET/ .");
        leg_reply(w->leg, &reply);
        send_head(w, 101, MESSAGE_LENGTH_UNKNOWN, false);
        assert_int_not_equal(h1_conn_head_bytes(w->conn), 0);
        leg_upgrade(w->leg);
        assert_int_equal(h1_conn_head_bytes(w->conn), 0); /* nothing of it is kept */
        settle(w);
        say(w, " late");
        w->leg->ops->body(w->leg, SLICE("raw"), false);
        w->leg->ops->body(w->leg, SLICE(" bytes"), true);
        settle(w);
        check_told(w, "before its end", "'early late' |");
        sock_shutdown(w->wire.b.sock);
        settle(w);
        check_told(w, "after its end", "end . done");
        turns_until(w->wire.loop, wire_b_ended, &w->wire);
        assert_int_equal(w->wire.b.end, 0);
        assert_int_equal(w->sent, 9);
        wire_check_text(&w->wire.b.got,
                        "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\n\r\nraw bytes");
        close_world(w);
    }
}

/* W7: the viewer's FIN does not end the other direction. */
static void test_upgrade_half_close(void **state)
{
    struct world *w = open_world(H1_SERVER);
    w->keep = w->no_next = true;
    say(w, upgrade_request);
    send_head(w, 101, MESSAGE_LENGTH_UNKNOWN, false);
    leg_upgrade(w->leg);
    say(w, "bye");
    sock_shutdown(w->wire.b.sock);
    settle(w);
    check_told(w, "half", "GET/ . 'bye' end .");
    assert_false(w->wire.b.ended);
    w->leg->ops->body(w->leg, SLICE("still here"), false);
    settle(w);
    w->leg->ops->body(w->leg, SLICE(""), true);
    settle(w);
    check_told(w, "whole", "done");
    assert_true(w->wire.b.ended);
    close_world(w);
}

/* W7 */
static void test_upgrade_reset(void **state)
{
    for (enum wire_kind kind = 0; kind < WIRE_KINDS; kind++) {
        struct world *w = open_over(H1_SERVER, kind);
        w->keep = true;
        say(w, upgrade_request);
        check_told(w, "request", "GET/ .");
        leg_upgrade(w->leg);
        say(w, "x");
        sock_abort(w->wire.b.sock);
        w->wire.b.sock = NULL;
        check_told(w, "told", "'x' reset:-12 error:-12");
        close_world(w);
    }
}

/* The other role: 101 waits for its owner, with what came behind it. */
static void test_client_upgrade(void **state)
{
    struct world *w = open_world(H1_CLIENT);
    w->no_next = true;
    ask(w);
    say(w, "HTTP/1.1 101 Switching\r\nUpgrade: websocket\r\n\r\nearly");
    check_told(w, "101", "101");
    assert_true(h1_conn_surplus(w->conn));
    leg_upgrade(w->leg);
    leg_tie(w->leg, &exchange_events, w);
    settle(w);
    w->leg->ops->body(w->leg, SLICE("raw"), true);
    sock_shutdown(w->wire.b.sock);
    settle(w);
    check_told(w, "raw", "'early' end . done");
    assert_true(w->wire.b.ended);
    close_world(w);
}

/* ---- handing the sock on */

static bool has_all(void *user)
{
    return buf_len(user) >= strlen("PRI * HTTP/2.0 and more");
}

static bool has_raw(void *user)
{
    return buf_len(user) >= strlen("raw");
}

static void test_release(void **state)
{
    for (enum wire_kind kind = 0; kind < WIRE_KINDS; kind++) {
        struct world *w = open_over(H1_SERVER, kind);
        struct wire_end next = {0};
        buf_init(&next.got, TEXT_MAX);
        w->keep = true;
        sock_write(w->wire.b.sock, slice_str(upgrade_request));
        say(w, "PRI * HTTP/2.0");
        check_told(w, "request", "GET/ .");
        h1_conn_write_raw(w->conn, SLICE("raw"));
        struct sock *sock = h1_conn_release(w->conn);
        w->conn = NULL;
        wire_take(&next, sock);
        sock_write(w->wire.b.sock, SLICE(" and more"));
        turns_until(w->wire.loop, has_all, &next.got);
        wire_check_text(&next.got, "PRI * HTTP/2.0 and more");
        turns_until(w->wire.loop, has_raw, &w->wire.b.got);
        wire_check_text(&w->wire.b.got, "raw");
        sock_close(sock);
        buf_release(&next.got);
        close_world(w);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_upgrade),       cmocka_unit_test(test_upgrade_half_close),
        cmocka_unit_test(test_upgrade_reset), cmocka_unit_test(test_client_upgrade),
        cmocka_unit_test(test_release),
    };
    return cmocka_run_group_tests_name("h1_conn upgrade", tests, NULL, NULL);
}
