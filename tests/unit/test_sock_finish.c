/* SPDX-License-Identifier: MIT */
/* test_sock_finish.c - last words: all of them arrive, and who does not take them or goes on
 * talking is left in the end. sock_finish.c. */
#include "wire.h"

#include <fcntl.h>

#include "h2mux/base/clock.h"
#include "h2mux/io/sock_int.h"

enum { LONG_MS = 600000, SHORT_MS = 30 };

/* The other end of a pair knows when this one is closed. */
static bool a_closed(void *user)
{
    return !((struct wire *)user)->b.sock->pair;
}

static void finish_a(struct wire *w, uint64_t ms, size_t bytes)
{
    sock_finish(w->a.sock, ms, bytes);
    w->a.sock = NULL;
}

static void test_finish(void **state)
{
    for (enum wire_kind kind = 0; kind < WIRE_KINDS; kind++) {
        struct wire *w = wire_open(kind);
        sock_write(w->a.sock, SLICE("last words"));
        finish_a(w, LONG_MS, SIZE_MAX);
        wire_until(w, wire_b_ended);
        assert_int_equal(w->b.end, 0);
        wire_check_text(&w->b.got, "last words");
        sock_write(w->b.sock, SLICE("heard"));
        wire_settle(w);
        assert_false(w->b.error);
        wire_close(w);
    }
}

/* The time is for what the peer may still say; a queue that moves is sent to its end, however
 * slowly. */
static void test_finish_slow_reader(void **state)
{
    const size_t total = 8 << 20;
    for (enum wire_kind kind = 0; kind < WIRE_KINDS; kind++) {
        struct wire *w = wire_open(kind);
        wire_fill(w, total);
        finish_a(w, 1, 0);
        uint64_t until = clock_now_us() + 20000;
        while (clock_now_us() < until)
            wire_until(w, wire_always);
        wire_drain(w, total);
        wire_close(w);
    }
}

/* A peer that has ended its own direction, heard of or not, still gets all of it. */
static void test_finish_after_fin(void **state)
{
    const size_t total = 8 << 20;
    for (int told = 0; told < 2; told++)
        for (enum wire_kind kind = 0; kind < WIRE_KINDS; kind++) {
            struct wire *w = wire_open(kind);
            sock_shutdown(w->b.sock);
            if (told)
                wire_until(w, wire_a_ended);
            wire_fill(w, total);
            finish_a(w, LONG_MS, SIZE_MAX);
            wire_settle(w);
            wire_drain(w, total);
            if (kind == WIRE_MEMORY)
                wire_until(w, a_closed);
            wire_close(w);
        }
}

static void test_finish_ends_with_peers_fin(void **state)
{
    struct wire *w = wire_open(WIRE_MEMORY);
    finish_a(w, LONG_MS, SIZE_MAX);
    wire_until(w, wire_b_ended);
    assert_false(a_closed(w));
    sock_write(w->b.sock, SLICE("I see"));
    sock_shutdown(w->b.sock);
    wire_until(w, a_closed);
    wire_close(w);
}

static void test_finish_time(void **state)
{
    struct wire *w = wire_open(WIRE_MEMORY);
    uint64_t begun = clock_now_us();
    finish_a(w, SHORT_MS, SIZE_MAX);
    wire_until(w, wire_b_ended);
    assert_false(a_closed(w));
    wire_until(w, a_closed);
    assert_in_range(clock_now_us() - begun, SHORT_MS * 1000 / 2, 2000000);
    wire_close(w);
}

static void test_finish_bytes(void **state)
{
    struct wire *w = wire_open(WIRE_MEMORY);
    char *data = wire_pattern(1001);
    finish_a(w, LONG_MS, 1000);
    wire_until(w, wire_b_ended);
    sock_write(w->b.sock, slice_make(data, 999));
    wire_settle(w);
    assert_false(a_closed(w));
    sock_write(w->b.sock, slice_make(data, 1));
    wire_until(w, a_closed);
    free(data);
    wire_close(w);
}

/* Nobody to talk to: closed at once. One that is still at it when the loop goes is closed with it.
 */
static void test_finish_odd_ends(void **state)
{
    struct wire *w = wire_open(WIRE_MEMORY);
    sock_abort(w->b.sock);
    w->b.sock = NULL;
    wire_until(w, wire_a_ended);
    finish_a(w, LONG_MS, SIZE_MAX);
    wire_close(w);
    for (enum wire_kind kind = 0; kind < WIRE_KINDS; kind++) {
        w = wire_open(kind);
        sock_write(w->a.sock, SLICE("bye"));
        finish_a(w, LONG_MS, SIZE_MAX);
        if (kind == WIRE_TCP)
            wire_until(w, wire_b_ended);
        sock_close(w->b.sock);
        w->b.sock = NULL;
        wire_close(w);
    }
    w = wire_new();
    struct sockaddr_in at;
    int listener = wire_listen(&at);
    w->a.sock = sock_connect(w->loop, (struct sockaddr *)&at, sizeof at, 0);
    finish_a(w, LONG_MS, SIZE_MAX);
    close(listener);
    wire_close(w);
}

static bool is_closed(void *user)
{
    return fcntl(*(int *)user, F_GETFD) < 0;
}

/* A peer that vanishes while there is a queue does not hold the sock for the whole time. */
static void test_finish_peer_vanishes(void **state)
{
    struct wire *w = wire_open(WIRE_TCP);
    int fd = sock_fd(w->a.sock);
    wire_fill(w, 8 << 20);
    finish_a(w, LONG_MS, SIZE_MAX);
    wire_settle(w);
    assert_true(fcntl(fd, F_GETFD) >= 0);
    sock_abort(w->b.sock);
    w->b.sock = NULL;
    turns_until(w->loop, is_closed, &fd);
    wire_close(w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_finish),           cmocka_unit_test(test_finish_slow_reader),
        cmocka_unit_test(test_finish_after_fin), cmocka_unit_test(test_finish_ends_with_peers_fin),
        cmocka_unit_test(test_finish_time),      cmocka_unit_test(test_finish_bytes),
        cmocka_unit_test(test_finish_odd_ends),  cmocka_unit_test(test_finish_peer_vanishes),
    };
    return cmocka_run_group_tests_name("sock_finish", tests, NULL, NULL);
}
