/* SPDX-License-Identifier: MIT */
/* test_sock.c - socks in memory and over TCP on the loopback: bytes, order, queues, both
 * half-closes, hang-ups, resets, connecting. sock.h. */
#include "wire.h"

#include <errno.h>
#include <sys/un.h>

#include "h2mux/base/clock.h"
#include "h2mux/io/sock_int.h"

/* ---- bytes */

/* Writes of every size up to three reads, both ways at once. */
static void test_order(void **state)
{
    static const size_t sizes[] = {1, 2, 3, 1000, 16383, 16384, 16385, 65536, 5, 100000, 1, 200000};
    for (enum wire_kind kind = 0; kind < WIRE_KINDS; kind++) {
        struct wire *w = wire_open(kind);
        size_t total = 0;
        for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++)
            total += sizes[i];
        char *data = wire_pattern(total);
        for (size_t i = 0, at = 0; i < sizeof sizes / sizeof *sizes; at += sizes[i++]) {
            sock_write(w->a.sock, slice_make(data + at, sizes[i]));
            sock_write(w->b.sock, slice_make(data + at, sizes[i]));
            if (i % 3 == 2)
                wire_until(w, wire_always);
        }
        w->want = total;
        wire_until(w, wire_both_got);
        wire_check_pattern(&w->a.got, total);
        wire_check_pattern(&w->b.got, total);
        assert_int_equal(sock_queued(w->a.sock), 0);
        assert_true(w->a.sent > 0 && w->b.sent > 0);
        free(data);
        wire_close(w);
    }
}

static void test_large_write(void **state)
{
    const size_t total = 5 << 20;
    for (enum wire_kind kind = 0; kind < WIRE_KINDS; kind++) {
        struct wire *w = wire_open(kind);
        char *data = wire_pattern(total);
        sock_write(w->a.sock, slice_make(data, total));
        sock_write(w->b.sock, slice_make(data, total));
        memset(data, 0, total);
        free(data); /* borrowed for the call only */
        w->want = total;
        wire_until(w, wire_both_got);
        wire_check_pattern(&w->a.got, total);
        wire_check_pattern(&w->b.got, total);
        wire_close(w);
    }
}

/* A reader that does not read fills the wire, then the queue; nothing is said to have left that has
 * not. */
static void test_backpressure(void **state)
{
    const size_t total = 12 << 20;
    for (enum wire_kind kind = 0; kind < WIRE_KINDS; kind++) {
        struct wire *w = wire_open(kind);
        char *data = wire_pattern(total);
        sock_pause(w->b.sock);
        sock_write(w->a.sock, slice_make(data, total - 100));
        wire_settle(w);
        size_t queued = sock_queued(w->a.sock);
        int sent = w->a.sent;
        assert_true(queued > 0);
        sock_write(w->a.sock, slice_make(data + total - 100, 100));
        wire_settle(w);
        if (kind == WIRE_MEMORY) { /* a kernel may find more room at any time */
            assert_int_equal(queued, total - 100 - 256 * 1024);
            assert_int_equal(sock_queued(w->a.sock), queued + 100);
            assert_int_equal(w->a.sent, sent);
        }
        sock_resume(w->b.sock);
        w->want = total;
        wire_until(w, wire_b_got);
        wire_check_pattern(&w->b.got, total);
        wire_until(w, wire_a_empty);
        assert_true(w->a.sent > sent);
        free(data);
        wire_close(w);
    }
}

static void test_half_close(void **state)
{
    for (enum wire_kind kind = 0; kind < WIRE_KINDS; kind++) {
        struct wire *w = wire_open(kind);
        sock_write(w->a.sock, SLICE("one"));
        sock_shutdown(w->a.sock);
        sock_shutdown(w->a.sock);
        sock_write(w->a.sock, SLICE("never"));
        wire_until(w, wire_b_ended);
        assert_int_equal(w->b.end, 0);
        wire_check_text(&w->b.got, "one");
        sock_write(w->b.sock, SLICE("two, "));
        wire_until(w, wire_a_empty);
        sock_write(w->b.sock, SLICE("three"));
        sock_shutdown(w->b.sock);
        wire_until(w, wire_a_ended);
        assert_int_equal(w->a.end, 0);
        wire_check_text(&w->a.got, "two, three");
        assert_int_equal(w->a.errors + w->b.errors, 0);
        wire_close(w);
    }
}

/* FIN comes behind a queue that is still full when it is asked for. */
static void test_shutdown_behind_queue(void **state)
{
    const size_t total = 6 << 20;
    for (enum wire_kind kind = 0; kind < WIRE_KINDS; kind++) {
        struct wire *w = wire_open(kind);
        wire_fill(w, total);
        sock_shutdown(w->a.sock);
        wire_settle(w);
        assert_true(sock_queued(w->a.sock) > 0);
        wire_drain(w, total);
        wire_close(w);
    }
}

/* ---- looking before reading */

static void test_peek(void **state)
{
    for (enum wire_kind kind = 0; kind < WIRE_KINDS; kind++) {
        struct wire *w = wire_open(kind);
        struct slice seen;
        w->b.lazy = true;
        assert_int_equal(sock_peek(w->b.sock, &seen), ERR_AGAIN);
        sock_write(w->a.sock, SLICE("hello"));
        sock_shutdown(w->a.sock);
        while (sock_peek(w->b.sock, &seen) == ERR_AGAIN)
            wire_until(w, wire_always);
        for (int i = 0; i < 2; i++) {
            assert_int_equal(sock_peek(w->b.sock, &seen), ERR_OK);
            assert_true(slice_eq(seen, SLICE("hello")));
        }
        w->b.lazy = false;
        sock_resume(w->b.sock);
        wire_until(w, wire_b_ended);
        wire_check_text(&w->b.got, "hello");
        assert_int_equal(sock_peek(w->b.sock, &seen), ERR_EOF);
        wire_close(w);
    }
}

static void test_peek_beyond(void **state)
{
    for (enum wire_kind kind = 0; kind < WIRE_KINDS; kind++) {
        struct wire *w = wire_open(kind);
        struct slice seen;
        w->b.lazy = true;
        sock_write(w->a.sock, SLICE("one"));
        while (sock_peek(w->b.sock, &seen) == ERR_AGAIN)
            wire_until(w, wire_always);
        assert_int_equal(sock_peek_beyond(w->b.sock, 2, &seen), ERR_OK);
        assert_true(slice_eq(seen, SLICE("one")));
        assert_int_equal(sock_peek_beyond(w->b.sock, 3, &seen), ERR_AGAIN);
        sock_write(w->a.sock, SLICE(", two"));
        sock_shutdown(w->a.sock);
        while (sock_peek_beyond(w->b.sock, 3, &seen) == ERR_AGAIN)
            wire_until(w, wire_always);
        assert_true(slice_eq(seen, SLICE("one, two")));
        while (sock_peek_beyond(w->b.sock, seen.len, &seen) == ERR_AGAIN)
            wire_until(w, wire_always);
        assert_int_equal(sock_peek_beyond(w->b.sock, seen.len, &seen), ERR_EOF);
        w->b.lazy = false;
        sock_resume(w->b.sock);
        wire_until(w, wire_b_ended);
        wire_check_text(&w->b.got, "one, two");
        wire_close(w);
    }
}

/* ---- putting bytes back */

static void test_unread(void **state)
{
    for (enum wire_kind kind = 0; kind < WIRE_KINDS; kind++) {
        struct wire *w = wire_open(kind);
        char one[4];
        w->b.lazy = true;
        sock_write(w->a.sock, SLICE("cdef"));
        wire_settle(w);
        sock_unread(w->b.sock, SLICE("b"));
        sock_unread(w->b.sock, SLICE("xa"));
        assert_int_equal(sock_read(w->b.sock, one, 1), 1);
        assert_int_equal(one[0], 'x');
        w->b.lazy = false;
        sock_resume(w->b.sock);
        w->want = 6;
        wire_until(w, wire_b_got);
        wire_check_text(&w->b.got, "abcdef");
        wire_close(w);
    }
}

/* Whoever takes a sock over learns what it has even when nothing more comes. */
static void test_unread_wakes_the_new_owner(void **state)
{
    for (enum wire_kind kind = 0; kind < WIRE_KINDS; kind++) {
        struct wire *w = wire_open(kind);
        wire_settle(w);
        sock_unread(w->b.sock, SLICE("left over"));
        sock_set_ops(w->b.sock, &wire_ops, &w->b);
        w->want = 9;
        wire_until(w, wire_b_got);
        wire_check_text(&w->b.got, "left over");
        wire_close(w);
    }
}

static void test_unsend(void **state)
{
    for (enum wire_kind kind = 0; kind < WIRE_KINDS; kind++) {
        struct wire *w = wire_open(kind);
        sock_write(w->a.sock, SLICE("abcdef"));
        assert_true(sock_unsend(w->a.sock, 0));
        assert_true(sock_unsend(w->a.sock, 2));
        assert_false(sock_unsend(w->a.sock, 5));
        assert_int_equal(sock_queued(w->a.sock), 4);
        wire_settle(w);
        assert_false(sock_unsend(w->a.sock, 1));
        sock_shutdown(w->a.sock);
        wire_until(w, wire_b_ended);
        wire_check_text(&w->b.got, "abcd");
        wire_close(w);
    }
}

/* ---- pause, hang-up */

static void test_pause(void **state)
{
    for (enum wire_kind kind = 0; kind < WIRE_KINDS; kind++) {
        struct wire *w = wire_open(kind);
        wire_settle(w);
        sock_pause(w->b.sock);
        int before = w->b.readable;
        sock_write(w->a.sock, SLICE("waits"));
        wire_settle(w);
        assert_int_equal(w->b.readable, before);
        assert_int_equal(w->b.hangups, 0);
        sock_resume(w->b.sock);
        w->want = 5;
        wire_until(w, wire_b_got);
        wire_close(w);
    }
}

static const struct {
    const char *what;
    bool reset, with_data, paused_first;
} hangups[] = {
    {"FIN", false, false, true},
    {"FIN behind data", false, true, true},
    {"RST", true, false, true},
    {"RST behind data", true, true, true},
    {"FIN, then paused", false, true, false},
    {"RST, then paused", true, true, false},
};

/* The peer's end is told while nothing is read; what came before it is still there, then the end
 * itself. */
static void test_hangup(void **state)
{
    for (enum wire_kind kind = 0; kind < WIRE_KINDS; kind++)
        for (size_t i = 0; i < sizeof hangups / sizeof *hangups; i++) {
            struct wire *w = wire_open(kind);
            wire_settle(w);
            w->b.lazy = true;
            if (hangups[i].paused_first)
                sock_pause(w->b.sock);
            if (hangups[i].with_data) {
                sock_write(w->a.sock, SLICE("data"));
                wire_settle(w);
            }
            if (hangups[i].reset)
                sock_abort(w->a.sock);
            else
                sock_close(w->a.sock);
            w->a.sock = NULL;
            wire_until(w, wire_b_hung_up);
            w->b.lazy = false;
            sock_resume(w->b.sock);
            wire_until(w, wire_b_ended);
            if (w->b.end != (hangups[i].reset ? ERR_RESET : 0))
                fail_msg("%s, wire %d: end is %zd", hangups[i].what, kind, w->b.end);
            wire_check_text(&w->b.got, hangups[i].with_data ? "data" : "");
            wire_close(w);
        }
}

/* A reader that was not paused: data and RST may come in one event. */
static void test_reset_behind_data(void **state)
{
    for (enum wire_kind kind = 0; kind < WIRE_KINDS; kind++) {
        struct wire *w = wire_open(kind);
        sock_write(w->a.sock, SLICE("data"));
        sock_run_flush(w->a.sock);
        sock_abort(w->a.sock);
        w->a.sock = NULL;
        wire_until(w, wire_b_ended);
        wire_check_text(&w->b.got, "data");
        assert_int_equal(w->b.end, ERR_RESET);
        assert_int_equal(sock_read(w->b.sock, (char[1]){0}, 1), ERR_RESET);
        wire_close(w);
    }
}

/* The kernel tells of an RST once; when a write was told, the reads behind the data still must not
 * end in order. */
static void test_reset_met_by_a_write(void **state)
{
    const size_t total = 1 << 20;
    for (enum wire_kind kind = 0; kind < WIRE_KINDS; kind++) {
        struct wire *w = wire_open(kind);
        char *data = wire_pattern(total);
        sock_write(w->a.sock, SLICE("data"));
        sock_run_flush(w->a.sock);
        sock_abort(w->a.sock);
        w->a.sock = NULL;
        sock_write(w->b.sock, slice_make(data, total));
        sock_run_flush(w->b.sock);
        wire_until(w, wire_b_ended);
        wire_check_text(&w->b.got, "data");
        assert_int_equal(w->b.end, ERR_RESET);
        free(data);
        wire_close(w);
    }
}

static bool b_empty(void *user)
{
    return sock_queued(((struct wire *)user)->b.sock) == 0;
}

/* What nobody will read leaves the queue, so that its source is not held up. */
static void test_writes_to_a_closed_peer_vanish(void **state)
{
    const size_t total = 4 << 20;
    for (enum wire_kind kind = 0; kind < WIRE_KINDS; kind++) {
        struct wire *w = wire_open(kind);
        char *data = wire_pattern(total);
        sock_pause(w->a.sock);
        sock_write(w->b.sock, slice_make(data, total));
        wire_settle(w);
        int sent = w->b.sent;
        sock_close(w->a.sock);
        w->a.sock = NULL;
        wire_until(w, b_empty);
        wire_until(w, wire_b_ended);
        assert_true(w->b.sent > sent);
        sent = w->b.sent;
        sock_write(w->b.sock, SLICE("more"));
        assert_int_equal(sock_queued(w->b.sock), 0);
        wire_settle(w);
        assert_true(w->b.sent > sent);
        free(data);
        wire_close(w);
    }
}

static void test_no_callback_after_close(void **state)
{
    for (enum wire_kind kind = 0; kind < WIRE_KINDS; kind++) {
        struct wire *w = wire_open(kind);
        sock_write(w->a.sock, SLICE("data"));
        sock_write(w->b.sock, SLICE("data"));
        sock_run_flush(w->a.sock);
        int sent = w->b.sent;
        sock_close(w->b.sock);
        sock_close(w->b.sock);
        sock_close(NULL);
        w->b.sock = NULL;
        wire_until(w, wire_a_ended);
        assert_int_equal(w->b.readable + w->b.hangups + w->b.errors, 0);
        assert_int_equal(w->b.sent, sent);
        wire_close(w);
    }
}

/* ---- connecting */

static bool a_opened(void *user)
{
    return ((struct wire *)user)->a.opened > 0;
}

static bool a_failed(void *user)
{
    return ((struct wire *)user)->a.errors > 0;
}

static void test_connect_refused(void **state)
{
    struct wire *w = wire_new();
    struct sockaddr_in at;
    close(wire_listen(&at));
    struct sock *s = sock_connect(w->loop, (struct sockaddr *)&at, sizeof at, 0);
    assert_non_null(s);
    wire_take(&w->a, s);
    sock_write(s, SLICE("early"));
    wire_until(w, a_failed);
    assert_int_equal(w->a.error, ERR_REFUSED);
    assert_int_equal(w->a.opened, 0);
    assert_int_equal(sock_read(s, (char[1]){0}, 1), ERR_REFUSED);
    wire_close(w);
}

static void test_connect_impossible(void **state)
{
    struct wire *w = wire_new();
    struct sockaddr_un at = {.sun_family = AF_UNIX, .sun_path = "/nowhere/at/all"};
    assert_null(sock_connect(w->loop, (struct sockaddr *)&at, sizeof at, 0));
    assert_int_equal(errno, ENOENT);
    wire_close(w);
}

/* What is written and shut before the connection is there goes when it is. */
static void test_connect(void **state)
{
    struct wire *w = wire_new();
    struct sockaddr_in at;
    int listener = wire_listen(&at);
    struct sock *s = sock_connect(w->loop, (struct sockaddr *)&at, sizeof at, 0);
    wire_take(&w->a, s);
    assert_int_equal(sock_read(s, (char[1]){0}, 1), ERR_AGAIN);
    sock_write(s, SLICE("early"));
    sock_shutdown(s);
    wire_until(w, a_opened);
    wire_take(&w->b, wire_sock(w->loop, accept(listener, NULL, NULL)));
    wire_until(w, wire_b_ended);
    wire_check_text(&w->b.got, "early");
    assert_int_equal(((const struct sockaddr_in *)(const void *)sock_peer(s))->sin_port,
                     at.sin_port);
    assert_int_equal(sock_peer(w->b.sock)->sa_family, AF_INET);
    close(listener);
    wire_close(w);
}

/* A peer that has spoken and left before the loop saw the connection: all of it comes in one event.
 */
static void test_peer_speaks_first(void **state)
{
    struct wire *w = wire_new();
    struct sockaddr_in at;
    int listener = wire_listen(&at);
    struct sock *s = sock_connect(w->loop, (struct sockaddr *)&at, sizeof at, 0);
    wire_take(&w->a, s);
    int peer = accept(listener, NULL, NULL);
    assert_int_equal(send(peer, "hello", 5, 0), 5);
    close(peer);
    wire_until(w, wire_a_ended);
    assert_int_equal(w->a.opened, 1);
    assert_int_equal(w->a.end, 0);
    wire_check_text(&w->a.got, "hello");
    close(listener);
    wire_close(w);
}

/* ---- addresses */

static void test_addresses(void **state)
{
    struct sockaddr_storage a = {.ss_family = AF_UNIX};
    struct sockaddr_in *v4 = (struct sockaddr_in *)&a;
    struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)&a;
    char text[64];
    sock_address_text((const struct sockaddr *)&a, true, text, sizeof text);
    assert_string_equal(text, "unix");
    *v4 = (struct sockaddr_in){.sin_family = AF_INET, .sin_port = htons(443)};
    assert_int_equal(inet_pton(AF_INET, "192.0.2.1", &v4->sin_addr), 1);
    sock_address_text((const struct sockaddr *)&a, false, text, sizeof text);
    assert_string_equal(text, "192.0.2.1");
    sock_address_text((const struct sockaddr *)&a, true, text, sizeof text);
    assert_string_equal(text, "192.0.2.1:443");
    *v6 = (struct sockaddr_in6){.sin6_family = AF_INET6, .sin6_port = htons(443)};
    assert_int_equal(inet_pton(AF_INET6, "2001:db8::1", &v6->sin6_addr), 1);
    sock_address_text((const struct sockaddr *)&a, false, text, sizeof text);
    assert_string_equal(text, "2001:db8::1");
    sock_address_text((const struct sockaddr *)&a, true, text, sizeof text);
    assert_string_equal(text, "[2001:db8::1]:443");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_order),
        cmocka_unit_test(test_large_write),
        cmocka_unit_test(test_backpressure),
        cmocka_unit_test(test_half_close),
        cmocka_unit_test(test_shutdown_behind_queue),
        cmocka_unit_test(test_peek),
        cmocka_unit_test(test_peek_beyond),
        cmocka_unit_test(test_unread),
        cmocka_unit_test(test_unread_wakes_the_new_owner),
        cmocka_unit_test(test_unsend),
        cmocka_unit_test(test_pause),
        cmocka_unit_test(test_hangup),
        cmocka_unit_test(test_reset_behind_data),
        cmocka_unit_test(test_reset_met_by_a_write),
        cmocka_unit_test(test_writes_to_a_closed_peer_vanish),
        cmocka_unit_test(test_no_callback_after_close),
        cmocka_unit_test(test_connect_refused),
        cmocka_unit_test(test_connect_impossible),
        cmocka_unit_test(test_connect),
        cmocka_unit_test(test_peer_speaks_first),
        cmocka_unit_test(test_addresses),
    };
    return cmocka_run_group_tests_name("sock", tests, NULL, NULL);
}
